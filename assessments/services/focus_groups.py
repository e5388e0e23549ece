"""Planning, moving, holding and cancelling focus groups. The times of assignments are copied here and nowhere else."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _

from assessments.enums import FOCUS_GROUP_STEPS, FocusGroupStatus, RoundStatus
from assessments.kobo.codes import make_code
from assessments.models import FocusGroupSession, RoundTarget
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import StatusChange
from dtm_ops.records.services import change_status, change_statuses

DOUBLE_BOOKING = "assignment_no_double_booking"


def plan_focus_group(
    target: RoundTarget,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    travel_minutes: int = 0,
    venue: str = "",
    language: str = "",
) -> FocusGroupSession:
    """Plan a focus group for a target, with or without a date. Its code is made here and never changes."""
    if target.round.status == RoundStatus.CLOSED:
        raise Refused(_("Round %(round)s is closed.") % {"round": target.round}, code="round_closed")
    _check_times(starts_at, ends_at)
    number = _next_number()
    return FocusGroupSession.objects.create(
        pk=number,
        code=make_code(number),
        target=target,
        starts_at=starts_at,
        ends_at=ends_at,
        travel_minutes=travel_minutes,
        venue=venue,
        language=language,
    )


def move_focus_group(
    focus_group: FocusGroupSession,
    *,
    starts_at: datetime | None,
    ends_at: datetime | None,
    travel_minutes: int | None = None,
) -> None:
    """Give a focus group another time (or none), and its people with it.

    Refused, with the person's name and nothing written, if somebody assigned is in another focus group then.
    """
    _check_times(starts_at, ends_at)
    with transaction.atomic():
        locked = FocusGroupSession.objects.select_for_update().get(pk=focus_group.pk)
        if locked.status != FocusGroupStatus.PLANNED:
            raise Refused(_("Only a planned focus group can be moved."), code="not_planned")
        locked.starts_at, locked.ends_at = starts_at, ends_at
        if travel_minutes is not None:
            locked.travel_minutes = travel_minutes
        locked.save(update_fields=["starts_at", "ends_at", "travel_minutes"])
        busy_from, busy_until = busy_times(locked)
        for assignment in locked.assignments.active().select_related("enumerator"):
            try:
                with transaction.atomic():
                    assignment.busy_from, assignment.busy_until = busy_from, busy_until
                    assignment.save(update_fields=["busy_from", "busy_until"])
            except IntegrityError as error:
                if DOUBLE_BOOKING not in str(error):
                    raise
                raise double_booked(assignment.enumerator) from None
    focus_group.refresh_from_db()


def hold_focus_group(focus_group: FocusGroupSession, *, by: User | None, at: datetime | None = None) -> StatusChange:
    """The focus group took place. Refused before it has begun, or without a date."""
    if focus_group.starts_at is None:
        raise Refused(_("A focus group without a date cannot have been held."), code="no_date")
    if focus_group.starts_at > (at or timezone.now()):
        raise Refused(_("The focus group has not begun yet."), code="not_begun")
    return change_status(
        focus_group, FocusGroupStatus.HELD, allowed=FOCUS_GROUP_STEPS, by=by, at=at, unless_moved=("starts_at",)
    )


def note_held(focus_groups: Collection[int]) -> int:
    """Forms came from these focus groups (keys): those that are planned and have begun took place. Returns how many.

    One without a date, or filled before it began, stays as planned: the form counts all the same.
    """
    begun = FocusGroupSession.objects.filter(pk__in=focus_groups, starts_at__lte=timezone.now())
    return change_statuses(
        begun.filter(status=FocusGroupStatus.PLANNED), FocusGroupStatus.HELD, allowed=FOCUS_GROUP_STEPS, by=None
    )


@transaction.atomic
def cancel_focus_group(
    focus_group: FocusGroupSession, *, by: User | None, reason: str, at: datetime | None = None
) -> StatusChange:
    """Call a focus group off and set its people free. Says why: they read it."""
    if not reason.strip():
        raise Refused(_("Say why the focus group is cancelled."), code="reason_missing")
    change = change_status(
        focus_group, FocusGroupStatus.CANCELLED, allowed=FOCUS_GROUP_STEPS, by=by, text=reason.strip(), at=at
    )
    focus_group.assignments.active().update(withdrawn_at=at or timezone.now())
    return change


def busy_times(focus_group: FocusGroupSession) -> tuple[datetime | None, datetime | None]:
    """From leaving for the place until the end; nothing without a date. Travel is padded on one side only."""
    if focus_group.starts_at is None:
        return None, None
    return focus_group.starts_at - timedelta(minutes=focus_group.travel_minutes), focus_group.ends_at


def double_booked(person: object) -> Refused:
    return Refused(
        _("%(person)s is already in another focus group at that time.") % {"person": person}, code="double_booking"
    )


def _check_times(starts_at: datetime | None, ends_at: datetime | None) -> None:
    if (starts_at is None) != (ends_at is None) or (starts_at and ends_at and ends_at <= starts_at):
        raise Refused(_("Give a start and an end, the end after the start, or neither."), code="times")


def _next_number() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [FocusGroupSession._meta.db_table])
        return int(cursor.fetchone()[0])
