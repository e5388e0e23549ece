"""The questions of a form as KoboToolbox describes one version of it (``content``), and how a mapping fits them."""

import re
from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Any

# What no figure is read from: the phone's own notes, texts to read, groups.
_NOT_ASKED = frozenset(
    {
        "start", "end", "today", "deviceid", "username", "phonenumber", "simserial", "subscriberid", "email", "audit",
        "start-geopoint", "background-audio", "note", "begin_group", "begin_repeat", "end_group", "end_repeat", "",
    }
)  # fmt: skip
NUMBERS = frozenset({"integer", "decimal", "range", "calculate", "hidden", "count"})
CHOICES = frozenset({"select_one", "select_multiple", "select_one_from_file", "text", "calculate"})
_PATH_KEYS = ("path", "repeat", "unit", "value", "category", "known", "share_of", "times")
_BESIDE = ("unit", "category", "known", "share_of", "times")


@dataclass(frozen=True, slots=True)
class Question:
    """``repeats``: the paths of those that it stands in; ``group`` is in words. Both outermost first."""

    path: str
    type: str
    label: str
    group: str
    repeats: tuple[str, ...] = ()

    @property
    def repeat(self) -> str:
        """The innermost; "" for none."""
        return self.repeats[-1] if self.repeats else ""

    @property
    def is_asked(self) -> bool:
        return self.type not in _NOT_ASKED


@dataclass(frozen=True, slots=True)
class Fit:
    """How a mapping fits a form: places none of whose paths the form has; questions of a repeat that cannot be
    reached from where they are mapped; questions that nothing maps.
    """

    missing: tuple[str, ...]
    misplaced: tuple[str, ...]
    unmapped: tuple[str, ...]


def list_questions(content: Map[str, Any], language: str = "en") -> tuple[Question, ...]:
    """Groups and repeats among them, in the form's order, worded in the language, else in the first that has words.

    Without a label the name stands for it. Rows that are none (a content of another make) are left out.
    """
    rows = [row for row in _survey(content) if isinstance(row.get("$xpath"), str)]
    column = _column_of(content, language)
    labels = {row["$xpath"]: _label(row, column) for row in rows}
    repeats = {row["$xpath"] for row in rows if row.get("type") == "begin_repeat"}
    return tuple(_question(row, labels, repeats) for row in rows)


def labels_of(row: Map[str, Any], content: Map[str, Any]) -> dict[str, str]:
    """The words of a question or choice by language; without any, its name in the first."""
    languages = [language for language in ("en", "ru", "kk") if _names_language(content, language)] or ["en"]
    return {language: _label(row, _column_of(content, language)) for language in languages}


def check_fit(mapping: Map[str, Any], content: Map[str, Any]) -> Fit:
    questions = {question.path: question for question in list_questions(content)}
    named = {path for paths in mapped_paths(mapping) for path in paths}
    return Fit(
        missing=missing_questions(mapping, content),
        misplaced=tuple(sorted(_misplaced(mapping, questions))),
        unmapped=tuple(path for path, question in questions.items() if question.is_asked and path not in named),
    )


def missing_questions(mapping: Map[str, Any], content: Map[str, Any]) -> tuple[str, ...]:
    """Places of the mapping none of whose paths is a question of the form: an answer will never be found there."""
    asked = {row.get("$xpath") for row in _survey(content)}
    return tuple(sorted({paths[0] for paths in mapped_paths(mapping) if paths and not asked.intersection(paths)}))


def mapped_paths(mapping: Map[str, Any]) -> Iterator[list[str]]:
    """Every list of paths in a mapping that was checked."""
    yield from mapping.get("head", {}).values()
    yield from mapping.get("people", {}).values()
    for rule in mapping.get("figures", []):
        yield from (rule[key] for key in _PATH_KEYS if isinstance(rule.get(key), list))


def _misplaced(mapping: Map[str, Any], questions: Map[str, Question]) -> Iterator[str]:
    """A row reaches what is asked in it and around it; its own number is asked in it, or it would count many times."""

    def asked(holder: Map[str, Any], key: str) -> list[Question]:
        paths = holder.get(key)
        return [questions[path] for path in paths if path in questions] if isinstance(paths, list) else []

    for rule in mapping.get("figures", []):
        own = {*rule.get("repeat", [])}
        reached = own.union(*(question.repeats for question in asked(rule, "repeat")))
        numbers = [one for key in ("path", "value") for one in asked(rule, key) if one.repeat not in (own or {""})]
        beside = [one for key in _BESIDE for one in asked(rule, key) if not reached.issuperset(one.repeats)]
        yield from (one.path for one in (*numbers, *beside))
    for key in mapping.get("head", {}):
        yield from (one.path for one in asked(mapping["head"], key) if one.repeats)
    people = mapping.get("people", {})
    for key in people:
        around = () if key == "repeat" else tuple(people.get("repeat", ()))
        yield from (one.path for one in asked(people, key) if not {*around}.issuperset(one.repeats))


def _question(row: Map[str, Any], labels: Map[str, str], repeats: set[str]) -> Question:
    path = row["$xpath"]
    names = path.split("/")
    above = ["/".join(names[:end]) for end in range(1, len(names))]
    inside = [one for one in above if one in repeats]
    return Question(
        path=path,
        type=str(row.get("type") or ""),
        label=labels[path],
        group=" › ".join(labels.get(one, one.rpartition("/")[2]) for one in above),
        repeats=tuple(inside),
    )


def _survey(content: Map[str, Any]) -> list[dict[str, Any]]:
    rows = content.get("survey")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _names_language(content: Map[str, Any], language: str) -> bool:
    names = content.get("translations")
    return isinstance(names, list) and any(isinstance(one, str) and f"({language})" in one for one in names)


def _column_of(content: Map[str, Any], language: str) -> int:
    """Which of a row's labels is the language's: Kobo names translations ``Русский (ru)``."""
    names = content.get("translations")
    for place, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str) and re.search(rf"\({re.escape(language)}[)_-]", name):
            return place
    return 0


def _label(row: Map[str, Any], column: int) -> str:
    labels = row.get("label")
    texts = labels if isinstance(labels, list) else [labels]
    wanted = [texts[column]] if column < len(texts) else []
    found = next((text for text in (*wanted, *texts) if isinstance(text, str) and text.strip()), "")
    return " ".join(found.split()) or str(row.get("$xpath") or row.get("name") or "").rpartition("/")[2]
