"""People of the roster: their status."""

from datetime import date, datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import StatusChange
from dtm_ops.records.services import change_status
from training.enums import ENUMERATOR_STEPS
from training.models import Enumerator

LONGEST_REASON = 240


def change_enumerator_status(
    enumerator: Enumerator,
    status: str,
    *,
    by: User | None,
    reason: str,
    since: date | None = None,
    at: datetime | None = None,
) -> StatusChange:
    """Set a person aside, let them go, or take them back, since a day (today, if none is named).

    Open work stays assigned: handing it over is a step of its own. Refused: a day to come, and taking back an entry
    that was merged into another.
    """
    if not reason.strip():
        raise Refused(_("Say why the status changes."), code="reason_missing")
    day = since or timezone.localdate()
    if day > timezone.localdate():
        raise Refused(_("That day is still to come: a status changes on its day."), code="day_to_come")
    if enumerator.merged_into is not None:
        raise Refused(
            _("This entry was merged into %(person)s: work with that one.") % {"person": enumerator.merged_into},
            code="merged",
        )
    return change_status(
        enumerator,
        status,
        allowed=ENUMERATOR_STEPS,
        by=by,
        text=reason.strip(),
        at=at,
        also={"status_since": day, "status_reason": reason.strip()[:LONGEST_REASON]},
    )
