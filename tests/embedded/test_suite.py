"""The suite's own ground: the right engines, and no way out."""

import socket

import pytest
from django.core.cache import cache
from django.db import connection


@pytest.mark.django_db
def test_suite_runs_on_postgresql_and_folds_cyrillic_case() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'ҚОСТАНАЙ' ILIKE 'қостанай', lower('ӘҒҚҢӨҰҮҺІ')")
        row = cursor.fetchone()

    assert (connection.vendor, row) == ("postgresql", (True, "әғқңөұүһі"))


def test_suite_keeps_a_cache_that_all_processes_share() -> None:
    assert (cache.add("lock", "first"), cache.add("lock", "second"), cache.get("lock")) == (True, False, "first")


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 443)])
def test_suite_talks_to_no_outside_host(address: tuple[str, int]) -> None:
    with pytest.raises(pytest.fail.Exception, match="no outside network"):
        socket.create_connection(address, timeout=1)
