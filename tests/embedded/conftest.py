"""A second installation of the servers, beside the one that the suite itself uses."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dtm_ops.embedded.accounts import servers_account
from dtm_ops.embedded.places import Places
from dtm_ops.embedded.postgres import Postgres
from dtm_ops.embedded.users import using_servers
from dtm_ops.embedded.valkey import Valkey


def ignore(text: str) -> None:
    """What the launcher says on the way."""


def postgres_of(places: Places) -> Postgres:
    return Postgres(servers_account(), places, ignore)


def valkey_of(places: Places) -> Valkey:
    return Valkey(servers_account(), places, ignore)


@pytest.fixture
def places() -> Iterator[Places]:
    """In a folder with blanks and Cyrillic letters that `nobody` can enter, too (pytest's own folders are 0700)."""
    folder = Path(tempfile.mkdtemp(prefix="көшіру мен деректер "))
    folder.chmod(0o755)
    root = folder / "dtm"
    root.mkdir()
    here = Places(root=root, system_data=folder / "system")
    yield here
    for server in (valkey_of(here), postgres_of(here)):
        server.stop()
    for left in (here.sockets, folder):
        shutil.rmtree(left, ignore_errors=True)


@pytest.fixture
def running(places: Places) -> Iterator[tuple[Valkey, Postgres]]:
    """Both servers of the second installation, in use by this test."""
    with using_servers(places=places):
        yield valkey_of(places), postgres_of(places)
