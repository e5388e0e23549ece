"""What differs between two versions of a form, and which of it the mapping, the checks and the reports rest on.

Compares contents as KoboToolbox keeps them (``survey``, ``choices``, ``translations``). Every import gives every row
new ``$kuid`` (recorded), so a question is known again by its path, then by its ``$kuid``, then by label and type at the
same place among its neighbours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Content = Mapping[str, Any]

# Kinds of change that take answers away from whatever reads them; wording and order do not.
REMOVED, RENAMED, RETYPED = "question_removed", "question_renamed", "type_changed"
CHOICE_REMOVED, CHOICE_RENAMED, CHOICE_CHANGED = "choice_removed", "choice_renamed", "choice_changed"
_HARMFUL = frozenset({REMOVED, RENAMED, RETYPED, CHOICE_REMOVED, CHOICE_RENAMED, CHOICE_CHANGED})

_EXPRESSIONS = {
    "relevant": "relevance_changed",
    "constraint": "constraint_changed",
    "calculation": "calculation_changed",
    "choice_filter": "filter_changed",
    "repeat_count": "repeat_changed",
    "default": "default_changed",
    "appearance": "appearance_changed",
    "trigger": "calculation_changed",
    "parameters": "type_changed",
}
_TEXTS = ("label", "hint", "constraint_message", "required_message", "guidance_hint")
_CLOSERS = frozenset({"end_group", "end_repeat"})
_SELECTS = ("select_one", "select_multiple", "rank")
# What the checks compare (dates, places, codes, certificates); the other questions of a form's head are for people.
_CHECKED_HEAD = frozenset({"head.focus_group", "head.enumerator", "head.round", "head.unit", "head.date"})
_MAP_KEYS = ("path", "repeat", "value", "unit", "category", "known", "share_of", "times")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``path``: the question, for a choice "list: name". ``paths``: the questions that it concerns."""

    kind: str
    path: str
    old: str = ""
    new: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Touch:
    """A change with what rests on it: places of the mapping ("head.unit", "sex=male"), areas (mapping, checks,
    reports). ``is_breaking``: answers will be missing there, or mean something else.
    """

    change: Change
    places: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    is_breaking: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    path: str
    kind: str
    list_name: str
    kuid: str
    parent: str
    row: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Form:
    questions: dict[str, _Question]
    # list -> choice name -> texts by language, attributes
    choices: dict[str, dict[str, tuple[dict[str, str], dict[str, str]]]]
    translations: tuple[str, ...]


def compare_forms(old: Content, new: Content) -> tuple[Change, ...]:
    """Every difference that people or programs could notice. () for the same form, whatever its ``$kuid``."""
    before, after = _read_form(old), _read_form(new)
    renamed = _find_renamed(before, after)
    changes = [Change(RENAMED, was, was, now, (was,)) for was, now in renamed.items()]
    gone = [path for path in before.questions if path not in after.questions and path not in renamed]
    changes += [Change(REMOVED, path, before.questions[path].kind, "", (path,)) for path in gone]
    fresh = [path for path in after.questions if path not in before.questions and path not in renamed.values()]
    changes += [Change("question_added", path, "", after.questions[path].kind, (path,)) for path in fresh]
    for path, question in before.questions.items():
        other = after.questions.get(renamed.get(path, path))
        if other is not None:
            changes += _compare_questions(question, other, before.translations, after.translations)
    changes += _compare_order(before, after, renamed)
    changes += _compare_lists(before, after)
    if before.translations != after.translations:
        changes.append(
            Change("languages_changed", "", ", ".join(before.translations), ", ".join(after.translations)),
        )
    return tuple(changes)


def find_touched(changes: Iterable[Change], new: Content, mapping: Mapping[str, Any]) -> tuple[Touch, ...]:
    """Say of each change what of the mapping rests on it. ``mapping`` is the one that will read the new form.

    A place of the mapping that finds its answer under another of its paths in the new form is not broken.
    """
    asked = set(_read_form(new).questions)
    places = mapping_places(mapping)
    return tuple(_find_touch(change, places, asked) for change in changes)


def _find_touch(change: Change, places: Mapping[str, Sequence[str]], asked: set[str]) -> Touch:
    under = tuple(f"{path}/" for path in change.paths)
    hit = [
        place
        for place, paths in places.items()
        if any(path in change.paths or (under and path.startswith(under)) for path in paths)
    ]
    if not hit or change.kind == "question_added":
        return Touch(change)
    has_figures = any(not place.startswith(("head.", "people.", "prefill.")) for place in hit)
    areas = ["mapping"]
    if has_figures or _CHECKED_HEAD.intersection(hit):
        areas.append("checks")
    if has_figures or "head.unit" in hit:
        areas.append("reports")
    if change.kind in (REMOVED, RENAMED):
        is_breaking = any(not asked.intersection(places[place]) for place in hit)
    else:
        is_breaking = change.kind in _HARMFUL
    return Touch(change, tuple(hit), tuple(areas), is_breaking)


def mapping_places(mapping: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Where a mapping looks: its places by name, with the paths that it tries there."""
    places: dict[str, tuple[str, ...]] = {}
    for part in ("head", "people"):
        for name, paths in (mapping.get(part) or {}).items():
            places[f"{part}.{name}"] = tuple(paths)
    for path in mapping.get("prefill") or {}:
        places[f"prefill.{path}"] = (path,)
    for rule in mapping.get("figures") or []:
        name = _name_rule(rule)
        for key in _MAP_KEYS:
            if isinstance(rule.get(key), list):
                label = name if key in ("path", "value") else f"{name} ({key})"
                while label in places:  # two rules for one figure each look in their own place
                    label += "*"
                places[label] = tuple(rule[key])
    return places


def _name_rule(rule: Mapping[str, Any]) -> str:
    category, repeat = rule.get("category"), rule.get("repeat")
    name = f"{rule.get('indicator')}={category}" if isinstance(category, str) else str(rule.get("indicator"))
    return f"{name} in {repeat[0]}" if isinstance(repeat, list) and repeat else name


# Reading


def _read_form(content: Content) -> _Form:
    translations = tuple(str(name or "") for name in content.get("translations") or [""])
    questions: dict[str, _Question] = {}
    stack: list[str] = []
    for row in content.get("survey") or []:
        kind, list_name = _read_kind(row)
        if kind in _CLOSERS:
            if stack:
                stack.pop()
            continue
        parent = stack[-1] if stack else ""
        name = str(row.get("name") or row.get("$autoname") or "")
        path = str(row.get("$xpath") or (f"{parent}/{name}" if parent else name))
        if not name or name == "__version__":  # Kobo adds the one row itself; rows without a name hold nothing
            continue
        questions[path] = _Question(path, kind, list_name, str(row.get("$kuid") or ""), parent, row)
        if kind.startswith("begin_"):
            stack.append(path)
    used = {question.list_name for question in questions.values()}
    choices: dict[str, dict[str, tuple[dict[str, str], dict[str, str]]]] = {}
    for row in content.get("choices") or []:
        list_name = str(row.get("list_name") or "")
        if list_name in used:
            texts = _read_texts(row.get("label"), translations)
            choices.setdefault(list_name, {})[str(row.get("name"))] = (texts, _read_attributes(row))
    return _Form(questions, choices, translations)


def _read_kind(row: Mapping[str, Any]) -> tuple[str, str]:
    kind = " ".join(str(row.get("type") or "").split())
    kind = kind.replace("begin ", "begin_").replace("end ", "end_")
    first, _, rest = kind.partition(" ")
    if first.startswith(_SELECTS):
        return first, str(row.get("select_from_list_name") or row.get("file") or rest.partition(" ")[0])
    return kind, ""


def _read_texts(value: object, translations: Sequence[str]) -> dict[str, str]:
    texts = value if isinstance(value, list) else [value]
    return {name: _fold(text) for name, text in zip(translations, texts, strict=False) if text}


def _read_attributes(row: Mapping[str, Any]) -> dict[str, str]:
    plain = {key: value for key, value in row.items() if not key.startswith("$")}
    return {key: _fold(value) for key, value in plain.items() if key not in ("name", "list_name", "label") and value}


def _fold(value: object) -> str:
    """An expression or text without what makes no difference. Stored expressions may be lists of tokens."""
    if isinstance(value, list):
        parts = [str(part.get("@lookup", part)) if isinstance(part, dict) else str(part) for part in value]
        value = " ".join(parts)
    return " ".join(str("" if value is None else value).split())


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in ("true", "yes", "true()", "1")


# Comparing


def _find_renamed(before: _Form, after: _Form) -> dict[str, str]:
    """Old path -> new path of what is the same question under another name or in another group."""
    gone = [question for path, question in before.questions.items() if path not in after.questions]
    fresh = {path: question for path, question in after.questions.items() if path not in before.questions}
    found: dict[str, str] = {}
    for question in gone:
        match = _match(question, fresh, before, after, found)
        if match:
            found[question.path] = match
            del fresh[match]
    return found


def _match(
    question: _Question, fresh: Mapping[str, _Question], before: _Form, after: _Form, found: Mapping[str, str]
) -> str:
    moved = found.get(question.parent, question.parent)
    label = _read_texts(question.row.get("label"), before.translations)
    for path, other in fresh.items():
        if question.kuid and question.kuid == other.kuid:
            return path
        if _last(question.path) == _last(path) and question.kind == other.kind and other.parent == moved:
            return path  # its group was renamed, or it stands in it still
    for path, other in fresh.items():
        same = (question.kind, question.list_name) == (other.kind, other.list_name) and other.parent == moved
        if same and label and label == _read_texts(other.row.get("label"), after.translations):
            return path
        if same and not label and _same_rule(question, other):
            return path
    return ""


def _same_rule(question: _Question, other: _Question) -> bool:
    """A calculation has no label: it is known by what it computes."""
    rule = _fold(question.row.get("calculation"))
    return bool(rule) and rule == _fold(other.row.get("calculation"))


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _compare_questions(
    old: _Question, new: _Question, old_names: Sequence[str], new_names: Sequence[str]
) -> list[Change]:
    def make(kind: str, was: str, now: str) -> Change:
        return Change(kind, new.path, was, now, (old.path,))

    changes = []
    if (old.kind, old.list_name) != (new.kind, new.list_name):
        changes.append(make(RETYPED, f"{old.kind} {old.list_name}".strip(), f"{new.kind} {new.list_name}".strip()))
    for column, kind in _EXPRESSIONS.items():
        was, now = _fold(old.row.get(column)), _fold(new.row.get(column))
        if was != now:
            changes.append(make(kind, was, now))
    if _is_true(old.row.get("required")) != _is_true(new.row.get("required")):
        changes.append(make("required_changed", _yes(old.row.get("required")), _yes(new.row.get("required"))))
    for column in _TEXTS:
        texts = [_read_texts(row.get(column), names) for row, names in ((old.row, old_names), (new.row, new_names))]
        if texts[0] != texts[1]:
            changes.append(make("text_changed", *_show_texts(*texts)))
    return changes


def _yes(value: object) -> str:
    return "yes" if _is_true(value) else "no"


def _show_texts(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, str]:
    """The first language in which they differ."""
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            return old.get(name, ""), new.get(name, "")
    return "", ""


def _compare_order(before: _Form, after: _Form, renamed: Mapping[str, str]) -> list[Change]:
    places = {path: place for place, path in enumerate(after.questions)}
    order = [renamed.get(path, path) for path in before.questions]
    both = [path for path in order if path in places]
    late = [path for one, path in pairwise(both) if places[path] < places[one]]
    return [Change("order_changed", path, paths=()) for path in late]


def _compare_lists(before: _Form, after: _Form) -> list[Change]:
    changes = []
    for list_name, old in before.choices.items():
        if list_name not in after.choices:
            continue  # no question asks for it any more: that question's own change says so
        new = after.choices[list_name]
        paths = tuple(path for path, question in before.questions.items() if question.list_name == list_name)
        changes += _compare_choices(list_name, old, new, paths)
        if [name for name in old if name in new] != [name for name in new if name in old]:
            changes.append(Change("choices_reordered", list_name))
    return changes


def _compare_choices(
    list_name: str,
    old: Mapping[str, tuple[dict[str, str], dict[str, str]]],
    new: Mapping[str, tuple[dict[str, str], dict[str, str]]],
    paths: tuple[str, ...],
) -> list[Change]:
    fresh = {name: new[name] for name in new if name not in old}
    changes = []
    for name, (texts, attributes) in old.items():
        path = f"{list_name}: {name}"
        if name not in new:
            now = next((other for other, (words, _) in fresh.items() if words and words == texts), "")
            fresh.pop(now, None)
            changes.append(Change(CHOICE_RENAMED if now else CHOICE_REMOVED, path, name, now, paths))
            continue
        words, others = new[name]
        if words != texts:
            # in every language another text: the same code probably means something else now
            shared = texts.keys() & words.keys()
            kind = CHOICE_CHANGED if all(words[one] != texts[one] for one in shared) else "choice_text_changed"
            changes.append(Change(kind, path, *_show_texts(texts, words), paths))
        if others != attributes:
            changes.append(Change("choice_filter_changed", path, str(attributes), str(others), paths))
    changes += [Change("choice_added", f"{list_name}: {name}", "", name, paths) for name in fresh]
    return changes
