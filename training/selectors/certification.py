"""The rule for certificates, and what speaks against a person: asked before, after and instead of certifying."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from training.enums import ATTENDED, SEATED, TestPart
from training.models import Attendance, Enrolment, Enumerator, TestAttempt, TrainingHalfDay, TrainingSession


@dataclass(frozen=True, slots=True)
class Standing:
    """An enrolled person before the rule: a seat, every half-day (late counts), every test of the training passed."""

    enrolment: Enrolment
    missed: tuple[TrainingHalfDay, ...]
    tests: tuple[str, ...]

    @property
    def enumerator(self) -> Enumerator:
        return self.enrolment.enumerator

    @property
    def meets_rule(self) -> bool:
        return not self.reasons

    @property
    def reasons(self) -> list[str]:
        """Everything that is missing, in the reader's language."""
        if self.enumerator.merged_into_id is not None:
            return [_("is entered twice: the other entry counts")]
        found = []
        if self.enrolment.status not in SEATED:
            found.append(_("has no seat: %(status)s") % {"status": self.enrolment.get_status_display()})
        if self.missed:
            days = ", ".join(map(str, self.missed))
            found.append(_("missed, or not recorded: %(half_days)s") % {"half_days": days})
        return [*found, *self.tests]


def pass_marks_of(training_session: TrainingSession) -> dict[str, int | None]:
    """Percent by part; None: the training has no such test."""
    return {
        TestPart.THEORY: training_session.theory_pass_mark,
        TestPart.PRACTICAL: training_session.practical_pass_mark,
    }


def standings(training_session: TrainingSession, *, on: date | None = None) -> list[Standing]:
    """Everybody enrolled, by code. With ``on``, tests taken later do not count yet. A constant number of queries.

    Not recorded counts as missed: the certificate stands on the record.
    """
    half_days = list(training_session.half_days.all())
    there = set(
        Attendance.objects.filter(enrolment__training_session=training_session, state__in=ATTENDED).values_list(
            "enrolment_id", "half_day_id"
        )
    )
    asked = [part for part, mark in pass_marks_of(training_session).items() if mark is not None]
    taken: dict[tuple[int, str], list[TestAttempt]] = defaultdict(list)
    for attempt in TestAttempt.objects.filter(training_session=training_session, part__in=asked).order_by("number"):
        taken[attempt.enumerator_id, attempt.part].append(attempt)
    enrolments = training_session.enrolments.select_related("enumerator").order_by("enumerator__code")
    return [
        Standing(
            enrolment,
            tuple(day for day in half_days if (enrolment.pk, day.pk) not in there),
            tuple(_failings(asked, taken, enrolment.enumerator_id, on)),
        )
        for enrolment in enrolments
    ]


def why_not_certified(training_session: TrainingSession, *, on: date | None = None) -> dict[Enumerator, list[str]]:
    """The enrolled people who do not meet the rule, by code, each with everything that is missing, in words."""
    return {one.enumerator: one.reasons for one in standings(training_session, on=on) if not one.meets_rule}


def best_of(attempts: Iterable[TestAttempt]) -> TestAttempt | None:
    """The one with the largest share of the points; of equal ones the first."""
    return max(attempts, key=share_of, default=None)


def share_of(attempt: TestAttempt) -> Decimal:
    return attempt.points / attempt.out_of


def percent_of(attempt: TestAttempt) -> str:
    """Whole percent, cut and not rounded: 69.9 of 100 is no 70."""
    return f"{int(share_of(attempt) * 100)}\N{NO-BREAK SPACE}%"


def _failings(
    asked: Iterable[str], taken: Mapping[tuple[int, str], list[TestAttempt]], person: int, on: date | None
) -> Iterable[str]:
    for part in asked:
        label = TestPart(part).label
        attempts = taken.get((person, part), [])
        passed = [one for one in attempts if one.passed]
        if any(on is None or one.taken_on <= on for one in passed):
            continue
        best = best_of(attempts)
        if passed:
            day = date_format(min(one.taken_on for one in passed), "SHORT_DATE_FORMAT")
            yield _("%(test)s: passed only on %(day)s") % {"test": label, "day": day}
        elif best is None:
            yield _("%(test)s: not taken") % {"test": label}
        else:
            words = {"test": label, "best": percent_of(best), "mark": f"{best.pass_mark}\N{NO-BREAK SPACE}%"}
            yield _("%(test)s: not passed, best result %(best)s, pass mark %(mark)s") % words
