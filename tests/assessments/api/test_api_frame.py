"""What all of the API shares: errors in one shape, page sizes, throttle, no writing, the documentation."""

from io import StringIO

import pytest
from django.core.management import call_command
from rest_framework.throttling import UserRateThrottle

from tests.assessments.api.test_api_rights import LISTS


@pytest.mark.parametrize(
    ("address", "errors"),
    [
        (
            "rounds/?stauts=open",
            {"stauts": ["There is no such filter. There are: component, page, page_size, status."]},
        ),
        (
            "rounds/?status=finished",
            {"status": ["Select a valid choice. finished is not one of the available choices."]},
        ),
        ("certificates/?valid_on=yesterday", {"valid_on": ["Enter a valid date."]}),
        ("submissions/?kobo_id=abc", {"kobo_id": ["Enter a number."]}),
        ("enumerators/?region=%00", {"region": ["Null characters are not allowed."]}),
    ],
)
def test_parameter_that_cannot_be_read_is_named(client, manager, address, errors):
    client.force_login(manager)

    response = client.get(f"/api/v1/{address}")

    assert (response.status_code, response.json()) == (
        400,
        {"code": "invalid", "detail": "Something in the request cannot be read.", "errors": errors},
    )


@pytest.mark.parametrize("address", ["rounds/2021-Q1/", "submissions/99999/", f"submissions/{'9' * 18}/"])
def test_row_that_is_not_there_is_told_in_the_same_shape(client, manager, address):
    client.force_login(manager)

    response = client.get(f"/api/v1/{address}")

    assert (response.status_code, response.json()) == (
        404,
        {"code": "not_found", "detail": "Nothing is here, or it is out of your reach."},
    )


@pytest.mark.parametrize("method", ["get", "post", "options"])
def test_address_that_the_api_has_not_is_told_in_the_same_shape(client, manager, method):
    assert getattr(client, method)("/api/v1/nonsense/").status_code == 401
    client.force_login(manager)

    response = getattr(client, method)("/api/v1/nonsense/")

    assert (response.status_code, response.json()) == (
        404,
        {"code": "not_found", "detail": "The API has no such address."},
    )


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Authentication credentials were not provided."),
        ("ru", "Учетные данные не были предоставлены."),
        ("kk", "Аутентификация деректері берілмеген."),
    ],
)
def test_refusal_is_in_the_readers_language(client, db, language, words):
    response = client.get("/api/v1/rounds/", headers={"accept-language": language})

    assert (response.json()["detail"], response.headers["Content-Language"]) == (words, language)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("name", LISTS)
def test_list_is_not_written(client, administrator, name, method):
    client.force_login(administrator)

    assert getattr(client, method)(f"/api/v1/{name}/").status_code == 405


def test_page_has_a_limit(read, client, manager, world):
    assert list(read(manager, "units/")) == ["count", "next", "previous", "results"]
    assert len(read(manager, "units/", page_size=2)["results"]) == 2
    assert read(manager, "units/", page_size=10_000)["next"] is None
    refused = client.get("/api/v1/units/?page=99")
    assert (refused.status_code, refused.json()) == (404, {"code": "not_found", "detail": "Invalid page."})


def test_page_size_never_exceeds_the_most(read, manager, region, monkeypatch):
    monkeypatch.setattr("dtm_ops.common.api.Pages.max_page_size", 1)

    assert len(read(manager, "units/", page_size=2)["results"]) == 1


def test_too_many_requests_are_told_to_wait(client, manager, monkeypatch):
    monkeypatch.setattr(UserRateThrottle, "rate", "2/min", raising=False)
    client.force_login(manager)

    answers = [client.get("/api/v1/rounds/") for _number in range(3)]

    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "throttled"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60


def test_root_names_every_list(read, manager):
    assert sorted(read(manager, "")) == sorted(LISTS)


def test_schema_describes_the_api_without_a_warning(db):
    out = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)

    assert "/api/v1/rounds/{code}/coverage/:" in out.getvalue()


def test_schema_is_for_who_is_logged_in_and_in_english(client, stranger):
    assert client.get("/api/v1/schema/").status_code == 401
    client.force_login(stranger)

    response = client.get("/api/v1/schema/?format=json", headers={"accept-language": "ru"})

    operation = response.json()["paths"]["/api/v1/targets/"]["get"]
    described = {one["name"]: one.get("description") for one in operation["parameters"]}
    assert described["round"] == "Code of the round"
    assert set(described) == {"bucket", "form_kind", "page", "page_size", "region", "round"}
    assert set(operation["responses"]) == {"200", "default"}


def test_documentation_loads_only_its_own_files(client, manager):
    assert client.get("/api/v1/docs/").headers["Location"] == "/log-in/?next=/api/v1/docs/"
    client.force_login(manager)

    page = client.get("/api/v1/docs/")

    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    text = page.content.decode()
    assert "<style" not in text
    assert text.count("<script") == text.count("<script src=") == 2
    script = client.get("/api/v1/docs/?script=")
    assert (script.status_code, script.headers["Content-Type"]) == (200, "application/javascript")
    assert b'url: "/api/v1/schema/"' in script.content
