"""`/health/`: one word for monitors. Open to everybody, without a session; administrators may ask for details."""

import logging
from collections.abc import Callable, Mapping
from functools import cache as keep
from uuid import uuid4

from celery import current_app
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from assessments.selectors.desk import last_good_sync
from locations.permissions import is_administrator

logger = logging.getLogger(__name__)

BROKER_SECONDS = 2


@login_not_required
@never_cache
@require_safe
def show_health(request: HttpRequest) -> HttpResponse:
    """``ok`` with 200, ``failing`` with 503. ``?details`` answers JSON to an administrator, the word to others."""
    found = {name: _is_right(name, check) for name, check in CHECKS.items()}
    is_well = all(found.values())
    status = 200 if is_well else 503
    word = "ok" if is_well else "failing"
    if "details" in request.GET and found["database"] and is_administrator(request.user):
        return JsonResponse({"status": word, **found, **_sync_age()}, status=status)
    return HttpResponse(word, content_type="text/plain; charset=utf-8", status=status)


def _is_right(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception as error:  # noqa: BLE001  whatever it is, the monitor is told and the log says what
        logger.error("health: %s: %s", name, type(error).__name__)
        return False


def _database_answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def _migrations_applied() -> bool:
    return not (_last_migrations() - MigrationRecorder(connection).applied_migrations().keys())


@keep
def _last_migrations() -> frozenset[tuple[str, str]]:
    """The newest migration of each app in the code that runs: read from disk once a process."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _cache_keeps() -> bool:
    key, value = f"health-{uuid4().hex}", uuid4().hex
    cache.set(key, value, timeout=10)
    kept = cache.get(key) == value
    cache.delete(key)
    return bool(kept)


def _broker_answers() -> bool:
    with current_app.connection_for_write(connect_timeout=BROKER_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=BROKER_SECONDS)
    return True


CHECKS: Mapping[str, Callable[[], bool]] = {
    "database": _database_answers,
    "migrations": _migrations_applied,
    "cache": _cache_keeps,
    "broker": _broker_answers,
}


def _sync_age() -> dict[str, str | int | None]:
    ended = last_good_sync()
    age = int((timezone.now() - ended).total_seconds()) if ended else None
    return {"last_good_sync_at": ended.isoformat() if ended else None, "last_good_sync_seconds_ago": age}
