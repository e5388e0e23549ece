import pytest
from django.test import Client

from dtm_ops.accounts.models import User


def test_language_chosen_is_kept_with_the_user_and_in_a_cookie(client: Client, coordinator: User) -> None:
    client.force_login(coordinator)

    response = client.post("/language/", {"language": "kk", "next": "/coverage/?region=19"})

    coordinator.refresh_from_db()
    assert (response.status_code, response.headers["Location"]) == (302, "/coverage/?region=19")
    assert coordinator.language == "kk"
    assert response.cookies["django_language"].value == "kk"


def test_language_chosen_before_logging_in_holds_on_the_log_in_page(client: Client, db: None) -> None:
    client.post("/language/", {"language": "ru", "next": "/log-in/"})

    response = client.get("/log-in/", headers={"accept-language": "kk"})

    assert b'<html lang="ru">' in response.content
    assert response.headers["Content-Language"] == "ru"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_language_never_leads_to_another_site(elsewhere: str, client: Client, db: None) -> None:
    response = client.post("/language/", {"language": "ru", "next": elsewhere})

    assert response.headers["Location"] == "/"


@pytest.mark.parametrize("language", ["de", "", "kk'; --"])
def test_language_that_we_do_not_have_changes_nothing(language: str, client: Client, coordinator: User) -> None:
    client.force_login(coordinator)

    response = client.post("/language/", {"language": language, "next": "/"})

    coordinator.refresh_from_db()
    assert (response.status_code, coordinator.language, "django_language" in response.cookies) == (400, "en", False)


def test_language_is_not_changed_by_a_link(client: Client, db: None) -> None:
    assert client.get("/language/?language=ru").status_code == 405


def test_language_names_are_their_own_in_every_language(client: Client, db: None) -> None:
    page = client.get("/log-in/", headers={"accept-language": "ru"}).content.decode()

    assert [name for name in ("English", "Русский", "Қазақша") if f">{name}</button>" not in page] == []
