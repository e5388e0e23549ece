"""As whom the servers run, and which folders they may use.

PostgreSQL refuses to run as root, so root starts both as `nobody`. Folders that `nobody` cannot reach are never opened
up for it: data and programs go where it can.
"""

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtm_ops.embedded.places import Places, make_var

if sys.platform != "win32":
    import pwd

OUTSIDE = "Set DATABASE_URL and REDIS_URL to servers of your own."


class LaunchError(Exception):
    """The servers cannot be used; the text is one line for the person who started the command."""


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int
    # False when the servers run as the very user who starts them.
    other: bool

    def popen_options(self) -> dict[str, Any]:
        """What `subprocess` needs to start a program as this account, from a folder that it can enter."""
        switch: dict[str, Any] = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.other else {}
        # LC_ALL=C also keeps the servers' own messages in English, which the launcher reads.
        return switch | {"cwd": "/", "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}}


def servers_account() -> Account:
    if sys.platform == "win32":
        raise LaunchError(f"the embedded PostgreSQL and Valkey do not run on Windows. {OUTSIDE}")
    if os.getuid() != 0:
        return Account(name=str(os.getuid()), uid=os.getuid(), gid=os.getgid(), other=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise LaunchError(
            f"root may not run PostgreSQL and there is no user `nobody`. Start as an ordinary user. {OUTSIDE}"
        ) from None
    return Account(name="nobody", uid=nobody.pw_uid, gid=nobody.pw_gid, other=True)


def can_enter(account: Account, folder: Path) -> bool:
    """Asked of the system itself by trying: rights, access lists and mounts all count."""
    try:
        trial = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            **account.popen_options(),
        )
    except OSError as error:
        raise LaunchError(
            f"this process cannot start programs as {account.name} ({error.strerror}). {OUTSIDE}"
        ) from error
    return trial.returncode == 0


def check_sockets(account: Account, places: Places) -> None:
    """Make the folder of the sockets, or refuse it: whoever owns it decides whom we talk to."""
    folder = places.sockets
    if len(str(folder)) > 85:
        raise LaunchError(f"{folder} is too long for a socket. {OUTSIDE}")
    try:
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)
        if account.other:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        pass
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise LaunchError(
            f"{folder} is not a private folder of {account.name}: somebody else made or opened it. "
            "Remove it and start again."
        )


def choose_data_folder(account: Account, places: Places) -> Path:
    """`var/`, unless the servers run as `nobody` and it cannot come there. Data that exist stay where they are."""
    make_var(places.var)
    if not account.other or can_enter(account, places.var):
        return places.var
    folder = places.system_folder
    folder.mkdir(parents=True, exist_ok=True)
    for part in (folder.parent, folder):
        part.chmod(0o755)
    return folder


def make_own_folder(account: Account, folder: Path) -> None:
    """A folder for the server alone. One that belongs to somebody else is refused, not taken over."""
    try:
        folder.mkdir(mode=0o700)
        if account.other:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        owner = folder.stat().st_uid
        if owner != account.uid:
            raise LaunchError(
                f"{folder} belongs to user {owner}, but the servers run as {account.name}. "
                "Start DTM Ops as the user who started it first, or remove var/."
            ) from None


def runnable_folder(account: Account, site: Path, folders: list[str], program: str, places: Places) -> Path:
    """The folder under which `program` can be run by `account`: `site`, where the wheels are, else a copy of `folders`.

    The copy is marked by the age and size of the program, so that a new version of the wheel makes a new copy.
    """
    if _runs(account, site / program):
        return site
    if not account.other:
        raise LaunchError(f"{site / program} cannot run on this machine. {OUTSIDE}")
    found = (site / program).stat()
    copies = places.system_folder / "programs" / f"{found.st_size}-{int(found.st_mtime)}"
    for folder in folders:
        _copy_tree(site / folder, copies / folder)
    for part in (places.system_data, places.system_folder, copies.parent, copies):
        part.chmod(0o755)
    if not _runs(account, copies / program):
        raise LaunchError(f"{program} cannot run on this machine as {account.name}. {OUTSIDE}")
    return copies


def _runs(account: Account, program: Path) -> bool:
    try:
        trial = subprocess.run(
            [str(program), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            **account.popen_options(),
        )
    except OSError:
        return False
    return trial.returncode == 0


def _copy_tree(folder: Path, target: Path) -> None:
    """Copy whole or not at all, readable by everybody."""
    if target.exists() or not folder.exists():
        return
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(folder, draft, symlinks=True)
    for path in [draft, *draft.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    for parent in (target.parent, target.parent.parent):
        parent.chmod(0o755)
    draft.rename(target)
