"""Moving a status. Every app's one status function ends here; nothing else writes a status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.utils import timezone

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import TransitionNotAllowed
from dtm_ops.records.models import StatusChange


def change_status(
    row: models.Model,
    new: str,
    *,
    allowed: Mapping[str, frozenset[str]],
    by: User | None,
    field: str = "status",
    reason: str = "",
    text: str = "",
    at: datetime | None = None,
    also: Mapping[str, object] | None = None,
    unless_moved: tuple[str, ...] = (),
) -> StatusChange:
    """Compare and swap: the status, the columns that go with it (``also``) and the history row, together or not at all.

    ``allowed`` names for each status those that may follow it. The comparison is made in the database against the
    status that ``row`` was read with: if somebody else moved it meanwhile, nothing is written and
    ``TransitionNotAllowed`` says so. The columns named in ``unless_moved`` must still be as read, too.
    """
    old = getattr(row, field)
    if new not in allowed.get(old, frozenset()):
        raise TransitionNotAllowed(row, old=old, new=new, field=field)
    with transaction.atomic():
        values = {field: new, **(also or {})}
        as_read = {name: getattr(row, name) for name in (field, *unless_moved)}
        swapped = type(row)._base_manager.filter(pk=row.pk, **as_read).update(**values)
        if not swapped:
            raise TransitionNotAllowed(row, old=old, new=new, field=field, meanwhile=True)
        change = StatusChange.objects.create(
            subject_type=ContentType.objects.get_for_model(row),
            subject_id=row.pk,
            field=field,
            old=old,
            new=new,
            by=by,
            at=at or timezone.now(),
            reason=reason,
            text=text,
        )
    for name, value in values.items():
        setattr(row, name, value)
    return change


@transaction.atomic
def change_statuses(
    rows: models.QuerySet[Any],
    new: str,
    *,
    allowed: Mapping[str, frozenset[str]],
    by: User | None,
    field: str = "status",
    reason: str = "",
    text: str = "",
    at: datetime | None = None,
) -> int:
    """The same for many rows at once, in a fixed number of queries. Returns how many were moved.

    A row whose status does not allow the step, or does not any more when its turn comes, is left out without a word.
    """
    origins = [old for old, following in allowed.items() if new in following]
    movable = rows.filter(**{f"{field}__in": origins}).order_by("pk").select_for_update(of=("self",))
    old_ones = dict(movable.values_list("pk", field))
    rows.model._base_manager.filter(pk__in=old_ones).update(**{field: new})
    about = ContentType.objects.get_for_model(rows.model)
    StatusChange.objects.bulk_create(
        StatusChange(
            subject_type=about, subject_id=pk, field=field, old=old, new=new, by=by, at=at or timezone.now(),
            reason=reason, text=text,
        )
        for pk, old in old_ones.items()
    )  # fmt: skip
    return len(old_ones)
