"""What somebody typed into a practice form: read, checked, turned into answers.

Inputs are named by path, with the number of the instance in repeats: ``villages[2]/estimate``.
"""

import csv
import io
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from assessments.kobo.practice import forms
from assessments.kobo.practice.answers import Answers, file_paths
from assessments.kobo.practice.forms import Question

INSTANCES = 6
NESTED_INSTANCES = 2
# Filled by a device, or computed by the form: not asked here, what is there is kept.
UNASKED = frozenset(
    [
        "calculate",
        "hidden",
        "start",
        "end",
        "today",
        "deviceid",
        "username",
        "phonenumber",
        "simserial",
        "subscriberid",
        "audit",
        "email",
        "image",
        "audio",
        "video",
        "file",
        "background-audio",
        "geotrace",
        "geoshape",
        "start-geopoint",
        "xml-external",
        "csv-external",
    ]
)
_NUMBER = r"-?\d+(?:\.\d+)?"
_COMPARISON = re.compile(rf"\.\s*(>=|<=|!=|>|<|=)\s*({_NUMBER})")
_PATTERN = re.compile(r"regex\(\s*\.\s*,\s*'([^']*)'\s*\)")
_FILTER = re.compile(r"(\w+)\s*=\s*\$\{(\w+)\}")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda value, bound: value >= bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    "<": lambda value, bound: value < bound,
    "=": lambda value, bound: value == bound,
    "!=": lambda value, bound: value != bound,
}

Typed = dict[str, list[str]]
Choices = dict[str, list[dict[str, Any]]]


@dataclass
class Filling:
    """A form being filled: its questions, what was typed, and what is wrong with it, by input name."""

    questions: list[Question]
    choices: Choices
    typed: Typed = field(default_factory=dict)
    errors: dict[str, tuple[str, str]] = field(default_factory=dict)

    def value(self, name: str) -> str:
        return " ".join(self.typed.get(name, [])).strip() if len(self.typed.get(name, [])) > 1 else self.first(name)

    def first(self, name: str) -> str:
        values = self.typed.get(name)
        return values[0] if values else ""

    def instances(self, name: str) -> int:
        """Return how many instances of a repeat were typed into."""
        pattern = re.compile(re.escape(name) + r"\[(\d{1,3})\]/")
        numbers = [
            int(found.group(1)) for key, values in self.typed.items() if any(values) and (found := pattern.match(key))
        ]
        return max(numbers, default=0)

    def shown_instances(self, name: str) -> int:
        spare = NESTED_INSTANCES if "[" in name else INSTANCES
        return max(spare, self.instances(name) + 1)

    def offered(self, question: Question) -> list[dict[str, Any]] | None:
        """The choices to draw. Of a file's: those that its filter lets through for what is typed, in either case of
        letters; other filters are left to a real form, and so is one whose answer is not there yet.
        """
        choices = self.choices.get(question.list_name)
        rule = _FILTER.fullmatch(str(question.row.get("choice_filter") or "").strip())
        if choices is None or rule is None or not question.kind.endswith("_from_file"):
            return choices
        wanted = self._typed_for(rule.group(2)).casefold()
        fitting = [choice for choice in choices if str(choice.get(rule.group(1), "")).casefold() == wanted]
        return fitting if wanted else choices

    def _typed_for(self, name: str, steps: int = 3) -> str:
        """What was typed into a question, or into the one that a calculation of it rests on."""
        found = next((question for question in forms.walk(self.questions) if question.name == name), None)
        if found is None:
            return ""
        rests_on = _REFERENCE.search(str(found.row.get("calculation") or ""))
        return self._typed_for(rests_on.group(1), steps - 1) if rests_on and steps else self.first(found.path).strip()


def read_choices(db: sqlite3.Connection, project_uid: str, content: dict[str, Any]) -> Choices:
    """Return the form's lists, and those that come as CSV media (``select_one_from_file``) under the file's name."""
    choices = forms.choices_by_list(content)
    for row in db.execute("SELECT filename, content FROM media WHERE project_uid = ?", (project_uid,)):
        if row["filename"].endswith(".csv"):
            reader = csv.DictReader(io.StringIO(row["content"].decode("utf-8-sig", "replace")))
            choices[row["filename"]] = [line for line in reader if line.get("name")]
    return choices


def typed_from_answers(answers: Answers) -> Typed:
    return {name: [value] for value, name in file_paths(answers)}


def typed_from_defaults(query: dict[str, list[str]]) -> Typed:
    """Read ``d[path/to/question]=value`` as Enketo does, also with the leading ``/data/`` of its own links."""
    typed: Typed = {}
    for key, values in query.items():
        if key.startswith("d[") and key.endswith("]"):
            name = key[2:-1]
            name = name.removeprefix("/").partition("/")[2] if name.startswith("/") else name
            typed[name] = values[-1:]
    return typed


def read_typed(fields: dict[str, list[str]]) -> Typed:
    return {name: [value.replace("\r\n", "\n") for value in values] for name, values in fields.items()}


def name_below(name: str, parent: Question | None, child: Question) -> str:
    return child.path if parent is None else name + child.path.removeprefix(parent.path)


def collect(filling: Filling) -> Answers:
    """Return flat answers of what was typed; blank values are left to be dropped."""
    return _collect(filling, filling.questions, None, "")


def _collect(filling: Filling, questions: list[Question], parent: Question | None, name: str) -> Answers:
    answers: Answers = {}
    for question in questions:
        below = name_below(name, parent, question)
        if question.kind == "group":
            answers |= _collect(filling, question.children, question, below)
        elif question.kind == "repeat":
            answers[question.path] = [
                _collect(filling, question.children, question, f"{below}[{number}]")
                for number in range(1, filling.instances(below) + 1)
            ]
        elif question.kind != "note":
            answers[question.path] = _as_answer(filling, question, below)
    return answers


def _as_answer(filling: Filling, question: Question, name: str) -> str:
    value = filling.value(name).strip()
    if question.kind.startswith("select_one"):
        return _code_of(filling.choices.get(question.list_name, []), value)
    return value


def _code_of(choices: list[dict[str, Any]], value: str) -> str:
    """Return the code for a label: in a long list people type the name they see."""
    codes = {str(choice["name"]) for choice in choices}
    if value in codes:
        return value
    wanted = value.casefold()
    for choice in choices:
        labels = choice.get("label")
        if wanted in {str(label).casefold() for label in (labels if isinstance(labels, list) else [labels])}:
            return str(choice["name"])
    return value


def check(filling: Filling) -> None:
    """Fill ``errors`` with (word key, message of the form) by input name."""
    for question, name, needed in _asked(filling, filling.questions, None, "", needed=True):
        problem = _find_problem(filling, question, _as_answer(filling, question, name), needed=needed)
        if problem:
            filling.errors[name] = problem


def _asked(
    filling: Filling, questions: list[Question], parent: Question | None, name: str, *, needed: bool
) -> Iterator[tuple[Question, str, bool]]:
    """Yield each question with its input name and whether its answer may be demanded.

    Relevance is not computed here, so nothing under a condition is demanded, nor anything of an empty instance.
    """
    for question in questions:
        below = name_below(name, parent, question)
        certain = needed and not question.row.get("relevant")
        if question.kind == "group":
            yield from _asked(filling, question.children, question, below, needed=certain)
        elif question.kind == "repeat":
            for number in range(1, filling.instances(below) + 1):
                instance = f"{below}[{number}]"
                filled = any(any(values) for key, values in filling.typed.items() if key.startswith(f"{instance}/"))
                yield from _asked(filling, question.children, question, instance, needed=certain and filled)
        elif question.kind != "note" and question.kind not in UNASKED:
            yield question, below, certain and str(question.row.get("required")).lower() in {"true", "yes", "true()"}


def _find_problem(filling: Filling, question: Question, value: str, *, needed: bool) -> tuple[str, str] | None:
    if not value:
        return ("required", "") if needed else None
    kind = question.kind
    if kind == "integer" and not re.fullmatch(r"[+-]?\d{1,18}", value):
        return "integer", ""
    if kind == "decimal" and not re.fullmatch(r"[+-]?\d{1,18}(?:\.\d+)?", value):
        return "decimal", ""
    if kind == "date" and not _is_date(value):
        return "date", ""
    if kind.startswith("select") and not _are_choices(filling.choices.get(question.list_name), value, kind):
        return "choice", ""
    constraint = str(question.row.get("constraint") or "")
    if kind in {"integer", "decimal"} and not _meets(constraint, float(value)):
        return "constraint", "message"
    if kind == "text" and not _is_written_as(constraint, value):
        return "constraint", "message"
    return None


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _are_choices(choices: list[dict[str, Any]] | None, value: str, kind: str) -> bool:
    if choices is None:
        return True
    codes = {str(choice["name"]) for choice in choices}
    values = value.split() if kind.startswith("select_multiple") else [value]
    return all(item in codes for item in values)


def _is_written_as(constraint: str, value: str) -> bool:
    """Check a constraint that is nothing but ``regex(., '...')``."""
    found = _PATTERN.fullmatch(constraint.strip())
    try:
        return found is None or re.search(found.group(1), value) is not None
    except re.error:
        return True


def _meets(constraint: str, value: float) -> bool:
    """Check comparisons with numbers joined by ``and``; anything else of XPath is left to a real form."""
    for term in re.split(r"\band\b", constraint):
        found = _COMPARISON.fullmatch(term.strip().strip("()").strip())
        if found and " or " not in constraint and not _COMPARE[found.group(1)](value, float(found.group(2))):
            return False
    return True
