"""A person leaves: everything they hold is handed over, withdrawn or ended in one act, with a receipt for each row.

All or nothing. What is held is read again under a lock, so a focus group given to the person a moment ago is not
forgotten, and nobody is given one while they leave.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from assessments.enums import Held, ReturnReason
from assessments.models import FocusGroupSession, KoboForm, KoboSubmission
from assessments.selectors.open_work import HeldRow, OpenWork, has_other_roles, open_work
from assessments.services.assignments import hand_over_assignment, withdraw_assignment
from assessments.services.review import reject_submission
from dtm_ops.accounts.models import User, revoke_token
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt
from dtm_ops.records.receipts import write_receipt
from locations.services.rights import revoke_role
from training.enums import EnumeratorStatus
from training.models import Enumerator
from training.services.absences import cut_absence
from training.services.corrective import cancel_task
from training.services.enrolment import reply
from training.services.identities import end_identity
from training.services.periods import ONE_DAY
from training.services.roster import change_enumerator_status
from training.services.teams import hand_over_lead, leave_team

RECEIPT = "leave"

# Who takes a row over, by the row's key; None: nobody, it is withdrawn.
Choices = Mapping[str, Enumerator | None]


class LeavingRefused(Refused):
    """Something that the person holds cannot go where it was sent. ``rows``: the sentence by the row's key."""

    def __init__(self, rows: Mapping[str, str]) -> None:
        super().__init__(_("Nothing was written: not everything can be handed over like this."), code="rows")
        self.rows = dict(rows)


@transaction.atomic
def leave(enumerator: Enumerator, *, on: date, reason: str, by: User, choices: Choices) -> Receipt:
    """Let a person go; ``on`` is the last day of work. Each row that can be passed on needs its choice.

    Refused as `LeavingRefused`, with the sentence of every row that does not fit and nothing written: a successor
    without the certificate, or in another focus group then; a row that came up since the choices were made.
    """
    person = _lock_people(enumerator, choices)
    _check(person, on=on, reason=reason)
    work = open_work(person, on)
    _lock_focus_groups(work)
    step = _Leaving(person, on=on, reason=reason.strip(), by=by, choices=choices)
    lines, refused = [], {}
    for row in work.rows:
        try:
            with transaction.atomic():
                lines.append({"what": str(row.kind.label), "row": row.words, "key": row.key, "done": step.take(row)})
        except Refused as error:
            refused[row.key] = str(error)
    if refused:
        raise LeavingRefused(refused)
    # The steps above have written columns of the person.
    person.refresh_from_db()
    change_enumerator_status(person, EnumeratorStatus.LEFT, by=by, reason=reason, since=on)
    enumerator.refresh_from_db()
    day = date_format(on, "SHORT_DATE_FORMAT")
    title = _("%(person)s left on %(day)s: %(reason)s") % {"person": person, "day": day, "reason": reason.strip()}
    return write_receipt(RECEIPT, title, lines, by=by, about=person)


def preview_leave(enumerator: Enumerator, *, on: date, reason: str, by: User, choices: Choices) -> Receipt:
    """The receipt that `leave` would give, and the same refusals. Everything is taken back."""
    with transaction.atomic():
        receipt = leave(Enumerator.objects.get(pk=enumerator.pk), on=on, reason=reason, by=by, choices=choices)
        transaction.set_rollback(True)
    return receipt


def _lock_people(enumerator: Enumerator, choices: Choices) -> Enumerator:
    keys = {enumerator.pk, *(one.pk for one in choices.values() if one is not None)}
    people = Enumerator.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    return {one.pk: one for one in people}[enumerator.pk]


def _lock_focus_groups(work: OpenWork) -> None:
    groups = [row.row.focus_group_id for row in work.rows if row.kind in (Held.FOCUS_GROUP, Held.FORM_TO_COME)]
    list(FocusGroupSession.objects.select_for_update().filter(pk__in=groups).order_by("pk").values_list("pk"))


def _check(person: Enumerator, *, on: date, reason: str) -> None:
    if not reason.strip():
        raise Refused(_("Say why the person leaves."), code="reason_missing")
    if on > timezone.localdate():
        raise Refused(_("That day is still to come: hand over on the last day of work, or later."), code="day_to_come")
    if person.status == EnumeratorStatus.LEFT:
        raise Refused(_("%(person)s has left already.") % {"person": person}, code="left_already")


class _Leaving:
    """One person's leaving, row by row. Each step returns in words what became of the row."""

    def __init__(self, person: Enumerator, *, on: date, reason: str, by: User, choices: Choices) -> None:
        self.person, self.on, self.reason, self.by, self.choices = person, on, reason, by, choices
        self.user = person.user
        self.steps: dict[Held, Callable[[Any, Enumerator | None], str]] = {
            Held.FOCUS_GROUP: self._focus_group,
            Held.FORM_TO_COME: self._form_to_come,
            Held.RETURNED_FORM: self._returned_form,
            Held.LEAD: self._lead,
            Held.MEMBERSHIP: self._membership,
            Held.TASK: self._task,
            Held.TRAINING: self._training,
            Held.ABSENCE: self._absence,
            Held.CONTRACT: self._contract,
            Held.KOBO: self._kobo,
            Held.LOGIN: self._login,
            Held.RIGHT: self._right,
            Held.TOKEN: self._token,
        }

    def take(self, row: HeldRow) -> str:
        if row.passes_on and row.key not in self.choices:
            raise Refused(_("This came up after the page was shown: choose what becomes of it."), code="new_row")
        to = self.choices.get(row.key)
        if to is not None and to.pk == self.person.pk:
            raise Refused(_("Choose somebody else."), code="same_person")
        return self.steps[row.kind](row.row, to)

    def _focus_group(self, assignment: Any, to: Enumerator | None) -> str:
        if to is None:
            withdraw_assignment(assignment)
            return _("withdrawn, nobody goes in their place")
        hand_over_assignment(assignment, to=to)
        return _("goes over to %(person)s") % {"person": to}

    def _form_to_come(self, assignment: Any, to: Enumerator | None) -> str:
        if to is None:
            withdraw_assignment(assignment)
            return _("not awaited from anybody any more; if it comes after all, it is matched as usual")
        hand_over_assignment(assignment, to=to)
        return _("now awaited from %(person)s") % {"person": to}

    def _returned_form(self, submission: KoboSubmission, to: Enumerator | None) -> str:
        if to is None:
            reject_submission(submission, reviewer=self.by, reason=ReturnReason.OTHER, text=self.reason)
            return _("rejected: nobody corrects it")
        if to.status != EnumeratorStatus.ACTIVE:
            raise Refused(_("%(person)s is not active.") % {"person": to}, code="not_active")
        KoboSubmission.objects.filter(pk=submission.pk).update(enumerator=to, enumerator_named_by=self.by)
        return _("%(person)s corrects it") % {"person": to}

    def _lead(self, membership: Any, to: Enumerator | None) -> str:
        leave_team(membership, on=self.on)
        if to is None:
            return _("ended; the team is without a lead")
        if to.status != EnumeratorStatus.ACTIVE:
            raise Refused(_("%(person)s is not active.") % {"person": to}, code="not_active")
        hand_over_lead(membership.team, to=to, on=max(self.on + ONE_DAY, membership.valid_from))
        return _("%(person)s leads from the next day on") % {"person": to}

    def _membership(self, membership: Any, to: Enumerator | None) -> str:
        leave_team(membership, on=self.on)
        return _("ended")

    def _task(self, task: Any, to: Enumerator | None) -> str:
        cancel_task(task, by=self.by, reason=self.reason)
        return _("cancelled")

    def _training(self, enrolment: Any, to: Enumerator | None) -> str:
        reply(enrolment, accepts=False, note=self.reason, by=self.by)
        return _("the seat is free")

    def _absence(self, absence: Any, to: Enumerator | None) -> str:
        begins_later = absence.first_day > self.on
        cut_absence(absence, on=self.on)
        return _("removed: it would have begun later") if begins_later else _("cut at the last day")

    def _contract(self, person: Enumerator, to: Enumerator | None) -> str:
        person.contract_to = self.on
        if person.contract_from is not None and person.contract_from > self.on:
            person.contract_from = None
        person.save(update_fields=["contract_from", "contract_to"])
        return _("ends on %(day)s") % {"day": date_format(self.on, "SHORT_DATE_FORMAT")}

    def _kobo(self, identity: Any, to: Enumerator | None) -> str:
        end_identity(identity, on=self.on)
        projects = KoboForm.objects.filter(is_active=True).order_by("server__name")
        servers = ", ".join(projects.values_list("server__name", flat=True).distinct())
        return _("ended here; remove the account from the projects at Kobo by hand: %(servers)s") % {
            "servers": servers or "KoboToolbox"
        }

    def _login(self, identity: Any, to: Enumerator | None) -> str:
        user = identity.user
        end_identity(identity, on=self.on)
        if has_other_roles(user):
            return _("not theirs as an enumerator any more; stays on for the other roles")
        # Without a password no session of before is good any more, not even after the login is switched on again.
        user.is_active = False
        user.set_unusable_password()
        user.save(update_fields=["is_active", "password"])
        return _("switched off, open sessions ended")

    def _right(self, right: Any, to: Enumerator | None) -> str:
        revoke_role(right.user, unit=right.unit, role=right.role)
        return _("taken away")

    def _token(self, token: Any, to: Enumerator | None) -> str:
        revoke_token(token)
        return _("revoked")
