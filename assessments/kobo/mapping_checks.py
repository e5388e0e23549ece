"""What has to hold for a mapping before it is used: everything that is wrong is told in one go.

Codes of the problems: ``wrong_schema``, ``missing``, ``unknown_key``, ``wrong_type``, ``conflict`` (keys that exclude
each other) and ``duplicate`` (two entries that would write the same figure).
"""

import math
from collections.abc import Iterable
from typing import Any

from assessments.kobo.counts import LARGEST
from assessments.kobo.errors import Problem

SCHEMA = 1
HEAD_KEYS = (
    "focus_group", "enumerator", "round", "unit", "place_text", "date", "gps", "access", "consent",
)  # fmt: skip
PEOPLE_KEYS = ("repeat", "code", "type", "sex", "basis", "how")
TOP_KEYS = ("schema", "kind", "head", "prefill", "dont_know", "not_listed", "figures", "people", "largest")
RULE_KEYS = (
    "indicator", "path", "repeat", "value", "unit", "category", "categories", "recode", "known", "share_of", "times",
    "constant", "sum",
)  # fmt: skip


class MappingError(ValueError):
    """The mapping cannot be used. ``problems`` lists all that was found; their ``path`` is a place in the JSON."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{item.path or 'mapping'}: {item.code} ({item.value})" for item in self.problems))


def check_mapping(data: object) -> dict[str, Any]:
    """Return the data as they came if they are a mapping, else raise ``MappingError``."""
    if not isinstance(data, dict):
        raise MappingError([Problem("wrong_type", "", "object expected")])
    problems: list[Problem] = []
    _check_keys(data, TOP_KEYS, "", problems)
    if data.get("schema") != SCHEMA:
        problems.append(Problem("wrong_schema", "schema", str(data.get("schema"))[:100]))
    _expect(data, "kind", str, "text", "", problems)
    _expect(data, "largest", int, "number", "", problems)
    for name in ("dont_know", "not_listed"):
        _check_paths(data, name, "", problems)
    _check_places(data, "head", HEAD_KEYS, problems)
    _check_places(data, "people", PEOPLE_KEYS, problems)
    prefill = data.get("prefill", {})
    if not isinstance(prefill, dict) or not all(isinstance(value, str) and value for value in prefill.values()):
        problems.append(Problem("wrong_type", "prefill", "object of texts expected"))
    if isinstance(data.get("people"), dict) and "repeat" not in data["people"]:
        problems.append(Problem("missing", "people.repeat", ""))
    _check_figures(data.get("figures"), problems)
    if problems:
        raise MappingError(problems)
    return data


def _check_figures(entries: object, problems: list[Problem]) -> None:
    if not isinstance(entries, list) or not entries:
        problems.append(Problem("missing" if entries is None else "wrong_type", "figures", "list expected"))
        return
    seen: set[tuple[object, ...]] = set()
    for position, entry in enumerate(entries):
        place = f"figures[{position}]"
        if not isinstance(entry, dict):
            problems.append(Problem("wrong_type", place, "object expected"))
            continue
        before = len(problems)
        _check_rule(entry, place, problems)
        if len(problems) == before:
            key = (entry["indicator"], str(entry.get("category")), str(entry.get("unit")))
            if key in seen:
                problems.append(Problem("duplicate", place, entry["indicator"]))
            seen.add(key)


def _check_rule(entry: dict[str, Any], place: str, problems: list[Problem]) -> None:
    _check_keys(entry, RULE_KEYS, f"{place}.", problems)
    if not isinstance(entry.get("indicator"), str) or not entry["indicator"]:
        problems.append(Problem("missing", f"{place}.indicator", ""))
    for name in ("path", "repeat", "value", "unit", "known", "share_of"):
        _check_paths(entry, name, f"{place}.", problems)
    wanted, refused = _keys_of(entry)
    problems.extend(Problem("missing", f"{place}.{name}", "") for name in wanted if name not in entry)
    problems.extend(Problem("conflict", f"{place}.{name}", "") for name in refused if name in entry)
    _check_numbers(entry, place, problems)
    _check_category(entry, place, problems)


def _keys_of(entry: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which keys a rule of this kind has to have, and which it must not."""
    wanted, refused = (("repeat", "value"), ("path",)) if "repeat" in entry else (("path",), ("value", "unit", "sum"))
    if "constant" not in entry:
        return wanted, refused
    return (), ("path", "value", "share_of", "times", *(() if "repeat" in entry else ("unit", "sum")))


def _check_numbers(entry: dict[str, Any], place: str, problems: list[Problem]) -> None:
    constant = entry.get("constant", 0)
    if type(constant) is not int or not 0 <= constant <= LARGEST:
        problems.append(Problem("wrong_type", f"{place}.constant", "whole number expected"))
    if not isinstance(entry.get("sum", False), bool):
        problems.append(Problem("wrong_type", f"{place}.sum", "true or false expected"))
    times = entry.get("times", 1)
    is_number = type(times) in (int, float) and math.isfinite(times) and times > 0
    if not is_number and not _is_texts(times):
        problems.append(Problem("wrong_type", f"{place}.times", "number or list of texts expected"))


def _check_category(entry: dict[str, Any], place: str, problems: list[Problem]) -> None:
    category = entry.get("category")
    if isinstance(category, list):
        _check_paths(entry, "category", f"{place}.", problems)
    elif "category" in entry and (not isinstance(category, str) or not category):
        problems.append(Problem("wrong_type", f"{place}.category", "text or list expected"))
    problems.extend(
        Problem("conflict", f"{place}.{name}", "")
        for name in ("categories", "recode")
        if name in entry and not isinstance(category, list)
    )
    recode = entry.get("recode", {})
    if not isinstance(recode, dict) or not all(isinstance(value, str) and value for value in recode.values()):
        problems.append(Problem("wrong_type", f"{place}.recode", "object of texts expected"))
    if "categories" in entry and not (_is_texts(entry["categories"]) or _is_range(entry["categories"])):
        problems.append(Problem("wrong_type", f"{place}.categories", "list of texts or range of years expected"))


def _check_places(data: dict[str, Any], name: str, keys: tuple[str, ...], problems: list[Problem]) -> None:
    """Check an object whose values are lists of paths."""
    if name not in data:
        return
    if not isinstance(data[name], dict):
        problems.append(Problem("wrong_type", name, "object expected"))
        return
    _check_keys(data[name], keys, f"{name}.", problems)
    for key in data[name]:
        _check_paths(data[name], key, f"{name}.", problems)


def _check_paths(data: dict[str, Any], name: str, place: str, problems: list[Problem]) -> None:
    if name in data and not _is_texts(data[name]):
        problems.append(Problem("wrong_type", f"{place}{name}", "list of texts expected"))


def _check_keys(data: dict[str, Any], keys: tuple[str, ...], place: str, problems: list[Problem]) -> None:
    problems.extend(Problem("unknown_key", f"{place}{name}", "") for name in data if name not in keys)


def _expect(data: dict[str, Any], name: str, kind: type, word: str, place: str, problems: list[Problem]) -> None:
    if name in data and (not isinstance(data[name], kind) or isinstance(data[name], bool)):
        problems.append(Problem("wrong_type", f"{place}{name}", f"{word} expected"))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)


def _is_range(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"from", "to"}:
        return False
    first, last = value["from"], value["to"]
    return type(first) is int and type(last) is int and 0 <= last - first <= 1000
