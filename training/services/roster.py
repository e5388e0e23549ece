"""People of the roster: their status."""

from datetime import datetime

from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import StatusChange
from dtm_ops.records.services import change_status
from training.enums import ENUMERATOR_STEPS
from training.models import Enumerator


def change_enumerator_status(
    enumerator: Enumerator, status: str, *, by: User | None, reason: str, at: datetime | None = None
) -> StatusChange:
    """Set a person aside, let them go, or take them back. Open work stays assigned: handing it over is a step of
    its own.
    """
    if not reason.strip():
        raise Refused(_("Say why the status changes."), code="reason_missing")
    return change_status(enumerator, status, allowed=ENUMERATOR_STEPS, by=by, text=reason.strip(), at=at)
