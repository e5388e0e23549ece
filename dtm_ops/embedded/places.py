"""Addresses of the embedded servers and the secrets of an embedded installation."""

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent.parent


def var_dir() -> Path:
    """Data of this installation: `var/` of the project."""
    return PROJECT / "var"


def socket_dir() -> Path:
    """A short folder of our own for the two sockets: the whole path of a socket must stay below 107 characters."""
    mark = hashlib.sha256(str(PROJECT).encode()).hexdigest()[:10]
    return Path(f"/tmp/dtm-ops-{os.getuid()}-{mark}")  # noqa: S108  owner and mode are checked before use


def database() -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "dtm_ops",
        "USER": "dtm",
        "HOST": str(socket_dir()),
    }


def redis_url(number: int) -> str:
    return f"unix://{socket_dir()}/valkey.sock?db={number}"


def broker_url(number: int) -> str:
    return f"redis+socket://{socket_dir()}/valkey.sock?virtual_host={number}"


def secret(name: str) -> str:
    """A key of this installation, made on first use and kept in `var/secrets/` for its owner only."""
    file = var_dir() / "secrets" / name
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = base64.urlsafe_b64encode(secrets.token_bytes(32 if name.startswith("FIELD_") else 48)).decode()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(made)
    return made
