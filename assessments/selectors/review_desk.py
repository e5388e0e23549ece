"""What a reviewer reads of a submission: its answers with their questions, what was read as figures, what changed.

Questions and choices are worded by the shipped XLSForm of the form's kind; another form's as Kobo describes it, and as
long as that was not read, by its paths.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from assessments.kobo.errors import KoboPayloadError
from assessments.kobo.forms import KINDS, LANGUAGES, read_form
from assessments.kobo.mapping import load_mapping, read_figures
from assessments.kobo.mapping_checks import MappingError
from assessments.kobo.payloads import clean_text, parse_submission
from assessments.kobo.questions import labels_of, list_questions
from assessments.models import Category, Indicator, KoboFormVersion, KoboSubmission, SubmissionRevision
from assessments.selectors.mappings import mapping_of
from dtm_ops.common.names import named
from locations.models import AdminUnit

# A longer answer is cut on the page; the row as received keeps it whole.
MOST_SHOWN = 2000
MOST_CHANGES = 200
# Kobo's own keys and those of the phone: shown apart from the answers.
_OF_THE_PHONE = frozenset({"start", "end", "today", "deviceid", "username", "formhub/uuid"})

Names = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """``shown``: the choice in words, or the answer; ``raw``: as received where that differs."""

    label: str
    path: str
    shown: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Repeat:
    label: str
    path: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class Section:
    """The answers of one group of the form, and the repeats in it."""

    label: str
    answers: list[Answer] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadFigure:
    """``value`` None: the informants did not know. ``place`` "": the form's own."""

    indicator: str
    category: str
    place: str
    value: int | None


@dataclass(frozen=True, slots=True)
class Change:
    label: str
    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class _Wording:
    """By question path: its label by language, and the list of its choices; choices by (list, name)."""

    labels: Names
    lists: Mapping[str, str]
    choices: Mapping[tuple[str, str], Mapping[str, str]]
    # Questions that nobody was asked.
    calculated: frozenset[str] = frozenset()
    # What the phone puts for ``${name}`` into a label: answers and calculations by the question's name.
    spoken: Mapping[str, str] = field(default_factory=dict)

    def spoken_with(self, answers: Mapping[str, Any]) -> "_Wording":
        spoken = {path.rpartition("/")[2]: value for path, value in answers.items() if isinstance(value, str)}
        return replace(self, spoken=spoken)


_SPOKEN = re.compile(r"\$\{(\w+)\}")
_INSTANCE = re.compile(r"\[(\d+)\]")
_NO_WORDING = _Wording({}, {}, {})


def answer_sections(revision: SubmissionRevision, *, kind: str) -> list[Section]:
    """The answers in the order in which they came, group by group. Keys of Kobo and of the phone are left out."""
    answers = revision.answers
    wording = _wording_of(revision, kind).spoken_with(answers)
    sections: dict[str, Section] = {}
    for path, value in answers.items():
        if _is_technical(path) or path in wording.calculated:
            continue
        group = path.rpartition("/")[0]
        section = sections.setdefault(group, Section(_group_label(wording, group)))
        if isinstance(value, list):
            section.repeats.extend(_repeats(wording, path, value))
        else:
            section.answers.append(_answer(wording, path, value))
    return list(sections.values())


def technical_answers(revision: SubmissionRevision, *, kind: str) -> list[Answer]:
    """What the phone, the form's own calculations and Kobo add."""
    calculated = _wording_of(revision, kind).calculated
    return [
        Answer(_show(path), path, _show(value))
        for path, value in revision.answers.items()
        if (_is_technical(path) or path in calculated) and not isinstance(value, list | dict)
    ]


def figures_read(submission: KoboSubmission, revision: SubmissionRevision) -> list[ReadFigure]:
    """What the form's mapping reads in the revision; nothing where an answer cannot be read (its problems say why)."""
    try:
        payload = parse_submission(revision.answers)
        figures = read_figures(load_mapping(mapping_of(revision, form=submission.form)), payload.answers)
    except (KoboPayloadError, MappingError):
        return []
    indicators = indicator_names()
    categories = {(one, code): names for one, code, names in _category_rows()}
    codes = {figure.unit for figure in figures if figure.unit}
    places = {unit.unit_id: unit.name for unit in AdminUnit.objects.filter(unit_id__in=codes)} if codes else {}
    return [
        ReadFigure(
            indicator=named(indicators.get(one.indicator, {}), fallback=one.indicator),
            category=named(categories.get((one.indicator, one.category), {}), fallback=one.category)
            if one.category
            else "",
            place=places.get(one.unit, one.unit) if one.unit else "",
            value=one.value,
        )
        for one in figures
    ]


def changed_answers(old: SubmissionRevision, new: SubmissionRevision, *, kind: str) -> list[Change]:
    """The answers that differ, repeats instance by instance. The first `MOST_CHANGES`."""
    wording = _wording_of(new, kind)
    before, after = dict(_flat(old.answers)), dict(_flat(new.answers))
    changes = []
    for path in dict.fromkeys([*before, *after]):
        if before.get(path) == after.get(path):
            continue
        plain, place = _plain(path)
        label = f"{_label(wording, plain)}{place}"
        changes.append(
            Change(label, path, _worded(wording, plain, before.get(path)), _worded(wording, plain, after.get(path)))
        )
    return changes[:MOST_CHANGES]


def question_label(kind: str, place: str) -> str:
    """Of a place that Kobo names: ``villages[2]/photo`` is the question ``villages/photo`` in row 2."""
    numbers = _INSTANCE.findall(place)
    label = _label(_wording(kind), _INSTANCE.sub("", place))
    return f"{label} ({_('row %(number)s') % {'number': '.'.join(numbers)}})" if numbers else label


def indicator_names() -> dict[str, dict[str, str]]:
    return dict(Indicator.objects.values_list("code", "names"))


def _category_rows() -> Any:
    return Category.objects.order_by().values_list("indicator__code", "code", "names")


def _is_technical(path: str) -> bool:
    return path[:1] == "_" or path.startswith("meta/") or path in _OF_THE_PHONE


def _wording_of(revision: SubmissionRevision, kind: str) -> _Wording:
    """The shipped form's, unless the answers are to questions of another form: then as Kobo describes that version."""
    shipped = _wording(kind)
    key = revision.form_version_id
    if key is None or any(path in shipped.labels for path in revision.answers):
        return shipped
    if key not in _CONTENT_WORDINGS:
        content = KoboFormVersion.objects.filter(pk=key).values_list("content", flat=True).first()
        if content is None:  # not read from Kobo yet
            return shipped
        if len(_CONTENT_WORDINGS) >= MOST_WORDINGS:
            _CONTENT_WORDINGS.clear()
        _CONTENT_WORDINGS[key] = _content_wording(content)
    return _CONTENT_WORDINGS[key]


# By version: what one asks never changes.
_CONTENT_WORDINGS: dict[int, _Wording] = {}
MOST_WORDINGS = 16


def _content_wording(content: Mapping[str, Any]) -> _Wording:
    by_language = {
        language: {one.path: one.label for one in list_questions(content, language)} for language in ("en", "ru", "kk")
    }
    paths = by_language["en"]
    survey = [row for row in content.get("survey", []) if isinstance(row, dict)]
    choices = [row for row in content.get("choices", []) if isinstance(row, dict)]
    return _Wording(
        labels={path: {language: words[path] for language, words in by_language.items()} for path in paths},
        lists={str(row.get("$xpath")): str(row.get("select_from_list_name")) for row in survey},
        choices={(str(row.get("list_name")), str(row.get("name"))): labels_of(row, content) for row in choices},
        calculated=frozenset(str(row.get("$xpath")) for row in survey if row.get("type") == "calculate"),
    )


@lru_cache(maxsize=16)
def _wording(kind: str) -> _Wording:
    """The shipped forms are files of the product: read once a process."""
    if kind not in KINDS:
        return _NO_WORDING
    form = read_form(kind)
    labels: dict[str, dict[str, str]] = {}
    lists: dict[str, str] = {}
    groups: list[str] = []
    calculated: set[str] = set()
    for row in form.survey:
        if row["type"] in ("end_group", "end_repeat"):
            groups.pop()
            continue
        path = "/".join([*groups, row["name"]])
        labels[path] = _by_language(row)
        question, _space, list_name = row["type"].partition(" ")
        if question == "calculate":
            calculated.add(path)
        if question.startswith("select_"):
            lists[path] = list_name
        if row["type"] in ("begin_group", "begin_repeat"):
            groups.append(row["name"])
    choices = {(row["list_name"], row["name"]): _by_language(row) for row in form.choices}
    return _Wording(labels, lists, choices, frozenset(calculated))


def _by_language(row: Mapping[str, str]) -> dict[str, str]:
    """``label::Русский (ru)`` and its like, by the code in the brackets."""
    return {language[-3:-1]: row.get(f"label::{language}", "") for language in LANGUAGES}


def _label(wording: _Wording, path: str) -> str:
    label = named(wording.labels.get(path, {}), fallback=_show(path), language=get_language())

    def spoken(found: re.Match[str]) -> str:
        return _show(wording.spoken.get(found[1], "…"))

    return _SPOKEN.sub(spoken, label)


def _group_label(wording: _Wording, group: str) -> str:
    if not group:
        return _("Form")
    steps = group.split("/")
    return " · ".join(_label(wording, "/".join(steps[: number + 1])) for number in range(len(steps)))


def _answer(wording: _Wording, path: str, value: Any) -> Answer:
    raw, shown = _show(value), _worded(wording, path, value)
    return Answer(_label(wording, path), _show(path), shown, raw if raw != shown else "")


def _worded(wording: _Wording, path: str, value: Any) -> str:
    raw = _show(value)
    list_name = wording.lists.get(path)
    if list_name is None or not isinstance(value, str):
        return raw
    words = [named(wording.choices.get((list_name, code), {}), fallback=code) for code in raw.split()]
    return ", ".join(words) or raw


def _repeats(wording: _Wording, path: str, instances: list[Any]) -> Iterator[Repeat]:
    """The repeat, and those inside it, with the numbers of their rows."""
    rows = [(f"{number}", one) for number, one in enumerate(instances, 1)]
    yield from _tables(wording, path, _label(wording, path), rows, is_inside=False)


def _tables(
    wording: _Wording, path: str, label: str, instances: list[tuple[str, Any]], *, is_inside: bool
) -> Iterator[Repeat]:
    rows = [(number, one) for number, one in instances if isinstance(one, dict)]
    keys = dict.fromkeys(key for _number, row in rows for key in row)
    inner = [key for key in keys if any(isinstance(row.get(key), list) for _number, row in rows)]
    columns = [key for key in keys if key not in inner and _is_asked(wording, key, path)]
    is_numbered = is_inside or bool(inner)
    yield Repeat(
        label,
        _show(path),
        (*(["№"] if is_numbered else []), *(_heading(wording, column) for column in columns)),
        tuple(
            (*([number] if is_numbered else []), *(_worded(wording, column, row.get(column)) for column in columns))
            for number, row in rows
        ),
    )
    for key in inner:
        own = [
            (f"{number}.{inner_number}", one)
            for number, row in rows
            for inner_number, one in enumerate(row[key] if isinstance(row.get(key), list) else [], 1)
        ]
        yield from _tables(wording, key, f"{label} › {_label(wording, key)}", own, is_inside=True)


def _is_asked(wording: _Wording, column: str, repeat: str) -> bool:
    """Asked, or spoken in a question of the same repeat: without the year nobody knows whom a number counts."""
    if column not in wording.calculated:
        return True
    mark = f"${{{column.rpartition('/')[2]}}}"
    questions = (names for path, names in wording.labels.items() if path.startswith(f"{repeat}/"))
    return any(mark in label for names in questions for label in names.values())


def _heading(wording: _Wording, column: str) -> str:
    return column.rpartition("/")[2] if column in wording.calculated else _label(wording, column)


def _flat(answers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Answers by path; of a repeat with the number of the instance: ``villages[2]/villages/estimate``."""
    for path, value in answers.items():
        if _is_technical(path):
            continue
        if not isinstance(value, list):
            yield path, value
            continue
        for number, instance in enumerate(value, 1):
            for key, inner in _flat(instance) if isinstance(instance, dict) else [("", instance)]:
                yield f"{path}[{number}]\x1f{key}", inner


def _plain(path: str) -> tuple[str, str]:
    """The question's path, and in words the instance of the repeat that it stands in."""
    *places, inner = path.split("\x1f")
    if not places:
        return path, ""
    number = ".".join(place.rpartition("[")[2].rstrip("]") for place in places)
    return inner, f" ({_('row %(number)s') % {'number': number}})"


def _show(value: Any) -> str:
    if value is None:
        return ""
    text = clean_text(value if isinstance(value, str) else str(value))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
