"""Sending people to focus groups."""

from datetime import date, datetime

from django.db import transaction
from django.db.utils import IntegrityError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from assessments.enums import AssignmentRole, FocusGroupStatus
from assessments.models import FocusGroupSession, KoboForm, SessionAssignment
from assessments.services.focus_groups import DOUBLE_BOOKING, busy_times, double_booked
from dtm_ops.common.errors import Refused
from training.enums import EnumeratorStatus
from training.models import Certificate, Enumerator


def assign_enumerator(
    focus_group: FocusGroupSession, enumerator: Enumerator, *, role: str = AssignmentRole.MODERATOR
) -> SessionAssignment:
    """Give a person a role in a planned focus group.

    Refused, in words and with nothing written: who is not active; who holds no certificate for the form on that day
    (on today without a date); who is in this focus group already, or in another at that time. The last two are held by
    the database, so of two coordinators who assign one person at one time, one is told.
    """
    with transaction.atomic():
        person, current = _lock(enumerator, focus_group)
        if current.status != FocusGroupStatus.PLANNED:
            raise Refused(_("Only a planned focus group takes people."), code="not_planned")
        return _send(person, current, role=role)


def hand_over_assignment(assignment: SessionAssignment, *, to: Enumerator) -> SessionAssignment:
    """Another person takes the place, in the same role. Also after the focus group was held: they send its form.

    Refused, with nothing written, for the same reasons as assigning them anew.
    """
    with transaction.atomic():
        person, current = _lock(to, assignment.focus_group)
        if current.status == FocusGroupStatus.CANCELLED:
            raise Refused(_("This focus group is cancelled."), code="cancelled")
        withdraw_assignment(assignment)
        return _send(person, current, role=assignment.role)


def withdraw_assignment(assignment: SessionAssignment, *, at: datetime | None = None) -> None:
    """Take a person out of a focus group. The row stays as history; withdrawing twice changes nothing."""
    SessionAssignment.objects.filter(pk=assignment.pk, withdrawn_at=None).update(withdrawn_at=at or timezone.now())
    assignment.refresh_from_db()


def required_version(focus_group: FocusGroupSession) -> int:
    """The major version that the round's connected form has; 1 while none is connected."""
    target = focus_group.target
    form = KoboForm.objects.filter(round_id=target.round_id, form_kind_id=target.form_kind_id, is_active=True).first()
    return form.major_version if form else 1


def _lock(enumerator: Enumerator, focus_group: FocusGroupSession) -> tuple[Enumerator, FocusGroupSession]:
    """First the person, then the focus group: in this order everywhere. Who is about to leave is given nothing more."""
    person = Enumerator.objects.select_for_update(no_key=True).get(pk=enumerator.pk)
    groups = FocusGroupSession.objects.select_for_update(of=("self",)).select_related("target__form_kind")
    return person, groups.get(pk=focus_group.pk)


def _send(enumerator: Enumerator, focus_group: FocusGroupSession, *, role: str) -> SessionAssignment:
    _check_person(enumerator, focus_group)
    busy_from, busy_until = busy_times(focus_group)
    try:
        with transaction.atomic():
            return SessionAssignment.objects.create(
                focus_group=focus_group, enumerator=enumerator, role=role, busy_from=busy_from, busy_until=busy_until
            )
    except IntegrityError as error:
        if DOUBLE_BOOKING in str(error):
            raise double_booked(enumerator) from None
        if "assignment_once_a_focus_group" in str(error):
            raise Refused(
                _("%(person)s is already in this focus group.") % {"person": enumerator}, code="already_assigned"
            ) from None
        raise


def _check_person(enumerator: Enumerator, focus_group: FocusGroupSession) -> None:
    if enumerator.status != EnumeratorStatus.ACTIVE:
        raise Refused(
            _("%(person)s is not active: %(status)s.")
            % {"person": enumerator, "status": enumerator.get_status_display()},
            code="not_active",
        )
    day = _day_of(focus_group)
    kind, version = focus_group.target.form_kind, required_version(focus_group)
    certified = Certificate.objects.valid_on(day).filter(enumerator=enumerator, form_kind=kind, major_version=version)
    if not certified.exists():
        raise Refused(
            _("%(person)s holds no certificate for %(kind)s, version %(version)s, on %(day)s.")
            % {"person": enumerator, "kind": kind, "version": version, "day": date_format(day, "SHORT_DATE_FORMAT")},
            code="not_certified",
        )


def _day_of(focus_group: FocusGroupSession) -> date:
    return timezone.localtime(focus_group.starts_at).date() if focus_group.starts_at else timezone.localdate()
