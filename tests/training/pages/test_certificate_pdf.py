"""Certificates on paper: who gets the file, what stands in it, and that the same makes the same bytes."""

from datetime import date
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from dtm_ops.common.typesetting import render_pages, render_pdf
from tests.factories.training import CertificateFactory, EnumeratorFactory
from training.models import Certificate, TrainingHalfDay
from training.pages.certificates import TEMPLATE
from training.selectors.certificate_sheets import certificate_sheets

pytestmark = pytest.mark.django_db


@pytest.fixture
def certificate(enumerator, sub_area):
    return enumerator.certificates.get(form_kind=sub_area)


def sheets(*rows):
    return certificate_sheets(rows, address=lambda row: f"https://dtm.example.org/verify/{row.serial}/")


def pages_of(pdf):
    return pdf.count(b"/Type /Page\n") or pdf.count(b"/Type/Page/")


@pytest.mark.parametrize(
    ("role", "status"),
    [("administrator", 200), ("manager", 200), ("coordinator", 200), ("other_coordinator", 404), ("stranger", 404)],
)
def test_pdf_is_for_the_desk_in_reach(request, client, certificate, role, status):
    client.force_login(request.getfixturevalue(role))

    answer = client.get(f"/training/certificates/{certificate.serial}.pdf")

    assert answer.status_code == status
    if status == 200:
        assert (answer.headers["Content-Type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
        assert answer.headers["Content-Disposition"] == f'inline; filename="certificate-{certificate.serial}.pdf"'


def test_pdf_is_for_the_person_and_for_no_other(client, certificate, make_user, region, village):
    other = EnumeratorFactory(home_unit=village, user=make_user("other", role="enumerator", unit=region))
    address = f"/training/certificates/{certificate.serial}.pdf"

    client.force_login(certificate.enumerator.user)
    own = client.get(address)
    client.force_login(other.user)

    assert (own.status_code, client.get(address).status_code) == (200, 404)


def test_all_of_a_training_are_one_file_within_reach_and_without_the_revoked(
    client, coordinator, other_coordinator, certificate, village, other_village, sub_area
):
    training = certificate.training_session
    options = {"training_session": training, "form_kind": sub_area}
    CertificateFactory(enumerator=EnumeratorFactory(home_unit=village), **options)
    CertificateFactory(enumerator=EnumeratorFactory(home_unit=other_village), **options)
    revoked = {"revoked_on": date(2023, 1, 1), "revocation_reason": "Copied"}
    CertificateFactory(enumerator=EnumeratorFactory(home_unit=village), **options, **revoked)
    for row in training.certificates.all():
        training.enrolments.get_or_create(enumerator=row.enumerator)
    address = f"/training/{training.code}/certificates.pdf"

    found = {}
    for user in (coordinator, other_coordinator):
        client.force_login(user)
        found[user.username] = pages_of(client.get(address).content)
    client.force_login(certificate.enumerator.user)

    assert (found, client.get(address).status_code) == ({"coordinator": 2, "other_coordinator": 1}, 404)


def test_same_certificate_makes_the_same_bytes(certificate):
    assert render_pdf(TEMPLATE, sheets(certificate)) == render_pdf(TEMPLATE, sheets(certificate))


def test_certificate_is_one_landscape_page_whatever_the_name(certificate):
    certificate.enumerator.full_name = "Мұхамеджан-Әбдірахманұлы " * 6
    certificate.training_session.title = "Обучение энумераторов: базовая оценка " * 4

    [picture] = render_pages(TEMPLATE, sheets(certificate), ppi=36)

    width, height = (int.from_bytes(picture[start : start + 4], "big") for start in (16, 20))
    assert (width, height) == (421, 298)


def test_words_are_in_the_persons_language_and_in_english(certificate):
    training = certificate.training_session
    training.title = "Оқыту"
    for day in (10, 11):
        TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, day), part="am")
    certificate.enumerator.user.language = "ru"

    with translation.override("kk"):
        [sheet] = sheets(certificate)["certificates"]

    assert (sheet["language"], sheet["form"].split(",")[0], sheet["form_english"]) == (
        "ru", "Базовая оценка села", "Baseline sub-area (village), version 1",
    )  # fmt: skip
    assert [fact["value"] for fact in sheet["facts"]] == [
        "Оқыту", "10.11.2022 – 11.11.2022", "11 ноября 2022 г.", "без срока", certificate.serial,
    ]  # fmt: skip
    assert sheet["verify_address"] == f"https://dtm.example.org/verify/{certificate.serial}/"
    assert (sheet["stamp"], sheet["name"]) == ("", "Aigerim Demo")


def test_revoked_certificate_is_stamped(certificate):
    plain = sheets(certificate)
    certificate.revoked_on = date(2023, 5, 1)
    stamped = sheets(certificate)

    assert "1.05.2023" in stamped["certificates"][0]["stamp"] or "2023" in stamped["certificates"][0]["stamp"]
    assert render_pages(TEMPLATE, plain, ppi=36) != render_pages(TEMPLATE, stamped, ppi=36)


def test_typed_text_is_no_markup(certificate):
    certificate.enumerator.full_name = '#panic("x") \\ $ * _ ` " </svg>'

    assert render_pdf(TEMPLATE, sheets(certificate))[:5] == b"%PDF-"


def test_templates_use_no_package():
    for template in (Path(settings.BASE_DIR) / "templates").rglob("*.typ"):
        assert "@preview" not in template.read_text()


def test_words_of_many_are_read_in_one_query(certificate, village, sub_area, django_assert_num_queries):
    for _unused in range(2):
        CertificateFactory(enumerator__home_unit=village, form_kind=sub_area)
    rows = list(Certificate.objects.select_related("enumerator__user", "form_kind", "training_session"))

    with django_assert_num_queries(1):
        sheets(*rows[:1])
    with django_assert_num_queries(1):
        sheets(*rows)
