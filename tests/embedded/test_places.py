"""Secrets and addresses of an installation, and which commands need its servers."""

import base64
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from dtm_ops import embedded
from dtm_ops.embedded.needs import command_needs, settings_need
from dtm_ops.embedded.places import HERE, Places, secret


def test_secret_is_made_once_and_for_its_owner_only(places: Places) -> None:
    first, second = secret("SECRET_KEY", places), secret("SECRET_KEY", places)
    file = places.var / "secrets" / "SECRET_KEY"

    assert (first, len(first) >= 50) == (second, True)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_encryption_key_is_32_bytes(places: Places) -> None:
    assert len(base64.urlsafe_b64decode(secret("FIELD_ENCRYPTION_KEY", places))) == 32


def test_secret_is_the_same_for_all_who_ask_at_once(places: Places) -> None:
    got: list[str] = []
    together = threading.Barrier(16)

    def ask() -> None:
        together.wait()
        got.append(secret("SECRET_KEY", places))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got == [secret("SECRET_KEY", places)] * 16
    assert [file.name for file in (places.var / "secrets").iterdir()] == ["SECRET_KEY"]


def settings_of(host: str, broker: str, cache: str) -> SimpleNamespace:
    return SimpleNamespace(
        DATABASES={"default": {"HOST": host}}, CELERY_BROKER_URL=broker, CACHES={"default": {"LOCATION": cache}}
    )


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        (settings_of(str(HERE.sockets), embedded.broker_url(0), embedded.redis_url(1)), ["postgres", "valkey"]),
        (settings_of("db.example.org", embedded.broker_url(0), embedded.redis_url(1)), ["valkey"]),
        (settings_of(str(HERE.sockets), "redis://queue", "redis://queue"), ["postgres"]),
        (settings_of("db.example.org", "redis://queue", "redis://queue"), []),
    ],
)
def test_outside_servers_leave_only_the_missing_one_to_start(settings: SimpleNamespace, needed: list[str]) -> None:
    assert settings_need(settings) == needed


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["migrate", "--help"], ["check", "--deploy"], ["up"]])
def test_commands_without_data_do_not_even_read_the_settings(words: list[str]) -> None:
    assert command_needs(words, object()) == []


def test_two_folders_with_one_var_share_the_servers_and_others_do_not(tmp_path: Path) -> None:
    for name in ("one", "linked", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "linked" / "var").symlink_to(tmp_path / "one" / "var")

    one, linked, other = (Places(root=tmp_path / name).mark for name in ("one", "linked", "other"))
    assert (one == linked, one == other) == (True, False)


def test_socket_paths_stay_short_enough_for_every_system() -> None:
    assert len(f"{HERE.sockets}/.s.PGSQL.5432.lock") < 104
