"""Periods of days, and equality, as PostgreSQL's exclusion constraints ask for them without an extension."""

from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db.models import F, Func, Q, Value


def days(first: str, last: str) -> Func:
    """Both days count; NULL is not limited."""
    return Func(F(first), F(last), Value("[]"), function="daterange")


def one_point(number: F | Func) -> Func:
    # btree_gist is not everywhere: equality is asked as overlap of one-point ranges.
    return Func(number, number, Value("[]"), function="int8range")


def never_twice(
    name: str, of: str, *, first: str, last: str, message: Any, condition: Q | None = None
) -> ExclusionConstraint:
    """No two rows of the same ``of`` (a foreign key's column) share a day."""
    return ExclusionConstraint(
        name=name,
        expressions=[
            (one_point(F(of)), RangeOperators.OVERLAPS),
            (days(first, last), RangeOperators.OVERLAPS),
        ],
        condition=condition,
        violation_error_message=message,
    )
