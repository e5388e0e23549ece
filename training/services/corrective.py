"""Corrective tasks: raised with a reason and a day, closed by a passed check, never by hand."""

from datetime import date

from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.services import change_status
from training.enums import CORRECTIVE_STEPS, CorrectiveStatus, EnumeratorStatus
from training.models import CorrectiveTask, Enumerator, FormKind


def raise_task(
    enumerator: Enumerator,
    *,
    what: str,
    reason: str,
    due_on: date,
    by: User | None,
    form_kind: FormKind | None = None,
    pass_mark: int = 70,
) -> CorrectiveTask:
    """Something that the person has to learn again until ``due_on``, and why."""
    what, reason = what.strip(), reason.strip()
    if not what or not reason:
        raise Refused(_("Say what is to be learnt, and why."), code="reason_missing")
    if enumerator.status == EnumeratorStatus.LEFT:
        raise Refused(_("%(person)s has left.") % {"person": enumerator}, code="person_left")
    _check_due(due_on)
    if not 1 <= pass_mark <= 100:
        raise Refused(_("A pass mark is a percentage from 1 to 100."), code="pass_mark")
    return CorrectiveTask.objects.create(
        enumerator=enumerator, what=what, reason=reason, due_on=due_on, form_kind=form_kind, pass_mark=pass_mark,
        raised_by=by,
    )  # fmt: skip


def cancel_task(task: CorrectiveTask, *, by: User | None, reason: str) -> None:
    if not reason.strip():
        raise Refused(_("Say why the task is cancelled."), code="reason_missing")
    _move(task, CorrectiveStatus.CANCELLED, by=by, text=reason.strip(), also={"closed_at": timezone.now()})


def reopen_task(task: CorrectiveTask, *, by: User | None, reason: str, due_on: date) -> None:
    """Until a new day. The checks so far stay, and the next one is counted after them."""
    if not reason.strip():
        raise Refused(_("Say why the task is opened again."), code="reason_missing")
    _check_due(due_on)
    _move(task, CorrectiveStatus.OPEN, by=by, text=reason.strip(), also={"closed_at": None, "due_on": due_on})


def close_passed(task: CorrectiveTask, *, by: User | None) -> None:
    """For `attempts`, which has recorded a check that was passed. There is no other way to close a task."""
    _move(task, CorrectiveStatus.DONE, by=by, text="", also={"closed_at": timezone.now()})


def _move(task: CorrectiveTask, new: str, *, by: User | None, text: str, also: dict[str, object]) -> None:
    change_status(task, new, allowed=CORRECTIVE_STEPS, by=by, text=text, also=also)


def _check_due(due_on: date) -> None:
    if due_on < timezone.localdate():
        raise Refused(_("The day until which the task is due is over already."), code="due_in_the_past")
