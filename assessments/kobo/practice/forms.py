"""What the practice Kobo reads from a form's content: questions, repeats, languages, the project list's summary."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

Content = dict[str, Any]

_OPENERS = {"begin_group": "group", "begin_repeat": "repeat", "begin group": "group", "begin repeat": "repeat"}
_CLOSERS = {"end_group", "end_repeat", "end group", "end repeat"}
_META_TYPES = frozenset(
    ["start", "end", "today", "deviceid", "username", "phonenumber", "simserial", "subscriberid", "audit", "email"]
)


@dataclass
class Question:
    """A row of the survey sheet; groups and repeats hold their rows. ``path`` is the key in submissions."""

    kind: str
    name: str
    path: str
    row: dict[str, Any]
    list_name: str = ""
    children: list["Question"] = field(default_factory=list)

    @property
    def is_container(self) -> bool:
        return self.kind in {"group", "repeat"}


def read_questions(content: Content) -> list[Question]:
    """Return the survey as a tree. Rows without a name keep Kobo's ``$autoname``; notes may have neither."""
    top: list[Question] = []
    stack: list[Question] = []
    for row in content.get("survey") or []:
        kind, list_name = _read_kind(row)
        if kind in _CLOSERS:
            if stack:
                stack.pop()
            continue
        name = str(row.get("name") or row.get("$autoname") or "")
        parent = f"{stack[-1].path}/" if stack else ""
        question = Question(_OPENERS.get(kind, kind), name, row.get("$xpath") or f"{parent}{name}", row, list_name)
        (stack[-1].children if stack else top).append(question)
        if question.is_container:
            stack.append(question)
    return top


def _read_kind(row: dict[str, Any]) -> tuple[str, str]:
    kind = str(row.get("type") or "").strip()
    first, _, rest = kind.partition(" ")
    if first in {"select_one", "select_multiple", "select_one_from_file", "select_multiple_from_file", "rank"}:
        return first, str(row.get("select_from_list_name") or row.get("file") or rest.split(" ")[0])
    return kind, ""


def walk(questions: list[Question]) -> list[Question]:
    return [found for question in questions for found in (question, *walk(question.children))]


def repeat_paths(content: Content) -> set[str]:
    return {question.path for question in walk(read_questions(content)) if question.kind == "repeat"}


def geopoint_paths(content: Content) -> list[str]:
    return [question.path for question in walk(read_questions(content)) if question.kind == "geopoint"]


def choices_by_list(content: Content) -> dict[str, list[dict[str, Any]]]:
    lists: dict[str, list[dict[str, Any]]] = {}
    for choice in content.get("choices") or []:
        lists.setdefault(str(choice.get("list_name", "")), []).append(choice)
    return lists


def choose_language(content: Content, wanted: str) -> tuple[str, int]:
    """Return (interface language, index into label lists) for a code as in ``Русский (ru)``; else the first."""
    translations = [str(name or "") for name in content.get("translations") or [""]]
    codes = [_language_code(name) for name in translations]
    if wanted in codes:
        return wanted, codes.index(wanted)
    return (codes[0] or "en"), 0


def language_codes(content: Content) -> list[tuple[str, str]]:
    names = [str(name or "") for name in content.get("translations") or []]
    return [(_language_code(name), name) for name in names if name]


def _language_code(name: str) -> str:
    found = re.search(r"\(([a-z]{2,3})\)\s*$", name)
    return found.group(1) if found else ""


def translate(value: Any, index: int) -> str:
    """Return a label in one language, the first filled one where it is missing; old forms hold plain text."""
    if isinstance(value, list):
        texts = [str(text) for text in value if text]
        return str(value[index]) if index < len(value) and value[index] else (texts[0] if texts else "")
    return "" if value is None else str(value)


def content_hash(content: Content) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def summarize(content: Content) -> dict[str, Any]:
    """Return the ``summary`` of an asset. Rows without a group's or meta row's role count, as in the recordings."""
    asked = [
        question
        for question in walk(read_questions(content))
        if not question.is_container and question.kind not in _META_TYPES
    ]
    labels = [translate(question.row.get("label"), 0) for question in asked if question.row.get("label")]
    columns = {key for row in content.get("survey") or [] for key in row if not key.startswith("$")}
    settings = content.get("settings") or {}
    # Recorded: the username row counts, the other rows that a device fills do not.
    counted = len(asked) + sum(question.kind == "username" for question in walk(read_questions(content)))
    return {
        "geo": any(question.kind.startswith("geo") for question in asked),
        "labels": labels[:5],
        "columns": sorted(columns),
        "lock_all": False,
        "lock_any": False,
        "languages": content.get("translations") or [],
        "row_count": counted,
        "name_quality": {"ok": 0, "bad": 0, "good": counted, "total": counted, "firsts": {}},
        "default_translation": settings.get("default_language") or (content.get("translations") or [None])[0],
    }
