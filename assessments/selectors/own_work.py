"""What an enumerator sees on the own page: focus groups, forms, what came back, what to learn again, certificates."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from assessments.enums import FocusGroupStatus, ReturnReason, ReviewStatus, RoundStatus
from assessments.kobo.prefill import prefilled_address, prefilled_answers
from assessments.models import FocusGroupSession, KoboForm, KoboSubmission, SessionAssignment
from assessments.querysets import KoboSubmissionQuerySet
from dtm_ops.common.zones import utc_offset
from dtm_ops.records.models import StatusChange
from locations.enums import REGION_LEVEL
from locations.models import AdminUnit
from locations.querysets import AnyUser, scope_of
from locations.selectors import zones_of
from training.models import Certificate, CorrectiveTask, Enumerator
from training.querysets import of_person


@dataclass(frozen=True, slots=True)
class OwnFocusGroup:
    """A focus group of the person. ``places`` from its own place up to the region; ``form`` None: none is connected."""

    assignment: SessionAssignment
    places: tuple[AdminUnit, ...]
    zone: tzinfo
    form: KoboForm | None
    is_over: bool

    @property
    def focus_group(self) -> FocusGroupSession:
        return self.assignment.focus_group

    @property
    def offset(self) -> str:
        """``UTC+5``: which clock the time is read on."""
        return utc_offset(self.focus_group.starts_at, self.zone)


@dataclass(frozen=True, slots=True)
class OwnForm:
    """A submission of the person. ``change``: the step that brought it where it is, for what came back."""

    submission: KoboSubmission
    places: tuple[AdminUnit, ...]
    zone: tzinfo
    change: StatusChange | None = None

    @property
    def reason(self) -> str:
        code = self.change.reason if self.change else ""
        return str(ReturnReason(code).label) if code in ReturnReason.values else code


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    certificate: Certificate
    is_valid: bool


@dataclass(frozen=True, slots=True)
class OwnTask:
    task: CorrectiveTask
    is_overdue: bool


def person_of(user: AnyUser) -> Enumerator | None:
    """The person of the roster that the user is; None: the login is not linked with one, or has not the role."""
    return Enumerator.objects.filter(of_person(user, scope_of(user), login="user")).first()


def own_focus_groups(person: Enumerator, *, now: datetime | None = None) -> list[OwnFocusGroup]:
    """Those still to come, and those that are over and whose form has not come in; of rounds that are not closed.

    Without a date last. A constant number of queries.
    """
    now = now or timezone.now()
    sent = KoboSubmission.objects.counted().exclude(review_status=ReviewStatus.REJECTED)
    sent = sent.filter(target=OuterRef("focus_group__target"), enumerator=person)
    waiting = Q(focus_group__status=FocusGroupStatus.PLANNED) | Q(focus_group__status=FocusGroupStatus.HELD)
    rows = list(
        SessionAssignment.objects.active()
        .filter(waiting, ~Exists(sent), enumerator=person)
        .exclude(focus_group__target__round__status=RoundStatus.CLOSED)
        .select_related("focus_group__target__unit", "focus_group__target__form_kind", "focus_group__target__round")
        .order_by("focus_group__starts_at", "focus_group__code")
    )
    units = [row.focus_group.target.unit for row in rows]
    above, zones, forms = places_above(units), zones_of(units), _forms_of(rows)
    return [
        OwnFocusGroup(
            assignment=row,
            places=above[row.focus_group.target.unit_id],
            zone=zones[row.focus_group.target.unit_id],
            form=forms.get((row.focus_group.target.round_id, row.focus_group.target.form_kind_id)),
            is_over=row.focus_group.status == FocusGroupStatus.HELD
            or (row.focus_group.ends_at is not None and row.focus_group.ends_at < now),
        )
        for row in rows
    ]


def own_focus_group(person: Enumerator, code: str) -> tuple[FocusGroupSession, KoboForm] | None:
    """A focus group that the person is in, with the form that it is filled in; None: not theirs, or no form."""
    row = (
        SessionAssignment.objects.active()
        .filter(enumerator=person, focus_group__code=code)
        .exclude(focus_group__status=FocusGroupStatus.CANCELLED)
        .select_related("focus_group__target__unit__parent", "focus_group__target__round")
        .first()
    )
    if row is None:
        return None
    target = row.focus_group.target
    form = _forms_of([row]).get((target.round_id, target.form_kind_id))
    return (row.focus_group, form) if form else None


def form_address(
    focus_group: FocusGroupSession, form: KoboForm, *, person: Enumerator, page: str, **options: str
) -> str:
    """Where the form opens with the focus group, the person, the round and the place chosen. Reads two places."""
    target = focus_group.target
    region = next((one for one in places_above([target.unit])[target.unit_id] if one.level == REGION_LEVEL), None)
    answers = prefilled_answers(
        form.mapping,
        head={
            "focus_group": focus_group.code,
            "enumerator": person.code,
            "round": target.round.code,
            "unit": target.unit.unit_id,
        },
        places={
            "region": region.unit_id if region else "",
            "parent": target.unit.parent.unit_id if target.unit.parent else "",
        },
    )
    return prefilled_address(page, answers, **options)


def returned_forms(person: Enumerator) -> list[OwnForm]:
    """What came back for correction, the oldest return first, each with who returned it, when and why."""
    rows = list(_own(person).filter(review_status=ReviewStatus.RETURNED))
    changes = _last_returns(rows)
    forms = _with_places(rows, changes)
    return sorted(forms, key=lambda form: (form.change.at if form.change else timezone.now(), form.submission.pk))


def sent_forms(person: Enumerator) -> KoboSubmissionQuerySet:
    """Everything that the person sent and that did not come back, newest first: for a paginator, then `with_places`."""
    return _own(person).exclude(review_status=ReviewStatus.RETURNED).order_by("-submitted_at", "-kobo_id")


def with_places(rows: Iterable[KoboSubmission]) -> list[OwnForm]:
    return _with_places(list(rows), {})


def returned_form(person: Enumerator, kobo_id: int) -> KoboSubmission | None:
    """Kobo's ids are one series a server; with several servers the newest row is meant."""
    found = _own(person).filter(review_status=ReviewStatus.RETURNED, kobo_id=kobo_id).select_related("server")
    return found.order_by("-pk").first()


def own_certificates(person: Enumerator, *, on: date | None = None) -> list[OwnCertificate]:
    day = on or timezone.localdate()
    rows = Certificate.objects.filter(enumerator=person).select_related("form_kind", "training_session")
    return [OwnCertificate(row, row.is_valid_on(day)) for row in rows.order_by("form_kind__order", "-issued_on")]


def own_tasks(person: Enumerator, *, on: date | None = None) -> list[OwnTask]:
    """What the person is to learn again, the most urgent first."""
    day = on or timezone.localdate()
    rows = CorrectiveTask.objects.open().filter(enumerator=person).select_related("form_kind")
    return [OwnTask(row, is_overdue=row.due_on < day) for row in rows.order_by("due_on", "pk")]


def places_above(units: Iterable[AdminUnit]) -> dict[int, tuple[AdminUnit, ...]]:
    """Each place with what it lies in, from itself up to its region, by the place's key. One query for all."""
    steps = {unit.pk: unit.path.rstrip("/").split("/") for unit in units}
    wanted = {unit_id for way in steps.values() for unit_id in way}
    found = {unit.unit_id: unit for unit in AdminUnit.objects.filter(unit_id__in=wanted, level__gte=REGION_LEVEL)}
    return {key: tuple(found[unit_id] for unit_id in reversed(way) if unit_id in found) for key, way in steps.items()}


def _own(person: Enumerator) -> KoboSubmissionQuerySet:
    rows: KoboSubmissionQuerySet = KoboSubmission.objects.present().filter(enumerator=person)
    return rows.select_related("unit", "form__form_kind", "form__round", "focus_group")


def _with_places(rows: list[KoboSubmission], changes: Mapping[int, StatusChange]) -> list[OwnForm]:
    units = [row.unit for row in rows if row.unit is not None]
    above, zones = places_above(units), zones_of(units)
    default = timezone.get_default_timezone()
    return [
        OwnForm(row, above.get(row.unit_id or 0, ()), zones.get(row.unit_id or 0, default), changes.get(row.pk))
        for row in rows
    ]


def _last_returns(rows: list[KoboSubmission]) -> dict[int, StatusChange]:
    steps = StatusChange.objects.filter(
        subject_type=ContentType.objects.get_for_model(KoboSubmission),
        subject_id__in=[row.pk for row in rows],
        field="review_status",
        new=ReviewStatus.RETURNED,
    )
    last = steps.order_by("subject_id", "-at", "-pk").distinct("subject_id").select_related("by")
    return {step.subject_id: step for step in last}


def _forms_of(rows: Iterable[SessionAssignment]) -> dict[tuple[int, int], KoboForm]:
    """The connected form by round and form kind; of several, the one connected last."""
    rounds = {row.focus_group.target.round_id for row in rows}
    forms = KoboForm.objects.filter(round__in=rounds, is_active=True).select_related("server").order_by("pk")
    return {(form.round_id, form.form_kind_id): form for form in forms}
