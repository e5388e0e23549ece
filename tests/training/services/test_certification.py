"""Who gets a certificate, and until when it is one."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as some

from assessments.services.vocabulary import load_vocabulary
from dtm_ops.common.errors import Refused
from tests.concurrently import at_once
from tests.factories.training import CourseFactory, EnumeratorFactory, TrainingSessionFactory
from training.models import Certificate, FormKind, TestAttempt, TrainedForm, TrainingHalfDay
from training.selectors import certified_enumerators, why_not_certified
from training.services.attempts import record_attempt
from training.services.attendance import record_attendance
from training.services.certification import add_months, certify_attendees, revoke_certificate
from training.services.enrolment import enrol

pytestmark = pytest.mark.django_db

LAST_DAY = date(2022, 11, 11)


@pytest.fixture
def training(area):
    """Two days, four half-days, covering the area form."""
    training = TrainingSessionFactory()
    TrainedForm.objects.create(training_session=training, form_kind=area)
    for day, part in ((10, "am"), (10, "pm"), (11, "am"), (11, "pm")):
        TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, day), part=part)
    return training


@pytest.fixture
def attend(training):
    """A person who attended the four half-days like this; fewer states: the rest is not recorded."""

    def make(*states, code):
        person = EnumeratorFactory(code=code)
        enrol(training, [person])
        enrolment = training.enrolments.get(enumerator=person)
        for half_day, state in zip(training.half_days.all(), states, strict=False):
            record_attendance(half_day, {enrolment: state})
        return person

    return make


def certify(training, kind, **options):
    return certify_attendees(training, form_kind=kind, **{"major_version": 1, "issued_on": LAST_DAY} | options)


def test_who_was_there_all_the_time_is_certified_and_late_counts(training, attend, area):
    attend("present", "present", "present", "present", code="E01")
    attend("present", "late", "present", "late", code="E02")
    attend("present", "present", "absent", "present", code="E03")
    attend("present", "present", "present", code="E04")
    attend(code="E05")

    made = certify(training, area, expires_on=date(2023, 11, 11))

    assert [(one.enumerator.code, one.form_kind, one.major_version) for one in made] == [
        ("E01", area, 1), ("E02", area, 1),
    ]  # fmt: skip
    assert (
        list(Certificate.objects.values_list("issued_on", "expires_on", "training_session"))
        == [(LAST_DAY, date(2023, 11, 11), training.pk)] * 2
    )
    assert len({one.serial for one in made}) == 2


def test_another_training_does_not_count_for_this_one(training, attend, area):
    person = attend("present", "present", "present", code="E01")
    other = TrainingSessionFactory()
    enrol(other, [person])
    half_day = TrainingHalfDay.objects.create(training_session=other, day=LAST_DAY, part="pm")
    record_attendance(half_day, {other.enrolments.get(): "present"})

    assert certify(training, area) == []


def test_second_run_certifies_only_who_was_added(training, attend, area):
    attend(*["present"] * 4, code="E01")
    certify(training, area)
    attend(*["present"] * 4, code="E02")

    assert [one.enumerator.code for one in certify(training, area)] == ["E02"]
    assert certify(training, area) == []
    assert Certificate.objects.count() == 2


@pytest.mark.parametrize(
    ("options", "code"),
    [({"major_version": 2}, "form_not_covered"), ({"issued_on": date(2022, 11, 10)}, "training_not_over")],
)
def test_certificate_that_the_training_does_not_give_is_refused(training, attend, area, options, code):
    attend(*["present"] * 4, code="E01")

    with pytest.raises(Refused) as caught:
        certify(training, area, **options)

    assert (caught.value.code, Certificate.objects.count()) == (code, 0)


def test_training_of_another_form_or_without_half_days_certifies_nobody(training, area, sub_area):
    with pytest.raises(Refused, match="does not cover"):
        certify(training, sub_area)
    training.half_days.all().delete()
    with pytest.raises(Refused, match="no half-days"):
        certify(training, area)


def test_revoked_certificate_is_no_proof_from_its_day_on(training, attend, area, coordinator):
    person = attend(*["present"] * 4, code="E01")
    [certificate] = certify(training, area)

    revoke_certificate(certificate, on=date(2023, 1, 10), reason=" Copied ", by=coordinator)

    assert (certificate.revoked_on, certificate.revocation_reason, certificate.revoked_by) == (
        date(2023, 1, 10), "Copied", coordinator,
    )  # fmt: skip
    assert person.certificates.valid_on(date(2023, 1, 9)).exists()
    assert not person.certificates.valid_on(date(2023, 1, 10)).exists()
    assert [one.enumerator for one in certify(training, area)] == [person]


@pytest.mark.parametrize(("reason", "code"), [(" ", "reason_missing"), ("Again", "already_revoked")])
def test_revocation_says_why_and_happens_once(training, attend, area, reason, code):
    attend(*["present"] * 4, code="E01")
    [certificate] = certify(training, area)
    if code == "already_revoked":
        revoke_certificate(certificate, on=date(2023, 1, 10), reason="Copied", by=None)
    before = Certificate.objects.values().get()

    with pytest.raises(Refused) as caught:
        revoke_certificate(certificate, on=date(2023, 2, 2), reason=reason, by=None)

    assert (caught.value.code, Certificate.objects.values().get()) == (code, before)


@pytest.mark.parametrize("day", [date(2022, 11, 10), LAST_DAY, date(2023, 11, 11), date(2023, 11, 12)])
def test_row_and_queryset_agree_on_validity(training, attend, area, day):
    attend(*["present"] * 4, code="E01")
    [certificate] = certify(training, area, expires_on=date(2023, 11, 11))

    assert certificate.is_valid_on(day) is Certificate.objects.valid_on(day).exists()
    assert certificate.is_valid_on(day) is (LAST_DAY <= day <= date(2023, 11, 11))


def test_revocation_before_the_issue_is_refused(training, attend, area):
    attend(*["present"] * 4, code="E01")
    [certificate] = certify(training, area)

    with pytest.raises(Refused) as caught:
        revoke_certificate(certificate, on=date(2022, 11, 10), reason="Copied", by=None)

    certificate.refresh_from_db()
    assert (caught.value.code, certificate.revoked_on) == ("not_issued_yet", None)


def test_expired_and_revoked_people_are_certified_until_the_day_before(training, attend, area):
    expiring = attend(*["present"] * 4, code="E01")
    revoked = attend(*["present"] * 4, code="E02")
    [_first, second] = certify(training, area, expires_on=date(2023, 11, 11))
    revoke_certificate(second, on=date(2023, 5, 1), reason="Copied answers", by=None)

    assert list(certified_enumerators(area, 1, date(2023, 4, 30))) == [expiring, revoked]
    assert list(certified_enumerators(area, 1, date(2023, 5, 1))) == [expiring]
    assert list(certified_enumerators(area, 1, date(2023, 11, 11))) == [expiring]
    assert list(certified_enumerators(area, 1, date(2023, 11, 12))) == []


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2022, 8, 31), 6, date(2023, 2, 28)),
        (date(2023, 8, 31), 6, date(2024, 2, 29)),
        (date(2022, 12, 15), 1, date(2023, 1, 15)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2022, 11, 11), 24, date(2024, 11, 11)),
    ],
)
def test_calendar_months_end_with_the_month(day, months, expected):
    assert add_months(day, months) == expected


@pytest.mark.parametrize(
    ("asked", "expires_on"), [({}, date(2023, 5, 11)), ({"expires_on": date(2022, 12, 1)}, date(2022, 12, 1))]
)
def test_course_says_how_long_a_certificate_holds_unless_told(training, attend, area, asked, expires_on):
    training.course = CourseFactory(certificate_months=6)
    training.save()
    attend(*["present"] * 4, code="E01")

    assert [one.expires_on for one in certify(training, area, **asked)] == [expires_on]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"expires_on": date(2022, 11, 10)}, "expires_before_issue"),
        ({"issued_on": date(2999, 1, 1)}, "issued_in_the_future"),
    ],
)
def test_certificate_with_impossible_days_is_refused(training, attend, area, options, code):
    attend(*["present"] * 4, code="E01")

    with pytest.raises(Refused) as caught:
        certify(training, area, **options)

    assert (caught.value.code, Certificate.objects.count()) == (code, 0)


def test_everybody_left_out_is_told_everything_that_is_missing(training, attend, area):
    training.theory_pass_mark, training.practical_pass_mark = 70, 60
    training.save()
    names = ("passed", "absent", "failed", "late_test", "declined", "waiting", "twice")
    people = {name: attend(*["present"] * 4, code=f"E{place}") for place, name in enumerate(names)}
    record_attendance(training.half_days.first(), {training.enrolments.get(enumerator=people["absent"]): "absent"})

    def score(name, part, points, day=LAST_DAY):
        record_attempt(
            people[name], training_session=training, part=part, points=Decimal(points), taken_on=day, by=None
        )

    for name in ("passed", "late_test", "declined", "waiting", "twice"):
        score(name, "theory", "70")
    for name, status in (("declined", "declined"), ("waiting", "waiting")):
        training.enrolments.filter(enumerator=people[name]).update(status=status)
    for name in ("passed", "twice"):
        score(name, "practical", "60")
    score("late_test", "practical", "61", date(2022, 11, 12))
    score("failed", "theory", "40")
    score("failed", "theory", "69.99")
    type(people["twice"]).objects.filter(pk=people["twice"].pk).update(merged_into=people["passed"], status="left")

    made = certify(training, area)

    assert [one.enumerator for one in made] == [people["passed"]]
    assert {person.code: reasons for person, reasons in why_not_certified(training, on=LAST_DAY).items()} == {
        "E1": ["missed, or not recorded: 10 Nov 2022 morning", "theory: not taken", "practical: not taken"],
        "E2": ["theory: not passed, best result 69 %, pass mark 70 %", "practical: not taken"],
        "E3": ["practical: passed only on 12 Nov 2022"],
        "E4": ["has no seat: declined", "practical: not taken"],
        "E5": ["has no seat: on the waiting list", "practical: not taken"],
        "E6": ["is entered twice: the other entry counts"],
    }
    assert "E3" not in {person.code for person in why_not_certified(training)}


def test_pass_mark_changed_later_changes_no_result(training, attend, area):
    training.theory_pass_mark = 50
    training.save()
    person = attend(*["present"] * 4, code="E01")
    options = {"training_session": training, "part": "theory", "taken_on": LAST_DAY, "by": None}
    record_attempt(person, points=Decimal(55), **options)
    training.theory_pass_mark = 90
    training.save()

    assert [one.enumerator for one in certify(training, area)] == [person]
    assert TestAttempt.objects.get().pass_mark == 50


def test_certificates_are_decided_in_a_constant_number_of_queries(training, attend, area, django_assert_num_queries):
    training.theory_pass_mark = 50
    training.save()
    attend(*["present"] * 4, code="E01")
    with django_assert_num_queries(4):
        why_not_certified(training)
    attend(*["absent"] * 4, code="E02")
    attend(*["present"] * 4, code="E03")
    with django_assert_num_queries(4):
        why_not_certified(training)


def test_database_refuses_a_certificate_for_a_form_that_the_training_does_not_cover(training, attend, area, sub_area):
    person = attend(*["present"] * 4, code="E01")

    with pytest.raises(IntegrityError, match="does not cover this form"), transaction.atomic():
        Certificate.objects.create(
            serial="X", enumerator=person, form_kind=sub_area, major_version=1, training_session=training,
            issued_on=LAST_DAY,
        )  # fmt: skip

    assert Certificate.objects.count() == 0


STATES = some.sampled_from(["present", "late", "absent", None])
RESULTS = some.lists(some.sampled_from([0, 40, 59, 60, 61, 100]), max_size=2)
PERSON = some.fixed_dictionaries(
    {
        "states": some.lists(STATES, min_size=3, max_size=3),
        "theory": RESULTS,
        "practical": RESULTS,
        "seat": some.sampled_from(["enrolled", "invited", "accepted", "declined", "waiting"]),
    }
)


def is_entitled(one, theory_mark, practical_mark):
    """The rule, naively."""
    was_there = all(state in ("present", "late") for state in one["states"])
    passed = all(
        mark is None or any(points >= mark for points in one[part])
        for part, mark in (("theory", theory_mark), ("practical", practical_mark))
    )
    return was_there and passed and one["seat"] not in ("declined", "waiting")


@settings(max_examples=25)
@given(
    people=some.lists(PERSON, min_size=1, max_size=4),
    theory=some.sampled_from([None, 60]),
    practical=some.sampled_from([None, 60]),
)
def test_certified_are_exactly_those_who_meet_the_rule(db, people, theory, practical):
    with transaction.atomic():
        load_vocabulary()
        kind = FormKind.objects.get(code="baseline_area")
        training = TrainingSessionFactory(theory_pass_mark=theory, practical_pass_mark=practical)
        TrainedForm.objects.create(training_session=training, form_kind=kind)
        half_days = [
            TrainingHalfDay.objects.create(training_session=training, day=day, part=part)
            for day, part in ((date(2022, 11, 10), "am"), (date(2022, 11, 10), "pm"), (LAST_DAY, "am"))
        ]
        entitled = set()
        for place, one in enumerate(people):
            person = EnumeratorFactory(code=f"H{place}")
            enrol(training, [person])
            enrolment = training.enrolments.get(enumerator=person)
            for half_day, state in zip(half_days, one["states"], strict=True):
                if state:
                    record_attendance(half_day, {enrolment: state})
            for part, mark in (("theory", theory), ("practical", practical)):
                for points in one[part] if mark else ():
                    record_attempt(
                        person, training_session=training, part=part, points=Decimal(points), taken_on=LAST_DAY, by=None
                    )
            training.enrolments.filter(pk=enrolment.pk).update(status=one["seat"])
            if is_entitled(one, theory, practical):
                entitled.add(person)

        certified = {one.enumerator for one in certify(training, kind)}

        assert certified == entitled
        assert set(why_not_certified(training)) == {one.enumerator for one in training.enrolments.all()} - entitled
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_give_nobody_two(training, attend, area):
    for code in ("E01", "E02"):
        attend(*["present"] * 4, code=code)

    counts = [len(made) for made in at_once(*[lambda: certify(training, area)] * 2)]

    assert (sorted(counts), Certificate.objects.count()) == ([0, 2], 2)
