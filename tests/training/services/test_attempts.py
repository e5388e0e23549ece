"""Results of tests and checks: what is counted, what is refused, what a check does to its task."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from dtm_ops.common.errors import Refused
from dtm_ops.records.models import StatusChange
from tests.concurrently import at_once
from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.models import TestAttempt, TrainingHalfDay
from training.services.attempts import Score, ScoresRefused, correct_attempt, record_attempt, record_attempts
from training.services.corrective import cancel_task, raise_task, reopen_task
from training.services.enrolment import enrol

pytestmark = pytest.mark.django_db

DAY = date(2022, 11, 11)


@pytest.fixture
def training():
    """Theory 70 %, no practical test, two days."""
    training = TrainingSessionFactory(theory_pass_mark=70)
    for day in (10, 11):
        TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, day), part="am")
    return training


@pytest.fixture
def people(training):
    people = [EnumeratorFactory(code=f"E{number}") for number in range(3)]
    enrol(training, people)
    return people


@pytest.fixture
def task(people):
    return raise_task(
        people[0], what="Ask for consent first", reason="Two forms without", due_on=timezone.localdate(), by=None
    )


def score(person, points="80", **options):
    return Score(person, **{"part": "theory", "points": Decimal(points), "taken_on": DAY} | options)


def attempts():
    return list(TestAttempt.objects.order_by("pk").values_list("enumerator__code", "number", "points", "passed"))


def check(task, points, **options):
    asked = {"part": "practical", "taken_on": timezone.localdate(), "by": None, "corrective_task": task} | options
    return record_attempt(task.enumerator, points=Decimal(points), **asked)


def test_attempts_are_counted_and_keep_their_pass_mark(training, people, coordinator):
    first = record_attempt(
        people[0], training_session=training, part="theory", points=Decimal("69.99"), taken_on=DAY, by=coordinator,
        examiner=" Demo Trainer ", note=" On paper ",
    )  # fmt: skip
    training.theory_pass_mark = 60
    training.save()
    record_attempts(
        training, [score(people[0], "65"), score(people[0], "30", out_of=Decimal(60)), score(people[1])], by=None
    )

    assert attempts() == [
        ("E0", 1, Decimal("69.99"), False),
        ("E0", 2, Decimal(65), True),
        ("E0", 3, Decimal(30), False),
        ("E1", 1, Decimal(80), True),
    ]
    assert (first.pass_mark, first.recorded_by, first.examiner, first.note) == (
        70, coordinator, "Demo Trainer", "On paper",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"part": "practical"}, "This training has no such test: practical."),
        ({"part": "dance"}, "“dance” is no part of a test."),
        ({"points": Decimal("100.01")}, "Points lie between 0 and 100."),
        ({"points": Decimal(-1)}, "Points lie between 0 and 100."),
        ({"points": Decimal("7.555")}, "Points have at most two digits behind the point."),
        ({"points": Decimal("NaN")}, "The most that can be had is a number above 0 and at most 9999.99."),
        ({"out_of": Decimal(0)}, "The most that can be had is a number above 0 and at most 9999.99."),
        ({"out_of": Decimal(10000)}, "The most that can be had is a number above 0 and at most 9999.99."),
        ({"taken_on": date(2022, 11, 9)}, "This day is before the beginning: 10 Nov 2022."),
        ({"taken_on": date(2999, 1, 1)}, "This day is still to come."),
        ({"number": 2}, "Somebody recorded another attempt of Ann (E0) meanwhile."),
    ],
)
def test_one_wrong_score_refuses_the_whole_sheet_and_is_named(training, people, options, fault):
    people[0].full_name = "Ann"

    with pytest.raises(ScoresRefused) as caught:
        record_attempts(training, [score(people[1]), score(people[0], **options), score(people[2])], by=None)

    assert (caught.value.faults, attempts()) == ({1: fault}, [])


@pytest.mark.parametrize("seat", ["declined", "waiting", "none"])
def test_who_has_no_seat_has_no_attempt(training, people, seat):
    person = EnumeratorFactory(full_name="Bob", code="B")
    if seat != "none":
        enrol(training, [person])
        training.enrolments.filter(enumerator=person).update(status=seat)

    with pytest.raises(Refused, match=r"Bob \(B\) has no seat in this training session"):
        record_attempt(person, training_session=training, part="theory", points=Decimal(1), taken_on=DAY, by=None)

    assert attempts() == []


def test_attempt_of_nothing_or_of_two_things_is_refused(training, people, task):
    for of in ({}, {"training_session": training, "corrective_task": task}):
        with pytest.raises(Refused) as caught:
            record_attempt(people[0], part="theory", points=Decimal(1), taken_on=DAY, by=None, **of)
        assert caught.value.code == "of_one_thing"
    assert attempts() == []


def test_typing_mistake_is_corrected_and_said_why(training, people, coordinator):
    [attempt] = record_attempts(training, [score(people[0], "8")], by=None)

    correct_attempt(attempt, points=Decimal(80), out_of=Decimal(100), taken_on=DAY, note=" Misread ", by=coordinator)

    assert attempts() == [("E0", 1, Decimal(80), True)]
    assert (attempt.note, attempt.recorded_by, attempt.passed) == ("Misread", coordinator, True)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"note": " "}, "reason_missing"), ({"points": Decimal(101)}, "score_refused"),
     ({"taken_on": date(2022, 11, 1)}, "score_refused")],
)  # fmt: skip
def test_wrong_correction_changes_nothing(training, people, coordinator, change, code):
    [attempt] = record_attempts(training, [score(people[0], "8")], by=None)
    asked = {"points": Decimal(80), "out_of": Decimal(100), "taken_on": DAY, "note": "Misread", "by": coordinator}

    with pytest.raises(Refused) as caught:
        correct_attempt(attempt, **asked | change)

    assert (caught.value.code, attempts()) == (code, [("E0", 1, Decimal(8), False)])


@pytest.mark.django_db(transaction=True)
def test_two_sheets_at_once_are_counted_one_after_the_other(training, people):
    at_once(*[lambda: record_attempts(training, [score(people[0]), score(people[1])], by=None)] * 2)

    assert sorted(TestAttempt.objects.values_list("enumerator__code", "number")) == [
        ("E0", 1), ("E0", 2), ("E1", 1), ("E1", 2),
    ]  # fmt: skip


def test_failed_check_counts_and_a_passed_one_closes_the_task(task, coordinator):
    assert not check(task, "69").passed
    task.refresh_from_db()
    assert (task.status, task.closed_at) == ("open", None)

    attempt = check(task, "70", by=coordinator)
    task.refresh_from_db()
    assert (attempt.number, attempt.passed, task.status, task.closed_at is not None) == (2, True, "done", True)
    assert list(StatusChange.objects.about(task).values_list("old", "new", "by")) == [("open", "done", coordinator.pk)]


def test_check_of_a_closed_task_of_another_person_or_before_it_was_raised_is_refused(task, people):
    with pytest.raises(Refused, match="another person"):
        record_attempt(
            people[1], corrective_task=task, part="theory", points=Decimal(90), taken_on=timezone.localdate(), by=None
        )
    with pytest.raises(Refused, match="before the beginning"):
        check(task, "90", taken_on=timezone.localdate() - timedelta(days=1))
    cancel_task(task, by=None, reason="Left the project")
    with pytest.raises(Refused) as caught:
        check(task, "90")

    assert (caught.value.code, attempts()) == ("task_not_open", [])


def test_task_is_cancelled_and_opened_again_with_a_reason_and_a_new_day(task, coordinator):
    later = timezone.localdate() + timedelta(days=7)
    cancel_task(task, by=coordinator, reason=" Not needed ")
    assert (task.status, task.closed_at is not None) == ("cancelled", True)

    reopen_task(task, by=coordinator, reason="Needed after all", due_on=later)

    task.refresh_from_db()
    assert (task.status, task.closed_at, task.due_on) == ("open", None, later)
    assert list(StatusChange.objects.about(task).values_list("old", "new", "text")) == [
        ("open", "cancelled", "Not needed"),
        ("cancelled", "open", "Needed after all"),
    ]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"what": " "}, "reason_missing"),
        ({"reason": ""}, "reason_missing"),
        ({"due_on": date(2022, 1, 1)}, "due_in_the_past"),
        ({"pass_mark": 101}, "pass_mark"),
    ],
)
def test_task_without_sense_is_refused(people, options, code):
    asked = {"what": "Consent", "reason": "Two forms without", "due_on": date(2999, 1, 1), "by": None}

    with pytest.raises(Refused) as caught:
        raise_task(people[0], **asked | options)

    assert (caught.value.code, people[0].corrective_tasks.count()) == (code, 0)


def test_who_has_left_gets_no_task(people):
    people[0].status = "left"

    with pytest.raises(Refused, match="has left"):
        raise_task(people[0], what="Consent", reason="None", due_on=date(2999, 1, 1), by=None)


def test_task_is_not_cancelled_twice_and_not_without_a_reason(task):
    with pytest.raises(Refused, match="Say why"):
        cancel_task(task, by=None, reason=" ")
    cancel_task(task, by=None, reason="Not needed")
    with pytest.raises(Refused, match="cannot go"):
        cancel_task(task, by=None, reason="Again")
    with pytest.raises(Refused, match="over already"):
        reopen_task(task, by=None, reason="Needed", due_on=date(2022, 1, 1))
    task.refresh_from_db()
    assert task.status == "cancelled"
