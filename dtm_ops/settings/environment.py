"""The one place that reads the environment.

Secrets may also come from a file named by `<NAME>_FILE` (Docker and systemd secrets). A value that is missing or wrong
ends the start with one line that names it: nothing half-configured ever serves a page.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()


def stop(problem: str) -> SystemExit:
    """The one line, on standard error, with exit status 1."""
    return SystemExit(f"DTM Ops cannot start: {problem}")


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except ImproperlyConfigured:
        raise stop(f"{name} is missing from the environment") from None
    except (ValueError, KeyError) as error:
        raise stop(f"{name} has a value that cannot be read ({type(error).__name__})") from None


def _read(reader: Callable[..., Any], name: str, default: Any) -> Any:
    with _named(name):
        return reader(name) if default is _env.NOTSET else reader(name, default=default)


def text(name: str, default: Any = _env.NOTSET) -> str:
    return _read(_env.str, name, default)


def flag(name: str, *, default: bool) -> bool:
    return _read(_env.bool, name, default)


def number(name: str, *, default: int) -> int:
    return _read(_env.int, name, default)


def words(name: str, default: Any = _env.NOTSET) -> list[str]:
    """A comma-separated list; blanks around the commas do not count."""
    return [word.strip() for word in _read(_env.list, name, default) if word.strip()]


def secret(name: str, default: Any = _env.NOTSET) -> str:
    """A value, or the content of the file that `<name>_FILE` names. Blank counts as missing."""
    file = _env.str(f"{name}_FILE", default="")
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise stop(f"{name}_FILE names a file that cannot be read ({error.strerror})") from None
    else:
        value = text(name, default)
    if not value and default is _env.NOTSET:
        raise stop(f"{name} is blank")
    return value


def database(url: str) -> dict[str, Any]:
    """Django's database settings for a `postgres://` address. Other engines are refused: the rules live in PostgreSQL."""
    if not url.startswith(("postgres://", "postgresql://")):
        raise stop("DATABASE_URL must begin with postgres:// (no other engine holds the rules of this system)")
    with _named("DATABASE_URL"):
        return dict(_env.db_url_config(url))
