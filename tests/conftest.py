"""What the whole suite stands on: the two servers, no outside network, an empty cache for every test."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection
from hypothesis import HealthCheck

from dtm_ops.embedded.needs import settings_need
from dtm_ops.embedded.users import using_servers
from tests.cast import *  # noqa: F403  fixtures are found by name

# No test is timed: machines are busy. Fixtures hold what examples share. A build tries the same examples each time; on
# a person's machine new ones are drawn.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis.settings.register_profile("build", hypothesis.settings.get_profile("suite"), derandomize=True)
hypothesis.settings.load_profile("build" if os.environ.get("CI") else "suite")


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """PostgreSQL and Valkey, unless DATABASE_URL and REDIS_URL name others. Tests without Django need none."""
    with using_servers(settings_need(settings) if settings.configured else []):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, servers: None) -> None:
    """The servers first, then the test database."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """PostgreSQL notices a moment later that a program is gone which a test has killed: its session would keep the test
    database from being dropped. Keys begin above a thousand: where a page writes one as a number for people ("1,001"),
    a test of it fails, as the page would for its users from the thousandth row on.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 12345)"
            " FROM pg_sequences WHERE coalesce(last_value, 0) < 12345"
        )
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """What one test leaves in the cache (throttles, locks, previews) is not there for the next."""
    yield
    if settings.configured:
        for cache in caches.all(initialized_only=True):
            cache.clear()


@pytest.fixture(scope="session", autouse=True)
def no_outside_network() -> Iterator[None]:
    """A test that would talk to the outside fails at once, and says to whom. Loopback and Unix sockets are free."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(address[0] if self.family in (socket.AF_INET, socket.AF_INET6) else None)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(address[0] if self.family in (socket.AF_INET, socket.AF_INET6) else None)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *args: Any, **options: Any) -> Any:
        _refuse_outside(host)
        return look_up(host, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield


def _refuse_outside(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        inside = ipaddress.ip_address(name).is_loopback or ipaddress.ip_address(name).is_unspecified
    except ValueError:
        inside = False
    if not inside:
        pytest.fail(f"a test tried to reach {name}: tests use no outside network")
