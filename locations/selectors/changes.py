"""Questions about changes of places: where a row leads to now, and what still hangs on it."""

from collections.abc import Collection
from datetime import date
from typing import Any

from django.db import models
from django.db.models import Q

from locations.models import AdminUnit
from locations.querysets import AdminUnitQuerySet
from locations.selectors.units import successors_of

Predecessor = AdminUnit.predecessors.through


def resolve_unit(unit_id: str) -> AdminUnit | None:
    """The unit with that id, or the one that it was merged into, however often; None: there never was one."""
    unit = AdminUnit.objects.filter(unit_id=unit_id).select_related("merged_into").first()
    return merged_into(unit) if unit else None


def merged_into(unit: AdminUnit) -> AdminUnit:
    """The end of the redirects; the unit itself where there is none. Nothing merges in a circle (`merge_units`)."""
    while unit.merged_into is not None:
        unit = unit.merged_into
    return unit


def standing_from(day: date) -> AdminUnitQuerySet:
    """In force on that day or still to come: what has not ended before it."""
    return AdminUnit.objects.filter(Q(valid_to=None) | Q(valid_to__gte=day))


def standing_row(unit: AdminUnit, day: date) -> AdminUnit | None:
    """The row that the place has on that day: a place that moved goes on in a newer row with the same code. None: the
    place has closed.
    """
    seen: set[int] = set()
    row: AdminUnit | None = merged_into(unit)
    while row is not None and row.valid_to is not None and row.valid_to < day and row.pk not in seen:
        seen.add(row.pk)
        row = row.successors.filter(code=row.code, valid_from__gt=row.valid_to).order_by("valid_from").first()
    return row


def goes_on_in(unit: AdminUnit, day: date) -> AdminUnit | None:
    """The one row that stands for the place on that day. None: the place has closed, or parted into several."""
    standing = standing_row(unit, day)
    if standing is not None:
        return standing
    after = successors_of([unit], day)[unit.pk]
    return after[0] if len(after) == 1 else None


def below(unit: AdminUnit, *, from_day: date) -> list[AdminUnit]:
    """Everything below the unit that has not ended before the day, from the top down."""
    rows = standing_from(from_day).within(unit).exclude(pk=unit.pk)
    return sorted(rows, key=lambda row: row.path.count("/"))


def decided_by_people() -> set[str]:
    """``unit_id`` of the places that somebody wrote on the desk, whatever the way: the history keeps who."""
    written = AdminUnit.objects.filter(events__pgh_context__metadata__has_key="user")
    return set(written.order_by().values_list("unit_id", flat=True))


def what_hangs_on(units: Collection[AdminUnit]) -> list[tuple[type[models.Model], int]]:
    """Kinds of row that point at one of the units, of whatever app, and how many do. Histories and the links between
    places do not count.
    """
    keys = [unit.pk for unit in units]
    found: dict[type[models.Model], int] = {}
    for relation in AdminUnit._meta.get_fields(include_hidden=True):
        if not (relation.auto_created and not relation.concrete) or not isinstance(relation, models.ForeignObjectRel):
            continue
        model: Any = relation.related_model
        if relation.many_to_many or model is Predecessor or hasattr(model, "pgh_tracked_model"):
            continue
        count = model._base_manager.filter(**{f"{relation.field.name}__in": keys}).count()
        if count:
            found[model] = found.get(model, 0) + count
    return sorted(found.items(), key=lambda entry: entry[0]._meta.label)
