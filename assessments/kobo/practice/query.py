"""The ``query`` and ``sort`` parameters of Kobo's data list, with their traps.

Kobo hands the filter to MongoDB after renaming every key it does not allow. So an operator outside the list is no
error: it becomes the name of a field that no row has, and the answer is 200 with zero rows. Text is compared as text,
numbers with numbers only, and an answer is always text. (kobo_api.md section 4, recordings 04 and 04b)

Conditions on the columns of a submission become SQL; all others are tried on the parsed rows.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ALLOWED_OPERATORS = frozenset(
    [
        "$or",
        "$and",
        "$in",
        "$nin",
        "$not",
        "$exists",
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        "$regex",
        "$options",
        "$all",
        "$elemMatch",
        "$ne",
        "$expr",
        "$ifNull",
    ]
)
# Keys of a row that are columns too, and the type that MongoDB holds for them.
COLUMNS: dict[str, tuple[str, type]] = {
    "_id": ("kobo_id", int),
    "_uuid": ("uuid", str),
    "meta/rootUuid": ("root_uuid", str),
    "meta/instanceID": ("instance_id", str),
    "meta/deprecatedID": ("deprecated_id", str),
    "_submission_time": ("submission_time", str),
    "_submitted_by": ("submitted_by", str),
    "__version__": ("version_uid", str),
    "_validation_status.uid": ("validation_uid", str),
    "_validation_status.timestamp": ("validation_timestamp", int),
}
_COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_VALIDATION = "_validation_status."
_MISSING = object()

Row = dict[str, Any]
Predicate = Callable[[Row], bool]


class QueryError(Exception):
    """MongoDB refuses the filter: Kobo answers 400 with a list, not an object."""


class QueryCrash(Exception):
    """A value that crashes Kobo: 500, and the same again on a retry."""


@dataclass(frozen=True)
class ForeignValue:
    """A value of extended JSON, e.g. a date: it equals and orders with nothing that a row holds."""

    text: str


@dataclass
class Filter:
    """A filter in two parts: SQL conditions with their values, and predicates for what SQL does not cover."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    predicates: list[Predicate] = field(default_factory=list)

    def matches(self, row: Row) -> bool:
        return all(predicate(row) for predicate in self.predicates)


def parse_query(text: str) -> Any:
    """Read the parameter; ValueError for broken JSON, extended JSON dates become foreign values."""
    return json.loads(text, object_hook=_read_extended)


def _read_extended(value: dict[str, Any]) -> Any:
    if len(value) == 1 and next(iter(value)) in {"$date", "$oid", "$numberLong", "$timestamp"}:
        return ForeignValue(str(value))
    return value


def build_filter(query: Any) -> Filter:
    """Split a filter into SQL and predicates; QueryCrash when it is no object, QueryError as MongoDB refuses."""
    if not isinstance(query, dict):
        raise QueryCrash
    result = Filter()
    for key, condition in query.items():
        _add(result, key, condition)
    return result


def _add(result: Filter, key: str, condition: Any) -> None:
    if key == "$and" and isinstance(condition, list):
        for part in condition:
            if not isinstance(part, dict):
                raise QueryError
            for inner_key, inner in part.items():
                _add(result, inner_key, inner)
        return
    sql = _as_sql(key, condition)
    if sql is None:
        result.predicates.append(build_predicate({key: condition}))
    else:
        result.conditions.append(sql[0])
        result.values.extend(sql[1])


def _as_sql(key: str, condition: Any) -> tuple[str, list[Any]] | None:
    """Return a condition for a column, or None where SQL does not say the same as MongoDB would."""
    if key not in COLUMNS:
        return None
    column, kind = COLUMNS[key]
    if not isinstance(condition, dict):
        return _equals(column, kind, _coerce_id(key, condition))
    parts: list[str] = []
    values: list[Any] = []
    for operator, operand in condition.items():
        part = _operator_as_sql(column, kind, operator, operand)
        if part is None:
            return None
        parts.append(part[0])
        values.extend(part[1])
    return (" AND ".join(parts), values) if parts else None


def _operator_as_sql(column: str, kind: type, operator: str, operand: Any) -> tuple[str, list[Any]] | None:
    if operator in _COMPARISONS:
        if not _is_kind(operand, kind):
            return None if isinstance(operand, float) and kind is int else ("0", [])
        return f"{column} {_COMPARISONS[operator]} ?", [operand]
    if operator == "$exists":
        return (f"{column} IS NOT NULL" if operand else f"{column} IS NULL"), []
    if operator == "$in" and isinstance(operand, list) and None not in operand:
        if any(isinstance(item, float) for item in operand):
            return None
        fitting = [item for item in operand if _is_kind(item, kind)]
        return " ".join((column, "IN (SELECT value FROM json_each(?))")), [json.dumps(fitting)]
    return None


def _equals(column: str, kind: type, value: Any) -> tuple[str, list[Any]] | None:
    if value is None:
        return f"{column} IS NULL", []
    if isinstance(value, float):
        return None
    return (f"{column} = ?", [value]) if _is_kind(value, kind) else ("0", [])


def _is_kind(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _coerce_id(key: str, value: Any) -> Any:
    """Kobo turns ``{"_id": "4"}`` into a number, but not inside an operator."""
    return int(value) if key == "_id" and isinstance(value, str) and value.isdecimal() else value


def build_predicate(query: Any) -> Predicate:
    if not isinstance(query, dict):
        raise QueryError
    parts = [_condition(key, condition) for key, condition in query.items()]
    return lambda row: all(part(row) for part in parts)


def _condition(key: str, condition: Any) -> Predicate:
    if key in {"$or", "$and"}:
        if not isinstance(condition, list) or not condition:
            raise QueryError
        parts = [build_predicate(part) for part in condition]
        combine = any if key == "$or" else all
        return lambda row: combine(part(row) for part in parts)
    if key in ALLOWED_OPERATORS:
        raise QueryError
    test = _value_test(_coerce_id(key, condition))
    return lambda row: test(look_up(row, key))


def look_up(row: Row, key: str) -> Any:
    """Only ``_validation_status`` opens by a dotted path: Kobo encodes the dots of all others."""
    if key.startswith(_VALIDATION):
        status = row.get("_validation_status") or {}
        return status.get(key.removeprefix(_VALIDATION), _MISSING)
    return row.get(key, _MISSING)


def _value_test(condition: Any) -> Callable[[Any], bool]:
    operators = [key for key in condition if key in ALLOWED_OPERATORS] if isinstance(condition, dict) else []
    if not operators:
        return lambda value: _equal(value, condition)
    if len(operators) != len(condition):
        raise QueryError
    tests = [
        _operator_test(operator, condition[operator], condition) for operator in operators if operator != "$options"
    ]
    return lambda value: all(test(value) for test in tests)


def _operator_test(operator: str, operand: Any, condition: dict[str, Any]) -> Callable[[Any], bool]:
    if operator in _COMPARISONS:
        return lambda value: any(_ordered(operator, item, operand) for item in _candidates(value))
    if operator in {"$in", "$nin", "$all"}:
        return _membership_test(operator, operand)
    if operator == "$ne":
        return lambda value: not _equal(value, operand)
    if operator == "$exists":
        return lambda value: (value is not _MISSING) == bool(operand)
    if operator == "$not":
        inner = _value_test(operand)
        return lambda value: not inner(value)
    if operator == "$elemMatch":
        element = build_predicate(operand)
        return lambda value: isinstance(value, list) and any(isinstance(item, dict) and element(item) for item in value)
    if operator == "$regex":
        return _regex_test(operand, str(condition.get("$options", "")))
    raise QueryError


def _membership_test(operator: str, operand: Any) -> Callable[[Any], bool]:
    if not isinstance(operand, list):
        raise QueryError
    if operator == "$all":
        return lambda value: bool(operand) and all(_equal(value, item) for item in operand)
    expected = operator == "$in"
    return lambda value: any(_equal(value, item) for item in operand) == expected


def _regex_test(pattern: Any, options: str) -> Callable[[Any], bool]:
    flags = (re.IGNORECASE if "i" in options else 0) | (re.MULTILINE if "m" in options else 0)
    try:
        compiled = re.compile(str(pattern), flags | (re.DOTALL if "s" in options else 0))
    except re.error as error:
        raise QueryError from error
    return lambda value: any(isinstance(item, str) and compiled.search(item) is not None for item in _candidates(value))


def _candidates(value: Any) -> list[Any]:
    return [value, *value] if isinstance(value, list) else [value]


def _equal(value: Any, wanted: Any) -> bool:
    if wanted is None:
        return value is _MISSING or value is None
    return any(_rank(item) == _rank(wanted) and item == wanted for item in _candidates(value))


def _ordered(operator: str, value: Any, bound: Any) -> bool:
    if _rank(value) != _rank(bound) or _rank(value) not in {1, 2}:
        return False
    outcomes = {"$gt": value > bound, "$gte": value >= bound, "$lt": value < bound, "$lte": value <= bound}
    return bool(outcomes[operator])


def _rank(value: Any) -> int:
    """MongoDB's order of types: missing and null, numbers, text, objects, lists, the rest."""
    if value is _MISSING or value is None:
        return 0
    if isinstance(value, bool):
        return 5
    for rank, kind in ((1, int | float), (2, str), (3, dict), (4, list)):
        if isinstance(value, kind):
            return rank
    return 6


def parse_sort(text: str) -> list[tuple[str, int]]:
    """Read ``{"key": 1}``; ValueError for broken JSON, QueryCrash for a list or a direction that is no number."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise QueryCrash
    for direction in value.values():
        if direction not in (1, -1) or isinstance(direction, bool):
            raise QueryCrash
    return [(key, int(direction)) for key, direction in value.items()]


def sort_as_sql(keys: list[tuple[str, int]]) -> str | None:
    """Return ORDER BY terms, or None when a key is no column. Ties stay in the order of ``_id``."""
    if any(key not in COLUMNS for key, _ in keys):
        return None
    terms = [f"{COLUMNS[key][0]} {'ASC' if direction == 1 else 'DESC'}" for key, direction in keys]
    return ", ".join([*terms, "kobo_id ASC"] if not any(key == "_id" for key, _ in keys) else terms)


def sort_rows(rows: list[Row], keys: list[tuple[str, int]]) -> list[Row]:
    for key, direction in reversed(keys):
        rows = sorted(rows, key=lambda row: _sort_key(look_up(row, key)), reverse=direction == -1)
    return rows


def _sort_key(value: Any) -> tuple[int, Any]:
    rank = _rank(value)
    return (rank, value) if rank in {1, 2} else (rank, json.dumps(value) if rank in {3, 4} else 0)
