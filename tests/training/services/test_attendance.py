"""Enrolling people and recording who was there."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction

from dtm_ops.common.errors import Refused
from tests.concurrently import at_once
from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.models import Attendance, TrainingHalfDay
from training.services.attendance import confirm_presence, record_attendance
from training.services.enrolment import enrol, reply
from training.services.presence_links import WRONG_FOR_A_CODE, find_attendee, half_day_of, presence_path

pytestmark = pytest.mark.django_db


@pytest.fixture
def half_day():
    return TrainingHalfDay.objects.create(training_session=TrainingSessionFactory(), day=date(2022, 11, 10), part="am")


@pytest.fixture
def enrolments(half_day):
    enrol(half_day.training_session, EnumeratorFactory.create_batch(3))
    return list(half_day.training_session.enrolments.order_by("pk"))


def recorded():
    return list(Attendance.objects.order_by("pk").values_list("enrolment", "state", "reason"))


def test_enrolling_twice_adds_nobody(half_day):
    people = EnumeratorFactory.create_batch(2)

    assert enrol(half_day.training_session, people) == 2
    assert enrol(half_day.training_session, [*people, EnumeratorFactory()]) == 1
    assert half_day.training_session.enrolments.count() == 3


def test_sheet_is_written_and_corrected(half_day, enrolments):
    one, two, three = enrolments
    record_attendance(half_day, {one: "present", two: "late"}, reasons={two: "Bus"})
    record_attendance(half_day, {two: "absent", three: "present"})

    assert recorded() == [(one.pk, "present", ""), (two.pk, "absent", ""), (three.pk, "present", "")]


def test_sheet_with_a_stranger_is_refused_whole(half_day, enrolments):
    other = TrainingSessionFactory()
    enrol(other, [EnumeratorFactory()])

    with pytest.raises(Refused) as caught:
        record_attendance(half_day, {enrolments[0]: "present", other.enrolments.get(): "present"})

    assert (caught.value.code, recorded()) == ("not_enrolled", [])


def test_unknown_attendance_is_refused_whole(half_day, enrolments):
    with pytest.raises(Refused) as caught:
        record_attendance(half_day, {enrolments[0]: "present", enrolments[1]: "asleep"})

    assert (caught.value.code, recorded()) == ("unknown_state", [])


# --- when, by whom, how


BEGINS = datetime(2022, 11, 10, 3, tzinfo=UTC)  # 9:00 in Almaty, until 13:00
MINUTE = timedelta(minutes=1)


def test_sheet_keeps_who_wrote_it_when_and_how_and_no_reason_of_who_was_there(half_day, enrolments, coordinator):
    one, two, _three = enrolments
    reasons = {one: "None", two: " Bus "}

    record_attendance(half_day, {one: "present", two: "late"}, reasons=reasons, by=coordinator, how="sheet", at=BEGINS)

    rows = Attendance.objects.order_by("pk").values_list("state", "reason", "how", "recorded_by", "recorded_at")
    assert list(rows) == [
        ("present", "", "sheet", coordinator.pk, BEGINS),
        ("late", "Bus", "sheet", coordinator.pk, BEGINS),
    ]


def test_half_day_that_has_not_begun_cannot_be_recorded(half_day, enrolments):
    with pytest.raises(Refused, match="begins at 09:00") as caught:
        record_attendance(half_day, {enrolments[0]: "present"}, at=BEGINS - 16 * MINUTE)
    assert (caught.value.code, recorded()) == ("not_begun", [])

    record_attendance(half_day, {enrolments[0]: "present"}, at=BEGINS - 15 * MINUTE)
    assert recorded() == [(enrolments[0].pk, "present", "")]


@pytest.mark.parametrize("accepts", [True, False])
def test_who_waits_or_declined_is_not_recorded(half_day, enrolments, coordinator, accepts):
    one = reply(enrolments[0], accepts=False, by=coordinator)
    if accepts:
        half_day.training_session.seats = 2
        half_day.training_session.save()
        one = reply(one, accepts=True, by=coordinator)

    with pytest.raises(Refused, match="has no seat") as caught:
        record_attendance(half_day, {enrolments[1]: "present", one: "present"})

    assert (one.status, caught.value.code, recorded()) == ("waiting" if accepts else "declined", "not_enrolled", [])


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (BEGINS - 15 * MINUTE, "present"),
        (BEGINS + 15 * MINUTE, "present"),
        (BEGINS + 16 * MINUTE, "late"),
        (BEGINS + 240 * MINUTE, "late"),
    ],
)
def test_person_confirms_by_link_while_the_half_day_goes_on(half_day, enrolments, at, state):
    confirmed = confirm_presence(half_day, enrolments[0].enumerator, at=at)
    again = confirm_presence(half_day, enrolments[0].enumerator, at=BEGINS + 200 * MINUTE)

    assert (confirmed.state, confirmed.how, confirmed.recorded_by, confirmed.recorded_at) == (state, "link", None, at)
    assert (again.pk, again.state, Attendance.objects.count()) == (confirmed.pk, state, 1)


@pytest.mark.parametrize(
    ("at", "code"), [(BEGINS - 16 * MINUTE, "not_begun"), (BEGINS + 241 * MINUTE, "half_day_over")]
)
def test_link_is_closed_before_and_after_the_half_day(half_day, enrolments, at, code):
    with pytest.raises(Refused) as caught:
        confirm_presence(half_day, enrolments[0].enumerator, at=at)

    assert (caught.value.code, recorded()) == (code, [])


def test_link_does_not_undo_the_trainers_word_and_takes_no_stranger(half_day, enrolments):
    record_attendance(half_day, {enrolments[0]: "absent"}, at=BEGINS)

    refused = []
    for person in (enrolments[0].enumerator, EnumeratorFactory()):
        with pytest.raises(Refused) as caught:
            confirm_presence(half_day, person, at=BEGINS)
        refused.append(caught.value.code)

    assert (refused, recorded()) == (["recorded_absent", "not_enrolled"], [(enrolments[0].pk, "absent", "")])


@pytest.mark.django_db(transaction=True)
def test_link_that_waited_for_the_trainer_does_not_undo_their_word(half_day, enrolments):
    """The trainer's "absent" is on its way into the database while the person presses the button."""

    def trainer():
        with transaction.atomic():
            record_attendance(half_day, {enrolments[0]: "absent"}, at=BEGINS)
            time.sleep(0.5)

    def person():
        time.sleep(0.2)
        return confirm_presence(half_day, enrolments[0].enumerator, at=BEGINS)

    _written, refused = at_once(trainer, person)

    assert (refused.code, recorded()) == ("recorded_absent", [(enrolments[0].pk, "absent", "")])


@pytest.mark.django_db(transaction=True)
def test_two_who_record_one_half_day_at_once_leave_one_row_a_person(half_day, enrolments):
    at_once(
        lambda: record_attendance(half_day, dict.fromkeys(enrolments, "present")),
        lambda: record_attendance(half_day, dict.fromkeys(reversed(enrolments), "late")),
    )

    states = {state for _pk, state, _reason in recorded()}
    assert (len(recorded()), len(states)) == (3, 1)


def test_person_is_found_by_code_and_phone_and_guessing_ends_soon(half_day, enrolments):
    person = enrolments[0].enumerator
    person.phone = "+77011234567"
    person.save()

    def find(digits, *, code=person.code, address="10.0.0.1"):
        try:
            return find_attendee(half_day, code=code, last_digits=digits, address=address)
        except Refused as refused:
            return refused.code

    assert find("4567", code=f" {person.code.lower()} ") == person
    assert [find("0000") for _try in range(WRONG_FOR_A_CODE)] == ["unknown_person"] * WRONG_FOR_A_CODE
    assert (find("4567"), find("4567", address="10.0.0.2")) == ("too_many", "too_many")


def test_person_without_a_phone_is_found_by_no_digits(half_day, enrolments):
    for digits in ("", "0000"):
        with pytest.raises(Refused) as caught:
            find_attendee(half_day, code=enrolments[0].enumerator.code, last_digits=digits, address="10.0.0.1")
        assert caught.value.code == "unknown_person"


def test_link_of_a_half_day_cannot_be_made_up(half_day):
    token = presence_path(half_day).split("/")[-2]

    assert half_day_of(token) == half_day
    assert [
        half_day_of(made_up) for made_up in (str(half_day.pk), f"{half_day.pk + 1}{token[1:]}", "", token[:-1])
    ] == [None] * 4
