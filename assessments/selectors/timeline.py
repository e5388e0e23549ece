"""What happened with a person of the roster, in one line of time: training, certificates, work, absence, status."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from assessments.enums import FocusGroupStatus, ReturnReason, ReviewStatus, TimelineKind
from assessments.models import KoboSubmission, SessionAssignment
from dtm_ops.records.models import Receipt, StatusChange
from training.enums import AttendanceState, CorrectiveStatus, EnumeratorStatus
from training.models import Absence, Certificate, CorrectiveTask, Enrolment, Enumerator, TeamMembership, TestAttempt
from training.selectors.duplicates import TWO_PEOPLE

_REVIEWS = (ReviewStatus.APPROVED_FIRST, ReviewStatus.APPROVED, ReviewStatus.RETURNED, ReviewStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class Event:
    """``tone``: a class of the stylesheet. ``row``: what the line is about, for a link. Without ``has_hour``: a day."""

    at: datetime
    kind: TimelineKind
    title: str
    text: str = ""
    tone: str = ""
    row: Any = None
    has_hour: bool = False


def timeline(person: Enumerator, *, kind: str = "") -> list[Event]:
    """Newest first; what is still to come stands on top. ``kind`` narrows. A constant number of queries.

    What stayed with entries that were merged into this one is told here, too: it is the same person's.
    """
    people = [person.pk, *Enumerator.objects.filter(merged_into=person).values_list("pk", flat=True)]
    sources = {
        TimelineKind.FIELDWORK: _focus_groups,
        TimelineKind.FORM: _forms,
        TimelineKind.TRAINING: _trainings,
        TimelineKind.TEST: _tests,
        TimelineKind.CERTIFICATE: _certificates,
        TimelineKind.TASK: _tasks,
        TimelineKind.ABSENCE: _absences,
        TimelineKind.TEAM: _teams,
        TimelineKind.STATUS: _status,
    }
    wanted = [read for one, read in sources.items() if kind in ("", one)]
    events = [event for read in wanted for event in read(people)]
    return sorted(events, key=lambda event: event.at, reverse=True)


def _focus_groups(people: Sequence[int]) -> Iterator[Event]:
    rows = SessionAssignment.objects.filter(enumerator__in=people)
    for row in rows.select_related("focus_group__target__unit", "focus_group__target__round"):
        group = row.focus_group
        words = [row.get_role_display(), group.target.round.code]
        if row.withdrawn_at is not None:
            tone, state = (
                "quiet",
                _("withdrawn on %(day)s") % {"day": _day(timezone.localtime(row.withdrawn_at).date())},
            )
        elif group.starts_at is None:
            tone, state = "warn", _("without a date")
        else:
            tone, state = ("ok" if group.status == FocusGroupStatus.HELD else "info"), group.get_status_display()
        title = _("Focus group %(group)s") % {"group": group}
        at = group.starts_at or row.assigned_at
        yield Event(at, TimelineKind.FIELDWORK, title, ", ".join([*words, state]), tone, group, has_hour=True)


def _forms(people: Sequence[int]) -> Iterator[Event]:
    rows = KoboSubmission.objects.filter(enumerator__in=people).select_related("unit", "form__form_kind")
    forms = {row.pk: row for row in rows.defer("current_revision", "approved_revision")}
    for row in forms.values():
        state = _("deleted at Kobo") if row.deleted_at else _("a trial") if row.is_trial else ""
        title = _("Form %(name)s sent") % {"name": _name_of(row)}
        yield Event(row.submitted_at or row.first_seen_at, TimelineKind.FORM, title, state, "info", row, has_hour=True)
    steps = StatusChange.objects.filter(
        subject_type=ContentType.objects.get_for_model(KoboSubmission),
        subject_id__in=list(forms),
        field="review_status",
        new__in=_REVIEWS,
    )
    titles = {
        ReviewStatus.APPROVED_FIRST: _("Form %(name)s approved once"),
        ReviewStatus.APPROVED: _("Form %(name)s approved"),
        ReviewStatus.RETURNED: _("Form %(name)s returned"),
        ReviewStatus.REJECTED: _("Form %(name)s rejected"),
    }
    for step in steps.select_related("by"):
        row, status = forms[step.subject_id], ReviewStatus(step.new)
        reason = str(ReturnReason(step.reason).label) if step.reason in ReturnReason.values else ""
        text = ". ".join(part for part in (reason, step.text) if part)
        title = titles[status] % {"name": _name_of(row)}
        yield Event(step.at, TimelineKind.FORM, title, text, status.value, row, has_hour=True)


def _trainings(people: Sequence[int]) -> Iterator[Event]:
    rows = Enrolment.objects.filter(enumerator__in=people).select_related("training_session")
    for row in rows.prefetch_related("training_session__half_days", "attendances"):
        half_days = sorted(row.training_session.half_days.all(), key=lambda one: (one.day, one.part))
        states = {one.half_day_id: one for one in row.attendances.all()}
        told = [
            f"{half_day}: {states[half_day.pk].get_state_display()}" for half_day in half_days if half_day.pk in states
        ]
        missed = any(one.state == AttendanceState.ABSENT for one in states.values())
        at = _at(half_days[0].day) if half_days else row.enrolled_at
        title = _("Training “%(title)s”") % {"title": row.training_session}
        tone = "warn" if missed else "ok" if told else "info"
        text = "; ".join(told) or str(row.get_status_display())
        yield Event(at, TimelineKind.TRAINING, title, text, tone, row.training_session)


def _tests(people: Sequence[int]) -> Iterator[Event]:
    rows = TestAttempt.objects.filter(enumerator__in=people).select_related("training_session", "corrective_task")
    for row in rows:
        about = row.corrective_task or row.training_session
        title = _("Test, %(part)s, attempt %(number)s: %(result)s") % {
            "part": row.get_part_display(),
            "number": row.number,
            "result": _("passed") if row.passed else _("not passed"),
        }
        points = _("%(points)s of %(most)s, pass mark %(mark)s %%") % {
            "points": row.points.normalize().to_eng_string(),
            "most": row.out_of.normalize().to_eng_string(),
            "mark": row.pass_mark,
        }
        text = f"{points} · {about}" if about else points
        yield Event(_at(row.taken_on), TimelineKind.TEST, title, text, "ok" if row.passed else "bad", about)


def _certificates(people: Sequence[int]) -> Iterator[Event]:
    today, kind = timezone.localdate(), TimelineKind.CERTIFICATE
    for row in Certificate.objects.filter(enumerator__in=people).select_related("form_kind", "training_session"):
        name = {"kind": f"{row.form_kind} {row.major_version}"}
        given = _("Certificate for %(kind)s given") % name
        yield Event(_at(row.issued_on), kind, given, f"{row.serial} · {row.training_session}", "ok", row)
        if row.revoked_on is not None:
            revoked = _("Certificate for %(kind)s revoked") % name
            yield Event(_at(row.revoked_on), kind, revoked, row.revocation_reason, "bad", row)
        over = row.expires_on + timedelta(days=1) if row.expires_on else None
        if over is not None and over <= today and (row.revoked_on is None or row.revoked_on > over):
            yield Event(_at(over), kind, _("Certificate for %(kind)s expired") % name, row.serial, "warn", row)


def _tasks(people: Sequence[int]) -> Iterator[Event]:
    tasks = {row.pk: row for row in CorrectiveTask.objects.filter(enumerator__in=people)}
    for row in tasks.values():
        text = _("%(reason)s Due on %(day)s.") % {"reason": f"{row.reason.rstrip('.')}.", "day": _day(row.due_on)}
        title = _("Corrective task: %(what)s") % {"what": row}
        yield Event(row.raised_at, TimelineKind.TASK, title, text, "warn", row, has_hour=True)
    about = ContentType.objects.get_for_model(CorrectiveTask)
    for step in StatusChange.objects.filter(subject_type=about, subject_id__in=list(tasks)):
        row, status = tasks[step.subject_id], CorrectiveStatus(step.new)
        title = _("Corrective task %(state)s: %(what)s") % {"state": status.label, "what": row}
        yield Event(step.at, TimelineKind.TASK, title, step.text, "info", row, has_hour=True)


def _absences(people: Sequence[int]) -> Iterator[Event]:
    for row in Absence.objects.filter(enumerator__in=people):
        title = _("Absent: %(kind)s") % {"kind": row.get_kind_display()}
        period = f"{_day(row.first_day)} – {_day(row.last_day)}"
        text = f"{period} · {row.note}" if row.note else period
        yield Event(_at(row.first_day), TimelineKind.ABSENCE, title, text, "quiet", row)


def _teams(people: Sequence[int]) -> Iterator[Event]:
    for row in TeamMembership.objects.filter(enumerator__in=people).select_related("team"):
        began = _("Leads %(team)s") if row.is_lead else _("Member of %(team)s")
        yield Event(_at(row.valid_from), TimelineKind.TEAM, began % {"team": row.team}, "", "info", row.team)
        if row.valid_to is not None:
            ended = _("Last day as lead of %(team)s") if row.is_lead else _("Last day in %(team)s")
            yield Event(_at(row.valid_to), TimelineKind.TEAM, ended % {"team": row.team}, "", "quiet", row.team)


def _status(people: Sequence[int]) -> Iterator[Event]:
    labels = dict(EnumeratorStatus.choices)
    about = {"subject_type": ContentType.objects.get_for_model(Enumerator), "subject_id__in": people}
    for step in StatusChange.objects.filter(**about, field="status").select_related("by"):
        title = _("Status: %(old)s → %(new)s") % {"old": labels.get(step.old, "–"), "new": labels[step.new]}
        text = " · ".join(part for part in (step.text, str(step.by or "")) if part)
        yield Event(step.at, TimelineKind.STATUS, title, text, "warn", None, has_hour=True)
    for receipt in receipts_of(people).select_related("by"):
        text = _("Receipt with %(count)s rows") % {"count": len(receipt.lines)}
        yield Event(receipt.at, TimelineKind.STATUS, receipt.title, text, "info", receipt, has_hour=True)


def receipts_of(people: Sequence[int]) -> QuerySet[Receipt]:
    """Of what was done to these entries. That somebody is not a second person is said of a pair, whose other half the
    reader may not reach.
    """
    about = ContentType.objects.get_for_model(Enumerator)
    return Receipt.objects.filter(subject_type=about, subject_id__in=people).exclude(kind=TWO_PEOPLE)


def _name_of(row: KoboSubmission) -> str:
    return f"{row.kobo_id}, {row.unit}" if row.unit else str(row.kobo_id)


def _at(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()), timezone.get_default_timezone())


def _day(day: date) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")
