"""Everything that a person of the roster holds on a day: what the leave wizard hands over, row by row."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from assessments.enums import PASSED_ON, FocusGroupStatus, Held, ReviewStatus, RoundStatus
from assessments.models import KoboForm, KoboSubmission, SessionAssignment
from dtm_ops.accounts.models import ApiToken, User
from locations.enums import Role
from locations.selectors import zones_of
from training.enums import SEATED, EnrolmentStatus, IdentityKind
from training.models import (
    Absence,
    Certificate,
    Enrolment,
    Enumerator,
    EnumeratorIdentity,
    TeamMembership,
    TrainingHalfDay,
)


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One thing that a person holds. ``words`` name it in a list, for somebody who does not know its key."""

    kind: Held
    row: Any
    words: str

    @property
    def key(self) -> str:
        return f"{self.kind.value}-{self.row.pk}"

    @property
    def passes_on(self) -> bool:
        return self.kind in PASSED_ON


@dataclass(frozen=True, slots=True)
class OpenWork:
    person: Enumerator
    on: date
    rows: tuple[HeldRow, ...] = ()

    @property
    def by_kind(self) -> list[tuple[Held, list[HeldRow]]]:
        groups = [(kind, [row for row in self.rows if row.kind == kind]) for kind in Held]
        return [(kind, rows) for kind, rows in groups if rows]

    @property
    def work(self) -> list[HeldRow]:
        """What other people wait for: without contract, accounts and rights."""
        return [row for row in self.rows if row.kind not in _OF_THE_OFFICE]


_OF_THE_OFFICE = (Held.CONTRACT, Held.KOBO, Held.LOGIN, Held.RIGHT, Held.TOKEN)


def open_work(person: Enumerator, on: date) -> OpenWork:
    """Everything that would reach beyond ``on``, the last day of work. A constant number of queries."""
    rows = [*_focus_groups(person), *_returned_forms(person), *_of_roster(person, on), *_of_office(person, on)]
    order = list(Held)
    return OpenWork(person, on, tuple(sorted(rows, key=lambda row: order.index(row.kind))))


def has_other_roles(user: User) -> bool:
    """Whether the login opens more than an enumerator's own page: then it stays on when the enumerator leaves."""
    return user.is_superuser or user.unit_scopes.exclude(role=Role.ENUMERATOR).exists()


def successors(work: OpenWork, people: Iterable[Enumerator]) -> dict[str, list[Enumerator]]:
    """For each row that can be passed on: who of ``people`` would not be refused, by the row's key.

    For a focus group: certified for its form on its day, free at its time, not absent. A constant number of queries.
    """
    rows = [row for row in work.rows if row.passes_on]
    candidates = [one for one in people if one.pk != work.person.pk]
    assignments = [row.row for row in rows if row.kind in (Held.FOCUS_GROUP, Held.FORM_TO_COME)]
    fits = _Fitness(assignments, candidates) if assignments else None
    return {
        row.key: [
            one
            for one in candidates
            if fits is None or row.kind not in (Held.FOCUS_GROUP, Held.FORM_TO_COME) or fits.fits(one, row.row)
        ]
        for row in rows
    }


class _Fitness:
    """Certificates, other focus groups and absences of the candidates, read once."""

    def __init__(self, assignments: list[SessionAssignment], people: list[Enumerator]) -> None:
        self.versions = _versions(assignments)
        keys = [one.pk for one in people]
        self.certificates: dict[int, list[Certificate]] = defaultdict(list)
        for proof in Certificate.objects.filter(enumerator__in=keys, revoked_on=None):
            self.certificates[proof.enumerator_id].append(proof)
        self.busy: dict[int, list[SessionAssignment]] = defaultdict(list)
        for other in SessionAssignment.objects.active().filter(enumerator__in=keys):
            self.busy[other.enumerator_id].append(other)
        self.absences: dict[int, list[Absence]] = defaultdict(list)
        for absence in Absence.objects.filter(enumerator__in=keys, last_day__gte=timezone.localdate()):
            self.absences[absence.enumerator_id].append(absence)

    def fits(self, person: Enumerator, assignment: SessionAssignment) -> bool:
        group = assignment.focus_group
        day = timezone.localtime(group.starts_at).date() if group.starts_at else timezone.localdate()
        kind, version = group.target.form_kind_id, self.versions.get((group.target.round_id, group.target.form_kind_id))
        return (
            any(
                (proof.form_kind_id, proof.major_version) == (kind, version or 1) and proof.is_valid_on(day)
                for proof in self.certificates[person.pk]
            )
            and not any(clash(other, assignment) for other in self.busy[person.pk])
            and not any(one.first_day <= day <= one.last_day for one in self.absences[person.pk])
        )


def clash(other: SessionAssignment, wanted: SessionAssignment) -> bool:
    """Whether the database refuses both for one person: the same focus group, or two at one time."""
    if other.focus_group_id == wanted.focus_group_id:
        return True
    times = (other.busy_from, other.busy_until, wanted.busy_from, wanted.busy_until)
    if not all(times):
        return False
    begins, ends, wanted_begins, wanted_ends = (moment for moment in times if moment)
    return begins < wanted_ends and wanted_begins < ends


def _versions(assignments: Iterable[SessionAssignment]) -> Mapping[tuple[int, int], int]:
    rounds = {one.focus_group.target.round_id for one in assignments}
    forms = KoboForm.objects.filter(round__in=rounds, is_active=True).order_by("-pk")
    return {(form.round_id, form.form_kind_id): form.major_version for form in forms}


def _focus_groups(person: Enumerator) -> Iterator[HeldRow]:
    """Those to come, and those that are over and whose form nobody has sent (a draft on the phone, or paper)."""
    now = timezone.now()
    sent = KoboSubmission.objects.counted().exclude(review_status=ReviewStatus.REJECTED)
    sent = sent.filter(
        Q(focus_group=OuterRef("focus_group"))
        | Q(focus_group=None, target=OuterRef("focus_group__target"))
        | Q(target=OuterRef("focus_group__target"), enumerator=person)
    )
    coming = Q(focus_group__status=FocusGroupStatus.PLANNED) & (
        Q(focus_group__starts_at=None) | Q(focus_group__ends_at__gte=now)
    )
    over = Q(focus_group__status__in=(FocusGroupStatus.PLANNED, FocusGroupStatus.HELD)) & ~Exists(sent)
    rows = list(
        SessionAssignment.objects.active()
        .filter(coming | (over & ~Q(focus_group__target__round__status=RoundStatus.CLOSED)), enumerator=person)
        .select_related("focus_group__target__unit", "focus_group__target__form_kind", "focus_group__target__round")
        .order_by("focus_group__starts_at", "focus_group__code")
    )
    zones = zones_of([row.focus_group.target.unit for row in rows])
    for row in rows:
        group = row.focus_group
        is_coming = group.status == FocusGroupStatus.PLANNED and (group.ends_at is None or group.ends_at >= now)
        starts = group.starts_at.astimezone(zones[group.target.unit_id]) if group.starts_at else None
        parts = [str(group), _moment(starts), row.get_role_display()]
        yield HeldRow(Held.FOCUS_GROUP if is_coming else Held.FORM_TO_COME, row, ", ".join(parts))


def _returned_forms(person: Enumerator) -> Iterator[HeldRow]:
    rows = KoboSubmission.objects.counted().filter(enumerator=person, review_status=ReviewStatus.RETURNED)
    for row in rows.select_related("unit", "form__form_kind", "form__round").order_by("kobo_id"):
        words = _("no. %(number)s, %(kind)s") % {"number": row.kobo_id, "kind": row.form.form_kind}
        yield HeldRow(Held.RETURNED_FORM, row, f"{words}, {row.unit}" if row.unit else words)


def _of_roster(person: Enumerator, on: date) -> Iterator[HeldRow]:
    for member in _beyond(TeamMembership.objects, person, on, last="valid_to").select_related("team"):
        yield HeldRow(Held.LEAD if member.is_lead else Held.MEMBERSHIP, member, str(member.team))
    for task in person.corrective_tasks.open().order_by("due_on", "pk"):
        yield HeldRow(Held.TASK, task, _("%(task)s, due on %(day)s") % {"task": task, "day": _day(task.due_on)})
    half_days = TrainingHalfDay.objects.filter(training_session=OuterRef("training_session"))
    enrolments = Enrolment.objects.filter(
        Exists(half_days.filter(day__gt=on)) | ~Exists(half_days),
        enumerator=person,
        status__in=(*SEATED, EnrolmentStatus.WAITING),
    )
    for enrolment in enrolments.select_related("training_session").order_by("training_session__code"):
        yield HeldRow(Held.TRAINING, enrolment, f"{enrolment.training_session}, {enrolment.get_status_display()}")
    for absence in person.absences.filter(last_day__gt=on).order_by("first_day"):
        period = f"{_day(absence.first_day)} – {_day(absence.last_day)}"
        yield HeldRow(Held.ABSENCE, absence, f"{absence.get_kind_display()}, {period}")


def _of_office(person: Enumerator, on: date) -> Iterator[HeldRow]:
    if person.contract_to is None or person.contract_to > on:
        until = _day(person.contract_to) if person.contract_to else _("without an end")
        yield HeldRow(Held.CONTRACT, person, f"{person.organisation}, {until}" if person.organisation else until)
    identities = _beyond(EnumeratorIdentity.objects, person, on, last="valid_to")
    for one in identities.filter(kind__in=(IdentityKind.KOBO, IdentityKind.LOGIN)).select_related("user"):
        kind = Held.KOBO if one.kind == IdentityKind.KOBO else Held.LOGIN
        yield HeldRow(kind, one, one.user.username if one.user else one.value)
    if person.user is None:
        return
    for right in person.user.unit_scopes.filter(role=Role.ENUMERATOR).select_related("unit").order_by("pk"):
        yield HeldRow(Held.RIGHT, right, f"{right.get_role_display()}, {right.unit}")
    if not has_other_roles(person.user):
        for token in ApiToken.objects.filter(user=person.user, revoked_at=None).order_by("pk"):
            yield HeldRow(Held.TOKEN, token, token.name)


def _beyond(rows: Any, person: Enumerator, on: date, *, last: str) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.filter(Q(**{last: None}) | Q(**{f"{last}__gt": on}), enumerator=person)
    return found.order_by("valid_from", "pk")


def _moment(moment: datetime | None) -> str:
    return date_format(moment, "SHORT_DATETIME_FORMAT") if moment else _("without a date")


def _day(day: date) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")
