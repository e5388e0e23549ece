"""Who gets a certificate, and until when it is one."""

from datetime import date

import pytest

from dtm_ops.common.errors import Refused
from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.models import Certificate, TrainedForm, TrainingHalfDay
from training.services.attendance import enrol, record_attendance
from training.services.certification import certify_attendees, revoke_certificate

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


def test_revoked_certificate_is_no_proof_from_its_day_on(training, attend, area):
    person = attend(*["present"] * 4, code="E01")
    [certificate] = certify(training, area)

    revoke_certificate(certificate, on=date(2023, 1, 10), reason=" Copied ")

    assert (certificate.revoked_on, certificate.revocation_reason) == (date(2023, 1, 10), "Copied")
    assert person.certificates.valid_on(date(2023, 1, 9)).exists()
    assert not person.certificates.valid_on(date(2023, 1, 10)).exists()
    assert [one.enumerator for one in certify(training, area)] == [person]


@pytest.mark.parametrize(("reason", "code"), [(" ", "reason_missing"), ("Again", "already_revoked")])
def test_revocation_says_why_and_happens_once(training, attend, area, reason, code):
    attend(*["present"] * 4, code="E01")
    [certificate] = certify(training, area)
    if code == "already_revoked":
        revoke_certificate(certificate, on=date(2023, 1, 10), reason="Copied")
    before = Certificate.objects.values().get()

    with pytest.raises(Refused) as caught:
        revoke_certificate(certificate, on=date(2023, 2, 2), reason=reason)

    assert (caught.value.code, Certificate.objects.values().get()) == (code, before)


@pytest.mark.parametrize("day", [date(2022, 11, 10), LAST_DAY, date(2023, 11, 11), date(2023, 11, 12)])
def test_row_and_queryset_agree_on_validity(training, attend, area, day):
    attend(*["present"] * 4, code="E01")
    [certificate] = certify(training, area, expires_on=date(2023, 11, 11))

    assert certificate.is_valid_on(day) is Certificate.objects.valid_on(day).exists()
    assert certificate.is_valid_on(day) is (LAST_DAY <= day <= date(2023, 11, 11))
