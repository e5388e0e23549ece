"""Who uses the servers. The first user starts them, the last one to leave stops them.

Each user holds a shared lock on `users.lock`; who gets the exclusive lock when leaving was the last. The system takes
the lock back from a process that is killed, so nothing has to be repaired after a kill -9: the servers are left running
and the next user adopts them. `gate.lock` is held while somebody starts or stops, so that nobody uses half a server.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
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
        try:
            with _held(gate):
                check_sockets(account, places)
                for step in ("begin", "wait"):
                    for name in [name for name in servers if name in names]:
                        getattr(servers[name], step)()
                fcntl.flock(users, fcntl.LOCK_SH)
            yield
        finally:
            with _held(gate):
                if _is_last(users):
                    for server in servers.values():
                        server.stop()
    finally:
        os.close(users)
        os.close(gate)


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
