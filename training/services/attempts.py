"""Results of tests: typed on the desk, read from a file, or the check of a corrective task. Nobody else writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from training.enums import SEATED, CorrectiveStatus, TestPart
from training.models import CorrectiveTask, Enrolment, Enumerator, TestAttempt, TrainingSession
from training.selectors.certification import pass_marks_of
from training.services.corrective import close_passed

# What the columns hold: four digits before the point, two behind it.
_MOST: Final = Decimal("9999.99")
_STEP: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Score:
    """One result as somebody wrote it down. ``number`` where the writer saw which attempt it would be: if somebody
    else wrote one meanwhile, this one is refused.
    """

    enumerator: Enumerator
    part: str
    points: Decimal
    taken_on: date
    out_of: Decimal = Decimal(100)
    examiner: str = ""
    note: str = ""
    number: int | None = None


class ScoresRefused(Refused):
    """Nothing was written. ``faults`` says what is wrong with which score, by its place in the list."""

    code = "scores_refused"

    def __init__(self, faults: Mapping[int, str]) -> None:
        super().__init__(" ".join(dict.fromkeys(faults.values())))
        self.faults = dict(faults)


@dataclass(slots=True)
class ScoreBook:
    """What the scores of one training are held against."""

    marks: Mapping[str, int | None]
    first_day: date | None
    seated: frozenset[int]
    numbers: dict[tuple[int, str], int] = field(default_factory=dict)


def record_attempt(
    enumerator: Enumerator,
    *,
    part: str,
    points: Decimal,
    taken_on: date,
    by: User | None,
    training_session: TrainingSession | None = None,
    corrective_task: CorrectiveTask | None = None,
    out_of: Decimal = Decimal(100),
    examiner: str = "",
    note: str = "",
) -> TestAttempt:
    """Of a training or of a corrective task; a passed check closes the task, a failed one leaves it open."""
    score = Score(enumerator, part, points, taken_on, out_of=out_of, examiner=examiner, note=note)
    if training_session is not None and corrective_task is None:
        return record_attempts(training_session, [score], by=by)[0]
    if corrective_task is not None and training_session is None:
        return _record_check(corrective_task, score, by=by)
    raise Refused(_("An attempt belongs to a training session or to a corrective task."), code="of_one_thing")


@transaction.atomic
def record_attempts(
    training_session: TrainingSession, scores: Sequence[Score], *, by: User | None
) -> list[TestAttempt]:
    """A whole sheet, all of it or nothing. Each attempt keeps the pass mark in force now.

    The training's row is held meanwhile: two sheets at once are counted one after the other.
    """
    training_session = TrainingSession.objects.select_for_update(no_key=True).get(pk=training_session.pk)
    book = open_book(training_session)
    faults = {}
    attempts = []
    for place, score in enumerate(scores):
        number = book.numbers.get((score.enumerator.pk, score.part), 0) + 1
        if fault := " ".join(faults_of(score, book).values()) or _outdated(score, number):
            faults[place] = fault
            continue
        book.numbers[score.enumerator.pk, score.part] = number
        mark = book.marks[score.part] or 0
        attempts.append(_attempt(score, number=number, pass_mark=mark, by=by, training_session=training_session))
    if faults:
        raise ScoresRefused(faults)
    return TestAttempt.objects.bulk_create(attempts)


@transaction.atomic
def correct_attempt(
    attempt: TestAttempt, *, points: Decimal, out_of: Decimal, taken_on: date, note: str, by: User
) -> None:
    """Mend what was typed wrongly; number and pass mark stay, the old values stay in the attempt's history.

    A check of a corrective task is not mended: its task has moved by it.
    """
    if attempt.training_session is None:
        raise Refused(_("The check of a corrective task is not corrected: record another."), code="is_a_check")
    if not note.strip():
        raise Refused(_("Say why the result is corrected."), code="reason_missing")
    book = open_book(attempt.training_session)
    score = Score(attempt.enumerator, attempt.part, points, taken_on, out_of=out_of)
    if fault := _points_fault(score) or _day_fault(taken_on, book.first_day):
        raise Refused(fault, code="score_refused")
    attempt.points, attempt.out_of, attempt.taken_on, attempt.note = points, out_of, taken_on, note.strip()
    attempt.recorded_by = by
    attempt.save(update_fields=["points", "out_of", "taken_on", "note", "recorded_by"])
    attempt.refresh_from_db()


def _record_check(task: CorrectiveTask, score: Score, *, by: User | None) -> TestAttempt:
    with transaction.atomic():
        task = CorrectiveTask.objects.select_for_update().get(pk=task.pk)
        if task.enumerator_id != score.enumerator.pk:
            raise Refused(_("This task belongs to another person."), code="not_enrolled")
        if task.status != CorrectiveStatus.OPEN:
            raise Refused(_("This task is not open any more."), code="task_not_open")
        raised_on = timezone.localdate(task.raised_at)
        if fault := _part_fault(score.part) or _points_fault(score) or _day_fault(score.taken_on, raised_on):
            raise Refused(fault, code="score_refused")
        attempt = _attempt(score, number=task.checks.count() + 1, pass_mark=task.pass_mark, by=by, corrective_task=task)
        attempt.save()
        attempt.refresh_from_db(fields=["passed"])
        if attempt.passed:
            close_passed(task, by=by)
        return attempt


def open_book(training_session: TrainingSession) -> ScoreBook:
    """Read once for many scores: three queries."""
    counted = TestAttempt.objects.filter(training_session=training_session).order_by()
    seats = Enrolment.objects.filter(training_session=training_session, status__in=SEATED)
    return ScoreBook(
        marks=pass_marks_of(training_session),
        first_day=training_session.half_days.order_by("day").values_list("day", flat=True).first(),
        seated=frozenset(seats.values_list("enumerator_id", flat=True)),
        numbers={
            (person, part): number
            for person, part, number in counted.values_list("enumerator_id", "part").annotate(Max("number"))
        },
    )


def _attempt(score: Score, *, number: int, pass_mark: int, by: User | None, **of: object) -> TestAttempt:
    return TestAttempt(
        enumerator=score.enumerator, part=score.part, number=number, points=score.points, out_of=score.out_of,
        pass_mark=pass_mark, taken_on=score.taken_on, examiner=score.examiner.strip(), note=score.note.strip(),
        recorded_by=by, **of,
    )  # fmt: skip


def faults_of(score: Score, book: ScoreBook) -> dict[str, str]:
    """Why the score cannot be written, in words, by what is wrong with it; empty: it can."""
    part = _part_fault(score.part)
    if not part and book.marks[score.part] is None:
        part = _("This training has no such test: %(part)s.") % {"part": TestPart(score.part).label}
    seat = ""
    if score.enumerator.pk not in book.seated:
        seat = _("%(person)s has no seat in this training session.") % {"person": score.enumerator}
    found = {
        "enumerator": seat,
        "part": part,
        "points": _points_fault(score),
        "taken_on": _day_fault(score.taken_on, book.first_day),
    }
    return {what: sentence for what, sentence in found.items() if sentence}


def _outdated(score: Score, number: int) -> str:
    if score.number is None or score.number == number:
        return ""
    return _("Somebody recorded another attempt of %(person)s meanwhile.") % {"person": score.enumerator}


def _part_fault(part: str) -> str:
    return "" if part in TestPart.values else _("“%(part)s” is no part of a test.") % {"part": part}


def _points_fault(score: Score) -> str:
    if not (score.points.is_finite() and score.out_of.is_finite()) or not 0 < score.out_of <= _MOST:
        return _("The most that can be had is a number above 0 and at most %(most)s.") % {"most": _MOST}
    if not 0 <= score.points <= score.out_of:
        return _("Points lie between 0 and %(most)s.") % {"most": _shown(score.out_of)}
    if any(number != number.quantize(_STEP) for number in (score.points, score.out_of)):
        return _("Points have at most two digits behind the point.")
    return ""


def _day_fault(taken_on: date, first_day: date | None) -> str:
    if taken_on > timezone.localdate():
        return _("This day is still to come.")
    if first_day is not None and taken_on < first_day:
        return _("This day is before the beginning: %(day)s.") % {"day": date_format(first_day, "SHORT_DATE_FORMAT")}
    return ""


def _shown(number: Decimal) -> str:
    return f"{number.normalize():f}"
