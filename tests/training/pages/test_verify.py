"""The public page of a certificate: what it says, to whom, and what it keeps to itself."""

import re
from datetime import date, timedelta

import pytest
from django.utils import timezone

from tests.factories.training import CertificateFactory, EnumeratorFactory
from training.pages import verify as page
from training.selectors.verification import Validity, read_serial, verify

pytestmark = pytest.mark.django_db

SERIAL = "K7QX-93MD-TW4H"
ADDRESS = f"/verify/{SERIAL}/"
DAY = date(2022, 11, 11)


@pytest.fixture
def person(village):
    return EnumeratorFactory(
        full_name="Айгерім Сәрсенбаева", code="E77", phone="+77011234567", email="a@example.org", home_unit=village
    )


@pytest.fixture
def certify(person, sub_area):
    def make(**options):
        return CertificateFactory(serial=SERIAL, enumerator=person, form_kind=sub_area, **options)

    return make


def words(response):
    """The page's own text, without the frame."""
    main = re.search(r"<main.*</main>", response.content.decode(), re.DOTALL).group()
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


def test_valid_certificate_shows_name_form_and_validity_and_nothing_else(client, certify):
    certify(expires_on=date(2999, 1, 31))

    assert words(client.get(ADDRESS)) == (
        "Certificate Valid · until 31 January 2999 Name Айгерім Сәрсенбаева Form Baseline sub-area (village), version 1"
        " Serial K7QX-93MD-TW4H Compare the name with a document of the person. Check another certificate"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "Valid · does not expire"),
        ({"expires_on": date(2023, 1, 1)}, "Not valid any more · expired: its last day was 1 January 2023"),
        (
            {"revoked_on": date(2023, 5, 1), "revocation_reason": "Copied answers"},
            "Revoked · not valid since 1 May 2023",
        ),
        ({"issued_on": date(2998, 1, 1)}, "Not valid yet · from 1 January 2998"),
    ],
)
def test_page_says_how_it_stands_and_not_why(client, certify, options, sentence):
    certify(**options)

    said = words(client.get(ADDRESS))

    assert said.startswith(f"Certificate {sentence} Name Айгерім Сәрсенбаева Form")
    assert not any(secret in said for secret in ("Copied", "+7701", "E77", "example.org", "Zhandosov"))


def test_page_is_in_the_language_of_the_browser(client, certify):
    certify()

    pages = {code: client.get(ADDRESS, headers={"accept-language": code}) for code in ("ru", "kk", "en")}

    assert [answer.headers["Content-Language"] for answer in pages.values()] == ["ru", "kk", "en"]
    assert ["Базовая оценка села" in words(pages["ru"]), "Ауылдың базалық бағалауы" in words(pages["kk"])] == [True] * 2


@pytest.mark.parametrize(
    "typed",
    [SERIAL, SERIAL.lower(), "k7qx93mdtw4h", " K7QX 93MD TW4H ", "К7QХ–93МD–ТW4Н", "K7QX.93MD.TW4H", "Ｋ7QX-93MD-TW4H"],
)
def test_serial_is_understood_as_people_type_it(client, certify, typed):
    certify()

    assert read_serial(typed) == SERIAL
    answer = client.get("/verify/", {"serial": typed})
    assert (answer.status_code, answer.headers["Location"]) == (302, ADDRESS)
    assert client.get(f"/verify/{typed}/").status_code == 200


def test_unknown_serial_is_not_found_calmly_with_a_field_to_type_again(client, certify):
    certify()

    answer = client.get("/verify/K7QX-93MD-TW4J/")

    assert answer.status_code == 404
    assert "No certificate has this serial." in words(answer)
    assert b'value="K7QX-93MD-TW4J"' in answer.content
    assert "Айгерім" not in words(answer)


def test_what_was_typed_is_shown_as_text(client, db):
    answer = client.get("/verify/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E/".replace("%2F", ""))

    assert (answer.status_code, b"<script>alert" in answer.content) == (404, False)


@pytest.mark.parametrize(("asked", "has_error"), [({}, False), ({"serial": " - "}, True), ({"serial": ""}, True)])
def test_empty_field_says_what_to_type(client, asked, has_error):
    answer = client.get("/verify/", asked)

    assert (answer.status_code, "Type the serial" in words(answer)) == (200, has_error)


@pytest.mark.parametrize("address", ["/verify/", ADDRESS, "/verify/NONE/"])
def test_page_is_kept_by_nobody_and_listed_nowhere(client, certify, address):
    certify()

    answer = client.get(address)

    assert {"no-store", "private"} <= set(answer.headers["Cache-Control"].split(", "))
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert b'<meta name="robots" content="noindex, nofollow">' in answer.content


def test_trying_serials_is_slowed_down_for_that_address_alone(client, certify, monkeypatch):
    certify()
    monkeypatch.setattr(page, "PER_MINUTE", 3)
    noon = timezone.now().replace(second=5)
    monkeypatch.setattr(timezone, "now", lambda: noon)

    answers = [client.get(f"/verify/AAAA-AAAA-AAA{one}/").status_code for one in "2345"]
    refused = client.get(ADDRESS)

    assert answers == [404, 404, 404, 429]
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert "Айгерім" not in words(refused)
    assert "Too many certificates" in words(refused)
    assert client.get(ADDRESS, REMOTE_ADDR="192.0.2.7").status_code == 200
    monkeypatch.setattr(timezone, "now", lambda: noon + timedelta(minutes=1))
    assert client.get(ADDRESS).status_code == 200


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (DAY - timedelta(days=1), (Validity.NOT_YET, DAY)),
        (DAY, (Validity.VALID, date(2023, 4, 30))),
        (date(2023, 4, 30), (Validity.VALID, date(2023, 4, 30))),
        (date(2023, 5, 1), (Validity.REVOKED, date(2023, 5, 1))),
        (date(2024, 5, 1), (Validity.REVOKED, date(2023, 5, 1))),
    ],
)
def test_verdict_agrees_with_the_row_day_by_day(certify, on, expected):
    certificate = certify(
        issued_on=DAY, expires_on=date(2023, 11, 11), revoked_on=date(2023, 5, 1), revocation_reason="Copied"
    )

    verdict = verify(SERIAL, on=on)

    assert (verdict.validity, verdict.day) == expected
    assert (verdict.validity == Validity.VALID) is certificate.is_valid_on(on)


def test_page_asks_the_database_once(client, certify, django_assert_num_queries):
    certify()
    with django_assert_num_queries(1):
        client.get(ADDRESS)
