"""Identifiers in the shapes that Kobo uses."""

import secrets
import string
import uuid

_ALPHABET = string.ascii_letters + string.digits


def make_uid(prefix: str) -> str:
    """Return e.g. ``aXk…``: prefix and 21 or more characters, 22 in all for one-letter prefixes."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(21))


def make_kuid() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(9))


def make_uuid() -> str:
    return str(uuid.uuid4())


def make_token() -> str:
    return secrets.token_hex(20)


def without_prefix(instance_id: str) -> str:
    """Return the bare id of ``uuid:…``; other schemes stay as they are, as in Kobo."""
    return instance_id.removeprefix("uuid:")


def with_prefix(instance_id: str) -> str:
    return instance_id if ":" in instance_id else f"uuid:{instance_id}"
