"""Addresses of the embedded servers and the secrets of an embedded installation. Reading it starts nothing."""

import base64
import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Places:
    """The folders of one installation. `root` is the project's own folder; tests lay a second one elsewhere."""

    root: Path = PROJECT
    sockets_parent: Path = Path("/tmp")  # noqa: S108  owner and mode are checked before use
    # Where data go when the process is root and `nobody` cannot reach `root`.
    system_data: Path = Path("/var/lib/dtm-ops")

    @property
    def mark(self) -> str:
        """Ten characters that differ between two copies of the project on one machine.

        What counts is where `var/` really is: two folders whose `var` is one and the same share one pair of servers.
        """
        return hashlib.sha256(str(self.var.resolve().parent).encode()).hexdigest()[:10]

    @property
    def var(self) -> Path:
        """Data of this installation: `var/` of the project, ignored by git."""
        return self.root / "var"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def run(self) -> Path:
        """Locks and process numbers."""
        return self.var / "run"

    @property
    def system_folder(self) -> Path:
        return self.system_data / self.mark

    @property
    def sockets(self) -> Path:
        """A short folder for the two sockets: the whole path of a socket must stay below 107 characters."""
        return self.sockets_parent / f"dtm-ops-{os.getuid()}-{self.mark}"


HERE = Places()


def database() -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "dtm_ops",
        "USER": "dtm",
        "HOST": str(HERE.sockets),
    }


def redis_url(number: int) -> str:
    return f"unix://{HERE.sockets}/valkey.sock?db={number}"


def broker_url(number: int) -> str:
    return f"redis+socket://{HERE.sockets}/valkey.sock?virtual_host={number}"


def secret(name: str, places: Places = HERE) -> str:
    """A key of this installation, made on first use and kept in `var/secrets/` for its owner only.

    Two processes that ask at once get the same key: it is written beside and linked into place whole.
    """
    file = places.var / "secrets" / name
    try:
        if not file.exists():
            _make_secret(file)
        return file.read_text(encoding="ascii").strip()
    except PermissionError:
        raise SystemExit(
            f"DTM Ops cannot start: {file.parent} belongs to another user. Start it as that user, or remove var/."
        ) from None


def _make_secret(file: Path) -> None:
    make_var(file.parent.parent)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    made = base64.urlsafe_b64encode(secrets.token_bytes(32 if file.name.startswith("FIELD_") else 48))
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(made)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, file)
    except FileExistsError:
        pass  # another process was first: its key counts
    finally:
        os.unlink(draft)


def make_var(var: Path) -> None:
    """Make `var/`, passable for `nobody` also under a strict umask: the servers' own folders in it are 0700."""
    try:
        var.mkdir(parents=True)
    except FileExistsError:
        return
    var.chmod(0o755)
