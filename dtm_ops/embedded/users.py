"""Who uses the servers. The first user starts them, the last one to leave stops them.

Each user holds a shared lock on `users.lock`; who gets the exclusive lock when leaving was the last. The system takes
the lock back from a process that is killed, so nothing has to be repaired after a kill -9: the servers are left running
and the next user adopts them. `gate.lock` is held while somebody starts or stops, so that nobody uses half a server.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from dtm_ops.embedded.accounts import LaunchError, check_sockets, servers_account
from dtm_ops.embedded.places import HERE, Places, make_var
from dtm_ops.embedded.postgres import Postgres
from dtm_ops.embedded.valkey import Valkey

if sys.platform != "win32":
    import fcntl

BOTH = ("postgres", "valkey")


def say_on_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@contextmanager
def using_servers(
    names: Sequence[str] = BOTH, *, places: Places = HERE, say: Callable[[str], None] = say_on_stderr
) -> Iterator[None]:
    """Be a user of the named servers; they answer inside the block.

    Raises `LaunchError` when they cannot be started. With no names it does nothing at all.
    """
    if not names:
        yield
        return
    account = servers_account()
    # Valkey first: it starts by itself while PostgreSQL's cluster is made.
    servers: dict[str, Postgres | Valkey] = {
        "valkey": Valkey(account, places, say),
        "postgres": Postgres(account, places, say),
    }
    gate, users = _open_lock(places, "gate.lock"), _open_lock(places, "users.lock")
    try:
        with _held(gate):
            check_sockets(account, places)
            try:
                _start([server for name, server in servers.items() if name in names])
                fcntl.flock(users, fcntl.LOCK_SH)
            except BaseException:
                _leave(users, servers.values(), places)
                raise
        try:
            yield
        finally:
            with _held(gate):
                _leave(users, servers.values(), places)
    finally:
        os.close(users)
        os.close(gate)


def _start(servers: Sequence[Postgres | Valkey]) -> None:
    for server in servers:
        server.begin()
    for server in servers:
        server.wait()


def _leave(users: int, servers: Iterable[Postgres | Valkey], places: Places) -> None:
    """Stop both, also the one that we did not name, unless somebody else still uses them."""
    if not _is_last(users):
        for server in servers:
            server.leave_running()
        return
    for server in servers:
        server.stop()
    with contextlib.suppress(OSError):  # not there, or not empty: somebody looks into it
        places.sockets.rmdir()


def _open_lock(places: Places, name: str) -> int:
    try:
        make_var(places.var)
        places.run.mkdir(exist_ok=True)
        return os.open(places.run / name, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:
        raise LaunchError(
            f"{places.var} belongs to another user. Start DTM Ops as that user, or remove var/."
        ) from None


@contextmanager
def _held(lock: int) -> Iterator[None]:
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def _is_last(users: int) -> bool:
    """Give up our own share and see whether anybody else holds one."""
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
