import pytest
from django.test import Client, override_settings
from django.urls import path
from pytest_django import Settings

from assessments.demo.cast import LOGINS
from dtm_ops.accounts.models import User
from dtm_ops.urls import handler500 as handler500
from dtm_ops.urls import urlpatterns as site

LANGUAGES = ("en", "ru", "kk")


def break_down(request: object) -> None:
    raise RuntimeError("broken")


urlpatterns = [*site, path("broken/", break_down)]


def test_log_in_with_a_wrong_password_says_what_to_do(client: Client, coordinator: User) -> None:
    response = client.post("/log-in/", {"username": "coordinator", "password": "wrong"})

    assert response.status_code == 200
    assert b"ask your coordinator or administrator for a new one" in response.content
    assert b'role="alert"' in response.content


def test_log_in_leads_to_the_page_that_was_asked_for(client: Client, coordinator: User) -> None:
    response = client.post(
        "/log-in/", {"username": "coordinator", "password": "coordinator", "next": "/coverage/2022-Q4/"}
    )

    assert response.headers["Location"] == "/coverage/2022-Q4/"


def test_log_in_of_a_demonstration_tells_the_log_ins_that_exist(client: Client, coordinator: User) -> None:
    response = client.get("/log-in/")

    assert response.context["demo_logins"] == [login for login in LOGINS if login[0] == "coordinator"]
    assert b"Demonstration: log-ins" in response.content


def test_log_in_without_demo_people_tells_nothing(client: Client, stranger: User) -> None:
    assert b"Demonstration" not in client.get("/log-in/").content


def test_log_in_is_closed_after_too_many_attempts(client: Client, coordinator: User, settings: Settings) -> None:
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 2

    for _attempt in range(3):
        response = client.post("/log-in/", {"username": "coordinator", "password": "wrong"})

    assert response.status_code == 429
    assert b"Too many attempts" in response.content
    assert b'<html lang="en">' in response.content


def test_log_out_is_a_form_that_everybody_has(client: Client, stranger: User) -> None:
    client.force_login(stranger)

    page = client.get("/").content.decode()

    assert '<form class="leave" method="post" action="/log-out/">' in page
    assert client.post("/log-out/").headers["Location"] == "/log-in/"
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("language", LANGUAGES)
def test_missing_page_looks_like_the_site(language: str, client: Client, db: None) -> None:
    response = client.get("/no-such-page/", headers={"accept-language": language})

    assert response.status_code == 404
    assert f'<html lang="{language}">'.encode() in response.content
    assert b"site.css" in response.content


def test_form_without_its_token_is_told_in_words(coordinator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(coordinator)

    response = client.post("/language/", {"language": "ru"})

    coordinator.refresh_from_db()
    assert (response.status_code, coordinator.language) == (403, "en")
    assert b"The page was open for too long" in response.content


@override_settings(ROOT_URLCONF="tests.assessments.pages.test_frame")
@pytest.mark.parametrize("language", LANGUAGES)
def test_failure_of_ours_is_told_in_the_readers_language(language: str, client: Client, make_user) -> None:
    client.force_login(make_user("reader", language=language))
    client.raise_request_exception = False

    response = client.get("/broken/")

    assert response.status_code == 500
    assert f'<html lang="{language}">'.encode() in response.content


@override_settings(ROOT_URLCONF="tests.assessments.pages.test_frame")
def test_failure_of_ours_is_told_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the user can be read: no fixture here opens the database."""
    client.raise_request_exception = False
    client.cookies["sessionid"] = "x" * 32
    client.cookies["django_language"] = "kk"

    response = client.get("/broken/")

    assert response.status_code == 500
    assert b'<html lang="kk">' in response.content


def test_support_contact_stands_on_every_page(client: Client, db: None, settings: Settings) -> None:
    settings.SUPPORT_CONTACT = "help@mission.example"

    assert b"help@mission.example" in client.get("/log-in/").content
