"""People and teams whose place has closed, since it was moved to another district or merged."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from locations.models import AdminUnit
from locations.selectors.changes import goes_on_in
from training.models import Enumerator, Team


@transaction.atomic
def follow_place(row: Enumerator | Team) -> AdminUnit:
    """The person's home unit, or the team's place, becomes the row that stands for it today.

    Refused where the place is in force, and where it has no one successor: then somebody has to choose.
    """
    field = "home_unit" if isinstance(row, Enumerator) else "unit"
    now = type(row)._base_manager.select_for_update().get(pk=row.pk)
    place: AdminUnit = getattr(now, field)
    today = timezone.localdate()
    if reason := in_force(place):
        raise Refused(reason, code="in_force")
    new = goes_on_in(place, today)
    if new is None:
        raise Refused(
            _("“%(place)s” has no one successor: choose the place by hand.") % {"place": place}, code="no_successor"
        )
    setattr(row, field, new)
    row.save(update_fields=[field])
    return new


def in_force(place: AdminUnit) -> str:
    """In words why nobody needs to leave the place; "": it has closed."""
    if place.valid_to is not None and place.valid_to < timezone.localdate():
        return ""
    return _("“%(place)s” is in force") % {"place": place}
