"""Why a target stands where it stands, in words: who, when, and what was said. For any number of targets, the same
number of queries.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assessments.enums import IN_REVIEW, Bucket, FocusGroupStatus, ReturnReason, ReviewStatus, TargetStatus
from assessments.models import FocusGroupSession, KoboSubmission, RoundTarget, SessionAssignment
from dtm_ops.records.models import StatusChange
from locations.models import AdminUnit
from locations.selectors import zones_of


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target with the places that it lies in (from the region down, without the country), its bucket, and why.

    ``day`` is the day that the bucket speaks of: of the decision, of the focus group. ``submission`` and
    ``focus_group`` are what the sentence speaks of; None: nothing is there yet.
    """

    target: RoundTarget
    parents: tuple[AdminUnit, ...]
    bucket: str
    why: str
    day: datetime | None = None
    people: tuple[str, ...] = ()
    submission: KoboSubmission | None = None
    focus_group: FocusGroupSession | None = None

    @property
    def place(self) -> str:
        return self.target.unit.name

    @property
    def bucket_label(self) -> str:
        return str(Bucket(self.bucket).label)


@dataclass(frozen=True, slots=True)
class _Reason:
    why: str
    day: datetime | None = None
    submission: KoboSubmission | None = None
    focus_group: FocusGroupSession | None = None
    people: tuple[str, ...] = ()


@dataclass(slots=True)
class _Known:
    """Everything that the sentences need, of all targets at once, by keys."""

    now: datetime
    zones: Mapping[int, ZoneInfo]
    submissions: dict[int, list[KoboSubmission]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[int, list[FocusGroupSession]] = field(default_factory=lambda: defaultdict(list))
    people: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    decisions: dict[int, StatusChange] = field(default_factory=dict)
    statuses: dict[int, StatusChange] = field(default_factory=dict)


def explain_targets(targets: Iterable[RoundTarget], *, now: datetime | None = None) -> list[TargetRow]:
    """In the order given. Each target needs its ``bucket`` (`with_bucket`), its unit and its form kind loaded."""
    rows = list(targets)
    known = _read(rows, now or timezone.now())
    parents = _parents([target.unit for target in rows])
    return [_explain(target, known=known, parents=parents[target.unit_id]) for target in rows]


def _explain(target: RoundTarget, *, known: _Known, parents: tuple[AdminUnit, ...]) -> TargetRow:
    bucket: str = target.bucket  # type: ignore[attr-defined]  # annotated by with_bucket
    reason = _SENTENCES[Bucket(bucket)](target, known)
    return TargetRow(
        target=target,
        parents=parents,
        bucket=bucket,
        why=reason.why,
        day=reason.day,
        people=reason.people,
        submission=reason.submission,
        focus_group=reason.focus_group,
    )


# --- what is known


def _read(targets: Sequence[RoundTarget], now: datetime) -> _Known:
    keys = [target.pk for target in targets]
    known = _Known(now=now, zones=zones_of([target.unit for target in targets]))
    submissions = (
        KoboSubmission.objects.counted().filter(target__in=keys).select_related("enumerator", "form__form_kind")
    )
    for submission in submissions.order_by("kobo_id"):
        known.submissions[submission.target_id or 0].append(submission)
    for group in FocusGroupSession.objects.filter(target__in=keys).order_by("starts_at", "pk"):
        known.groups[group.target_id].append(group)
    assigned = SessionAssignment.objects.active().filter(focus_group__target__in=keys).select_related("enumerator")
    for assignment in assigned.order_by("role", "pk"):
        known.people[assignment.focus_group_id].append(assignment.enumerator.full_name)
    decided = [one.pk for ones in known.submissions.values() for one in ones]
    known.decisions = _last_changes(KoboSubmission, decided, field_name="review_status")
    closed = [target.pk for target in targets if target.status != TargetStatus.OPEN]
    known.statuses = _last_changes(RoundTarget, closed, field_name="status")
    return known


def _last_changes(model: type[Model], keys: Sequence[int], *, field_name: str) -> dict[int, StatusChange]:
    changes = StatusChange.objects.filter(
        subject_type=ContentType.objects.get_for_model(model), subject_id__in=keys, field=field_name
    ).select_related("by")
    return {change.subject_id: change for change in changes.order_by("at", "pk")}


def _parents(units: Sequence[AdminUnit]) -> dict[int, tuple[AdminUnit, ...]]:
    """By the unit's key. The country is above every place and is left out."""
    steps = {unit.pk: unit.path.rstrip("/").split("/")[1:-1] for unit in units}
    wanted = {unit_id for way in steps.values() for unit_id in way}
    found = {unit.unit_id: unit for unit in AdminUnit.objects.filter(unit_id__in=wanted)}
    return {key: tuple(found[unit_id] for unit_id in way if unit_id in found) for key, way in steps.items()}


# --- the sentences, one a bucket


def _covered(target: RoundTarget, known: _Known) -> _Reason:
    approved = [one for one in known.submissions[target.pk] if one.review_status == ReviewStatus.APPROVED]
    submission = approved[-1]
    decision = known.decisions.get(submission.pk)
    if decision is None:
        return _Reason(_("The form is approved."), submission=submission)
    words = {"person": _who(decision), "day": _day(decision.at)}
    if len(approved) == 1:
        sentence = _("Approved by %(person)s on %(day)s.") % words
    else:
        sentence = ngettext(
            "%(count)s form approved, the last by %(person)s on %(day)s.",
            "%(count)s forms approved, the last by %(person)s on %(day)s.",
            len(approved),
        ) % {"count": len(approved), **words}
    if submission.changed_after_approval:
        sentence = _join(sentence, _("The form was changed at Kobo after that; the approved content counts."))
    return _Reason(sentence, day=timezone.localtime(decision.at), submission=submission)


def _in_review(target: RoundTarget, known: _Known) -> _Reason:
    submission = [one for one in known.submissions[target.pk] if one.review_status in IN_REVIEW][-1]
    decision = known.decisions.get(submission.pk)
    if submission.review_status == ReviewStatus.APPROVED_FIRST and decision is not None:
        sentence = _("Approved once by %(person)s on %(day)s; the final approval is missing.") % {
            "person": _who(decision),
            "day": _day(decision.at),
        }
        return _Reason(sentence, day=timezone.localtime(decision.at), submission=submission)
    arrived = submission.submitted_at or submission.first_seen_at
    words = {"day": _day(arrived), "person": submission.enumerator.full_name if submission.enumerator else ""}
    if words["person"]:
        sentence = _("Form of %(day)s from %(person)s; nobody has decided yet.") % words
    else:
        sentence = _("Form of %(day)s; nobody has decided yet.") % words
    return _Reason(sentence, day=timezone.localtime(arrived), submission=submission)


def _returned(target: RoundTarget, known: _Known) -> _Reason:
    submission = [one for one in known.submissions[target.pk] if one.review_status == ReviewStatus.RETURNED][-1]
    decision = known.decisions.get(submission.pk)
    if decision is None:
        return _Reason(_("The form was returned."), submission=submission)
    sentence = _("Returned by %(person)s on %(day)s: %(reason)s.") % {
        "person": _who(decision),
        "day": _day(decision.at),
        "reason": _reason_words(decision),
    }
    return _Reason(_join(sentence, _quoted(decision.text)), day=timezone.localtime(decision.at), submission=submission)


def _held_no_form(target: RoundTarget, known: _Known) -> _Reason:
    group = [one for one in known.groups[target.pk] if one.status == FocusGroupStatus.HELD][-1]
    sentence = _("Focus group %(code)s was held on %(day)s; no form has come.") % {
        "code": group.code,
        "day": _day_there(group.starts_at, target, known),
    }
    return _of_group(_join(sentence, _rejected_words(target, known)), group, target, known)


def _excluded(target: RoundTarget, known: _Known) -> _Reason:
    return _of_status(_("Excluded."), _("Excluded by %(person)s on %(day)s."), target, known)


def _inaccessible(target: RoundTarget, known: _Known) -> _Reason:
    if target.status_until:
        until = date_format(target.status_until, "SHORT_DATE_FORMAT")
        plain = _("Inaccessible until %(until)s.") % {"until": until}
    else:
        plain = _("Inaccessible, no end known.")
    return _of_status(plain, _join(plain.replace("%", "%%"), _("Said by %(person)s on %(day)s.")), target, known)


def _shortfall(target: RoundTarget, known: _Known) -> _Reason:
    return _of_status(_("Closed without full coverage."), _("Closed by %(person)s on %(day)s."), target, known)


def _overdue(target: RoundTarget, known: _Known) -> _Reason:
    group = next(one for one in _manned(target, known) if one.ends_at and one.ends_at < known.now)
    sentence = _("Focus group %(code)s was planned for %(day)s with %(people)s; nobody said that it was held.") % {
        "code": group.code,
        "day": _day_there(group.starts_at, target, known),
        "people": ", ".join(known.people[group.pk]),
    }
    return _of_group(_join(sentence, _rejected_words(target, known)), group, target, known)


def _scheduled(target: RoundTarget, known: _Known) -> _Reason:
    group = next(one for one in _manned(target, known) if one.ends_at and one.ends_at >= known.now)
    sentence = _("Focus group %(code)s on %(time)s with %(people)s.") % {
        "code": group.code,
        "time": _time_there(group.starts_at, target, known),
        "people": ", ".join(known.people[group.pk]),
    }
    return _of_group(_join(sentence, _rejected_words(target, known)), group, target, known)


def _assigned_no_date(target: RoundTarget, known: _Known) -> _Reason:
    group = next(one for one in _manned(target, known) if one.starts_at is None)
    sentence = _("%(people)s assigned (focus group %(code)s); no date yet.") % {
        "people": ", ".join(known.people[group.pk]),
        "code": group.code,
    }
    return _of_group(_join(sentence, _rejected_words(target, known)), group, target, known)


def _unassigned(target: RoundTarget, known: _Known) -> _Reason:
    planned = [one for one in known.groups[target.pk] if one.status == FocusGroupStatus.PLANNED]
    rejected = _rejected_words(target, known)
    if not planned:
        cancelled = any(one.status == FocusGroupStatus.CANCELLED for one in known.groups[target.pk])
        sentence = (
            _("The focus group was cancelled, and no other is planned.") if cancelled else _("Nothing is planned.")
        )
        return _Reason(_join(sentence, rejected))
    group = planned[-1]
    words = {"code": group.code, "day": _day_there(group.starts_at, target, known)}
    if group.starts_at:
        sentence = _("Focus group %(code)s is planned for %(day)s; nobody is assigned.") % words
    else:
        sentence = _("Focus group %(code)s has no date, and nobody is assigned.") % words
    return _of_group(_join(sentence, rejected), group, target, known)


_SENTENCES = {
    Bucket.COVERED: _covered,
    Bucket.IN_REVIEW: _in_review,
    Bucket.RETURNED: _returned,
    Bucket.HELD_NO_FORM: _held_no_form,
    Bucket.EXCLUDED: _excluded,
    Bucket.INACCESSIBLE: _inaccessible,
    Bucket.SHORTFALL: _shortfall,
    Bucket.OVERDUE: _overdue,
    Bucket.SCHEDULED: _scheduled,
    Bucket.ASSIGNED_NO_DATE: _assigned_no_date,
    Bucket.UNASSIGNED: _unassigned,
}


def _of_status(plain: str, sentence: str, target: RoundTarget, known: _Known) -> _Reason:
    """``sentence`` names person and day; ``plain`` stands where no history says who."""
    change = known.statuses.get(target.pk)
    if change is None:
        return _Reason(_join(plain, _quoted(target.status_reason)))
    words = sentence % {"person": _who(change), "day": _day(change.at)}
    return _Reason(_join(words, _quoted(target.status_reason)), day=timezone.localtime(change.at))


def _of_group(sentence: str, group: FocusGroupSession, target: RoundTarget, known: _Known) -> _Reason:
    zone = known.zones[target.unit_id]
    day = group.starts_at.astimezone(zone) if group.starts_at else None
    return _Reason(sentence, day=day, focus_group=group, people=tuple(known.people[group.pk]))


def _manned(target: RoundTarget, known: _Known) -> list[FocusGroupSession]:
    """Planned ones with somebody to go, by date; those without a date last."""
    groups = [
        one for one in known.groups[target.pk] if one.status == FocusGroupStatus.PLANNED and known.people.get(one.pk)
    ]
    return sorted(groups, key=lambda one: (one.starts_at is None, one.starts_at or known.now, one.pk))


def _rejected_words(target: RoundTarget, known: _Known) -> str:
    rejected = [one for one in known.submissions[target.pk] if one.review_status == ReviewStatus.REJECTED]
    decision = known.decisions.get(rejected[-1].pk) if rejected else None
    if decision is None:
        return ""
    return _("A form was rejected by %(person)s on %(day)s: %(reason)s.") % {
        "person": _who(decision),
        "day": _day(decision.at),
        "reason": _reason_words(decision),
    }


def _reason_words(change: StatusChange) -> str:
    known = change.reason in ReturnReason.values
    return str(ReturnReason(change.reason).label) if known else change.reason or _("no reason given")


def _who(change: StatusChange) -> str:
    return str(change.by) if change.by else _("the system")


def _day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT")


def _day_there(moment: datetime | None, target: RoundTarget, known: _Known) -> str:
    """In the zone of the place: a focus group of the evening has that evening's date."""
    return date_format(moment.astimezone(known.zones[target.unit_id]), "SHORT_DATE_FORMAT") if moment else ""


def _time_there(moment: datetime | None, target: RoundTarget, known: _Known) -> str:
    return date_format(moment.astimezone(known.zones[target.unit_id]), "SHORT_DATETIME_FORMAT") if moment else ""


def _quoted(text: str) -> str:
    return _("“%(text)s”") % {"text": text} if text else ""


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
