import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from assessments.models import KoboForm, SyncRun
from assessments.pages import health
from dtm_ops.accounts.models import User


def test_health_says_one_word_to_everybody(client: Client, db: None) -> None:
    response = client.get("/health/")

    assert (response.status_code, response.content, response.headers["Content-Type"]) == (
        200,
        b"ok",
        "text/plain; charset=utf-8",
    )
    assert "no-store" in response.headers["Cache-Control"]
    assert dict(response.cookies) == {}


def test_health_asks_the_database_little(
    client: Client, db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(4):
        client.get("/health/")


def test_health_fails_while_a_migration_is_missing(client: Client, db: None) -> None:
    MigrationRecorder.Migration.objects.filter(app="assessments").delete()

    response = client.get("/health/")

    assert (response.status_code, response.content) == (503, b"failing")


def test_health_fails_while_the_cache_forgets(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "get", lambda key: None)

    assert client.get("/health/").content == b"failing"


def test_health_fails_while_the_broker_is_away(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = health.current_app.connection("redis://127.0.0.1:9/0")
    monkeypatch.setattr(health.current_app, "connection_for_write", lambda **_options: lost)

    assert client.get("/health/").content == b"failing"


def test_health_details_are_for_administrators(client: Client, administrator: User, form: KoboForm) -> None:
    ended = timezone.now() - timedelta(minutes=5)
    SyncRun.objects.create(form=form, trigger="beat", started_at=ended, finished_at=ended, outcome="closed")
    client.force_login(administrator)

    found = json.loads(client.get("/health/?details").content)

    age = found.pop("last_good_sync_seconds_ago")
    assert 300 <= age < 330
    assert found == {
        "status": "ok",
        "database": True,
        "migrations": True,
        "cache": True,
        "broker": True,
        "last_good_sync_at": ended.isoformat(),
    }


@pytest.mark.parametrize("who", ["manager", "coordinator", "stranger"])
def test_health_details_are_for_nobody_else(who: str, request, client: Client) -> None:
    client.force_login(request.getfixturevalue(who))

    assert client.get("/health/?details").content == b"ok"


def test_health_is_not_sent_to_https_behind_a_proxy(client: Client, db: None, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^health/$"]

    assert client.get("/health/").status_code == 200
