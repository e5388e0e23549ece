"""Enrolling people and recording who was there."""

from datetime import date

import pytest

from dtm_ops.common.errors import Refused
from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.models import Attendance, TrainingHalfDay
from training.services.attendance import enrol, record_attendance

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
