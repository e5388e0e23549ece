"""Logs of what we start: one file a program in `var/log/`, the previous start's kept beside it."""

from pathlib import Path
from typing import IO

LARGE = 5_000_000


def append_log(file: Path) -> IO[bytes]:
    """Open for appending; a file that has grown large is put aside first. The caller closes it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > LARGE:
        file.replace(file.with_suffix(".log.1"))
    return file.open("ab")


def fresh_log(file: Path, kept: int = 3) -> IO[bytes]:
    """Open a new one and keep the `kept` before it as `.1`, `.2`, ... The caller closes it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for number in range(kept, 0, -1):
        older = file if number == 1 else file.with_suffix(f".log.{number - 1}")
        if older.exists():
            older.replace(file.with_suffix(f".log.{number}"))
    return file.open("ab")


def last_lines(file: Path, count: int, *, after: int = 0) -> list[str]:
    """The last lines that are not blank, from the last 64 kB and not before byte `after`."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(after, file.stat().st_size - 65_536))
            text = stream.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]
