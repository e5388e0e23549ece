"""The environment of a production process, made of the dummy values that `make check` and the image use."""

import os

from dtm_ops.embedded.places import PROJECT

FILE = PROJECT / ".ci" / "production.env"


def dummy_values() -> dict[str, str]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def production(**changes: str | None) -> dict[str, str]:
    """What a production process sees: nothing of ours but the dummy values and `changes` (None takes a name away)."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    wanted = bare | dummy_values() | changes
    return {name: value for name, value in wanted.items() if value is not None}
