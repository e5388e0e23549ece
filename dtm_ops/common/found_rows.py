"""Rows of a list in the order in which a search found them."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, F, Func, IntegerField, QuerySet, Value

Rows = TypeVar("Rows", bound=QuerySet[Any])


def in_found_order(rows: Rows, keys: Sequence[Any]) -> Rows:
    """Those rows alone that were found, best first."""
    found = Value(list(keys), output_field=ArrayField(BigIntegerField()))
    place = Func(found, F("pk"), function="array_position", output_field=IntegerField())
    return rows.filter(pk__in=keys).order_by(place)
