"""A mapping as rows of fields, and back: what an editor without a script can show and read.

A field's name is its place in the form (``row-3-path``). A list of paths is one question chosen, and earlier names
beside it where they matter; elsewhere the whole list is one choice. What has no field (``kind``, ``prefill``,
``largest``) is carried through as it is.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.kobo.mapping_checks import HEAD_KEYS, PEOPLE_KEYS, SCHEMA
from assessments.kobo.questions import CHOICES, NUMBERS, Question
from assessments.models import Category, Indicator

Options = list[tuple[str, list[tuple[str, str]]]]
Data = dict[str, Any]

# With more, the categories come from a question; a fixed one is offered where it is in use.
MOST_CATEGORIES = 20
# More fields than a page may send (DATA_UPLOAD_MAX_NUMBER_FIELDS): such a mapping is edited as JSON.
MOST_ROWS = 300
WORDS: dict[str, Promise] = {
    "figure": _("Figure"),
    "path": _("Question"),
    "also": _("Earlier names of the question"),
    "known": _("Asks whether it is known"),
    "share_of": _("Is a percentage of"),
    "times": _("Times the answer to"),
    "factor": _("Times the number"),
    "constant": _("The same in every form: the number"),
    "repeat": _("One for each row of the repeat"),
    "unit": _("Place, in each row"),
    "category": _("Category by the answer to"),
    "categories": _("Categories that the answer may be"),
    "recode": _("Answers with other names"),
    "sum": _("Add up rows of the same place and category"),
    "remove": _("Remove this row"),
}
HINTS: dict[str, Promise] = {
    "also": _("Of older versions, as paths, with a space between."),
    "categories": _("With commas between, or years from-to: 2000-2099. Blank: any of the list."),
    "recode": _("As answer=category, with commas between: uzb=UZ, rus=RU."),
    "constant": _("Instead of a question: 1 for one household in each form."),
}
HEAD_WORDS: dict[str, Promise] = {
    "focus_group": _("Code of the focus group"),
    "enumerator": _("Code of the enumerator"),
    "round": _("Round"),
    "unit": _("Place"),
    "place_text": _("Place in words, where it is not listed"),
    "date": _("Date"),
    "gps": _("Position"),
    "access": _("Access"),
    "consent": _("Consent"),
}
PEOPLE_WORDS: dict[str, Promise] = {
    "repeat": _("Repeat of the key informants"),
    "code": _("Code"),
    "type": _("Who it is"),
    "sex": _("Sex"),
    "basis": _("Where the knowledge comes from"),
    "how": _("How it was asked"),
}
# Of one row, those that always stand there; the others where one looks for them.
MAIN = ("figure", "path")
FOLDED = (
    "also", "known", "share_of", "times", "factor", "constant", "repeat", "unit", "category", "categories", "recode",
    "sum",
)  # fmt: skip
_CARRIED = ("kind", "prefill", "largest")


@dataclass(slots=True)
class Field:
    name: str
    label: str
    value: str
    options: Options | None = None
    hint: str = ""
    is_tick: bool = False

    @property
    def is_chosen(self) -> bool:
        return bool(self.value)


@dataclass(slots=True)
class Row:
    """One entry of ``figures``. ``values``: what its fields hold; ``faults``: what is wrong, in words."""

    number: int
    values: dict[str, str]
    faults: list[str] = field(default_factory=list)

    @property
    def is_blank(self) -> bool:
        return not any(self.values.values())


@dataclass(slots=True)
class MappingRows:
    """A mapping as it is typed. ``heads`` and ``people`` by name: the chosen question and its earlier names."""

    rows: list[Row]
    heads: dict[str, tuple[str, str]]
    people: dict[str, tuple[str, str]]
    dont_know: str
    not_listed: str
    carried: Data

    def to_mapping(self) -> Data:
        """As typed: whether it can be used is for the check to say. Blank and removed rows are left out."""
        data: Data = {"schema": SCHEMA, **self.carried}
        for name, places in (("head", self.heads), ("people", self.people)):
            found = {key: paths for key, (path, also) in places.items() if (paths := _paths(path, also))}
            if found:
                data[name] = found
        for name, words in (("dont_know", self.dont_know), ("not_listed", self.not_listed)):
            if texts := _listed(words):
                data[name] = texts
        return data | {"figures": [rule_of(row.values) for row in self.kept]}

    @property
    def kept(self) -> list[Row]:
        return [row for row in self.rows if not row.is_blank]


def rows_of(mapping: Mapping[str, Any]) -> MappingRows:
    """A stored mapping as rows; what is of another shape than it should be is left out."""
    figures = mapping.get("figures")
    rules = [rule for rule in figures if isinstance(rule, dict)] if isinstance(figures, list) else []
    return MappingRows(
        rows=[Row(number, values_of(rule)) for number, rule in enumerate(rules)],
        heads=_places(mapping.get("head"), HEAD_KEYS),
        people=_places(mapping.get("people"), PEOPLE_KEYS),
        dont_know=", ".join(_texts(mapping.get("dont_know"))),
        not_listed=", ".join(_texts(mapping.get("not_listed"))),
        carried={name: mapping[name] for name in _CARRIED if name in mapping},
    )


def rows_posted(posted: Mapping[str, str], questions: Sequence[Question]) -> MappingRows:
    """What the page sent; a mapping of too many rows is sent whole.

    Rows that were ticked to be removed are gone; a question of a repeat brings its repeat.
    """
    if posted.get("whole"):
        return rows_of(_carried(posted["whole"]))
    count = posted.get("rows", "")
    rows: list[Row] = []
    for number in range(min(int(count), MOST_ROWS) if count.isdecimal() and len(count) < 6 else 0):
        values = {name: posted.get(f"row-{number}-{name}", "").strip() for name in (*MAIN, *FOLDED)}
        if not posted.get(f"row-{number}-remove"):
            rows.append(Row(len(rows), _with_repeat(values, questions)))
    carried = _carried(posted.get("carried", ""))
    return MappingRows(
        rows=rows,
        heads={name: _pair(posted, f"head-{name}") for name in HEAD_KEYS},
        people={name: _pair(posted, f"people-{name}") for name in PEOPLE_KEYS},
        dont_know=posted.get("dont_know", ""),
        not_listed=posted.get("not_listed", ""),
        carried={name: carried[name] for name in _CARRIED if name in carried},
    )


def values_of(rule: Mapping[str, Any]) -> dict[str, str]:
    """The fields of one entry."""
    path, also = _split(rule.get("value") or rule.get("path"))
    category, indicator, times = rule.get("category"), str(rule.get("indicator", "")), rule.get("times")
    figure = f"{indicator}={category}" if isinstance(category, str) else indicator
    recode = rule.get("recode")
    return {
        "figure": f"{indicator}?" if isinstance(category, list) else figure,
        "path": path,
        "also": also,
        "known": " ".join(_texts(rule.get("known"))),
        "share_of": " ".join(_texts(rule.get("share_of"))),
        "times": " ".join(_texts(times)),
        "factor": "" if times is None or isinstance(times, list) else f"{times}",
        "constant": "" if rule.get("constant") is None else f"{rule['constant']}",
        "repeat": " ".join(_texts(rule.get("repeat"))),
        "unit": " ".join(_texts(rule.get("unit"))),
        "category": " ".join(_texts(category)) if isinstance(category, list) else "",
        "categories": _categories_text(rule.get("categories")),
        "recode": ", ".join(f"{old}={new}" for old, new in recode.items()) if isinstance(recode, dict) else "",
        "sum": "1" if rule.get("sum") else "",
    }


def rule_of(values: Mapping[str, str]) -> Data:
    """One entry of what its fields hold; what is no number stays text, for the check to refuse."""
    figure, paths = values["figure"], _paths(values["path"], values["also"])
    indicator, _is, category = figure.removesuffix("?").partition("=")
    rule: Data = {"indicator": indicator}
    if category:
        rule["category"] = category
    elif values["category"] or figure.endswith("?"):
        rule["category"] = values["category"].split()
    if values["repeat"]:
        rule["repeat"] = values["repeat"].split()
    if paths or not values["constant"]:
        rule["value" if values["repeat"] else "path"] = paths
    for name in ("unit", "known", "share_of", "times"):
        if values[name]:
            rule[name] = values[name].split()
    if values["factor"]:
        rule["times"] = _number(values["factor"]) if not values["times"] else f"{values['times']} {values['factor']}"
    if values["constant"]:
        rule["constant"] = _number(values["constant"])
    if values["categories"]:
        rule["categories"] = _categories(values["categories"])
    if values["recode"]:
        rule["recode"] = _recode(values["recode"])
    return rule | ({"sum": True} if values["sum"] else {})


class Fields:
    """The choices of the page: the form's own questions, the mission's figures. Lists are read once."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = list(questions)
        self.asked = _grouped(one for one in self.questions if one.is_asked)
        self.numbers = _grouped(one for one in self.questions if one.type in NUMBERS or one.type == "text")
        self.choices = _grouped(one for one in self.questions if one.type in CHOICES)
        self.inside = _grouped(one for one in self.questions if one.is_asked and one.repeat)
        self.repeats = _grouped(one for one in self.questions if one.type == "begin_repeat")
        self.outer_repeats = _grouped(one for one in self.questions if one.type == "begin_repeat" and not one.repeats)
        self.once = _grouped(one for one in self.questions if one.is_asked and not one.repeats)
        self.figures = _figures()

    def of(self, row: Row) -> list[Field]:
        """The fields of one row, the main ones first."""
        lists = {
            "figure": self.figures, "path": self.asked, "known": self.choices, "share_of": self.numbers,
            "times": self.numbers, "repeat": self.repeats, "unit": self.inside, "category": self.choices,
        }  # fmt: skip
        return [
            Field(
                name=f"row-{row.number}-{name}",
                label=str(WORDS[name]),
                value=row.values.get(name, ""),
                options=_with_own(lists[name], row.values.get(name, "")) if name in lists else None,
                hint=str(HINTS.get(name, "")),
                is_tick=name == "sum",
            )
            for name in (*MAIN, *FOLDED)
        ]

    def of_places(
        self, prefix: str, places: Mapping[str, tuple[str, str]], words: Mapping[str, Promise]
    ) -> list[tuple[Field, Field]]:
        """Question and earlier names, for each place of the head or of the key informants, who stand in one repeat."""
        asked = self.inside if "repeat" in places else self.once
        return [
            (
                Field(
                    f"{prefix}-{name}",
                    str(words[name]),
                    path,
                    _with_own(self.outer_repeats if name == "repeat" else asked, path),
                ),
                Field(f"{prefix}-{name}-also", f"{words[name]}: {WORDS['also']}", also),
            )
            for name, (path, also) in places.items()
        ]


def _figures() -> Options:
    options: Options = []
    for indicator in Indicator.objects.prefetch_related("categories"):
        categories: list[Category] = list(indicator.categories.all())
        own = [(indicator.code, _now("%(indicator)s, in all") % {"indicator": indicator})]
        if categories:
            own.append((f"{indicator.code}?", _now("%(indicator)s, by an answer") % {"indicator": indicator}))
        if len(categories) <= MOST_CATEGORIES:
            own += [(f"{indicator.code}={one.code}", f"{indicator}: {one}") for one in categories]
        options.append((str(indicator), own))
    return options


def _grouped(questions: Iterable[Question]) -> Options:
    groups: dict[str, list[tuple[str, str]]] = {}
    for one in questions:
        words = one.label if one.label == one.path else f"{one.label[:80]} ({one.path})"
        groups.setdefault(one.group, []).append((one.path, words))
    return list(groups.items())


def _with_own(options: Options, value: str) -> Options:
    """What is chosen is among the choices, also where the form does not have it (any more)."""
    if not value or any(value == one for _group, own in options for one, _words in own):
        return options
    return [("", [(value, value)]), *options]


def _with_repeat(values: dict[str, str], questions: Sequence[Question]) -> dict[str, str]:
    """A question that stands in a repeat is asked once a row: nobody has to say so twice."""
    if values["repeat"]:
        return values
    repeats = {one.path: one.repeat for one in questions if one.repeat}
    asked = values["path"] or (values["category"].split() or [""])[0]
    return values | {"repeat": repeats.get(asked, "")}


def _places(places: object, keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    found = places if isinstance(places, dict) else {}
    return {name: _split(found.get(name)) for name in keys}


def _pair(posted: Mapping[str, str], name: str) -> tuple[str, str]:
    return posted.get(name, "").strip(), posted.get(f"{name}-also", "").strip()


def _split(paths: object) -> tuple[str, str]:
    first, *others = _texts(paths) or [""]
    return first, " ".join(others)


def _paths(path: str, also: str) -> list[str]:
    return list(dict.fromkeys([*path.split(), *re.split(r"[\s,]+", also.strip())])) if also else path.split()


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _listed(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


def _number(text: str) -> Any:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _categories_text(value: object) -> str:
    if isinstance(value, dict):
        return f"{value.get('from')}-{value.get('to')}"
    return ", ".join(_texts(value))


def _categories(text: str) -> Any:
    years = re.fullmatch(r"\s*(\d{1,4})\s*[-\u2013]\s*(\d{1,4})\s*", text, re.ASCII)
    return {"from": int(years[1]), "to": int(years[2])} if years else _listed(text)


def _recode(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in _listed(text))
    return {old.strip(): new.strip() for old, _is, new in pairs}


def _carried(text: str) -> Data:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
