"""Closing a place, and merging a row that was found to be the same place as another."""

from collections.abc import Collection
from datetime import date

from django.db import models, transaction
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt
from dtm_ops.records.receipts import write_receipt
from locations.enums import AliasKind
from locations.models import AdminUnit, AdminUnitAlias
from locations.selectors.changes import below, merged_into, what_hangs_on
from locations.services.gazetteer import lock_gazetteer
from locations.services.unit_writes import ONE_DAY, UnitWriting, name_some


@transaction.atomic
def close_unit(unit: AdminUnit, *, last_day: date, by: User | None, reason: str) -> Receipt:
    """The place ends with that day. It stays, with everything that points at it; the receipt says what that is.

    Refused while places below it go on, and where it has ended already.
    """
    lock_gazetteer()
    unit.refresh_from_db()
    UnitWriting().close(unit, last_day)
    closed = _line(unit, _("closed, last day %(day)s: %(reason)s") % {"day": last_day.isoformat(), "reason": reason})
    return write_receipt(
        "place_closed",
        _("Closed: %(unit)s") % {"unit": unit},
        [closed, *lines_of_what_stays([unit])],
        by=by,
        about=unit,
    )


@transaction.atomic
def merge_units(duplicate: AdminUnit, into: AdminUnit, *, by: User | None, on: date, reason: str) -> Receipt:
    """``duplicate`` was the same place as ``into`` all along: from ``on`` it leads there, and is closed.

    Its names become spellings of the other, so that who types them arrives. What points at the duplicate stays there
    and is told in the receipt. Refused while places lie below the duplicate, where the other has closed, and in a
    circle.
    """
    lock_gazetteer()
    duplicate.refresh_from_db()
    into.refresh_from_db()
    write_merge(UnitWriting(), duplicate, into, on=on)
    merged = _line(duplicate, _("merged into %(unit)s: %(reason)s") % {"unit": into.choice_label, "reason": reason})
    title = _("Merged: %(duplicate)s into %(unit)s") % {"duplicate": duplicate, "unit": into}
    return write_receipt("place_merged", title, [merged, *lines_of_what_stays([duplicate])], by=by, about=duplicate)


def write_merge(writing: UnitWriting, duplicate: AdminUnit, into: AdminUnit, *, on: date) -> None:
    _refuse_merge(duplicate, into, on=on)
    last_day = max(filter(None, [on - ONE_DAY, duplicate.valid_from]))
    if duplicate.valid_to is not None:
        last_day = min(last_day, duplicate.valid_to)
    writing.change(duplicate, valid_to=last_day, merged_into_id=into.pk)
    for names in (duplicate.names, duplicate.short_names):
        for language, name in names.items():
            if name not in (into.names.get(language), into.short_names.get(language)):
                writing.add_spelling(into, name, language=language, kind=AliasKind.OTHER)
    for alias in duplicate.aliases.filter(kind__in=[AliasKind.OLD, AliasKind.OTHER]):
        writing.add_spelling(into, alias.name, language=alias.language, kind=alias.kind, valid_to=alias.valid_to)


def _refuse_merge(duplicate: AdminUnit, into: AdminUnit, *, on: date) -> None:
    if duplicate.merged_into is not None:
        params = {"unit": duplicate, "into": duplicate.merged_into.choice_label}
        raise Refused(_("“%(unit)s” was merged already, into %(into)s.") % params, code="merged")
    if merged_into(into).pk == duplicate.pk:
        raise Refused(_("A place cannot be merged into itself."), code="circle")
    if into.merged_into is not None:
        params = {"unit": into, "into": merged_into(into).choice_label}
        raise Refused(_("“%(unit)s” was itself merged into %(into)s: choose that one.") % params, code="merged")
    if into.valid_to is not None and into.valid_to < on:
        params = {"unit": into, "day": into.valid_to.isoformat()}
        raise Refused(_("“%(unit)s” has closed, on %(day)s: nothing can be merged into it.") % params, code="closed")
    if into.path.startswith(duplicate.path):
        raise Refused(_("“%(unit)s” lies within the place.") % {"unit": into}, code="circle")
    lower = [row for row in below(duplicate, from_day=on) if row.parent_id == duplicate.pk]
    if lower:
        raise Refused(
            _("Places lie below “%(unit)s”: %(places)s. Move or close them first.")
            % {"unit": duplicate, "places": name_some(lower)},
            code="places_below",
        )


def _line(unit: AdminUnit, done: str) -> dict[str, str]:
    return {"what": str(unit._meta.verbose_name), "row": unit.choice_label, "key": unit.unit_id, "done": done}


def lines_of_what_stays(
    units: Collection[AdminUnit], *, but: Collection[type[models.Model]] = (AdminUnitAlias,)
) -> list[dict[str, str]]:
    """What points at the rows and does not follow by itself; kinds of row in ``but`` are not told."""
    return [
        {
            "what": str(model._meta.verbose_name_plural),
            "row": str(count),
            "key": ", ".join(unit.unit_id for unit in units),
            "done": _("still point at this row"),
        }
        for model, count in what_hangs_on(units)
        if model not in but
    ]
