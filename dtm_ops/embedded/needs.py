"""Which of the embedded servers a command or a suite needs: the settings name their sockets, or they do not."""

from collections.abc import Sequence
from typing import Any

from dtm_ops.embedded.places import HERE

# They touch neither the database nor the cache. `up` looks after the servers itself.
WITHOUT_SERVERS = frozenset({
    "", "help", "version", "check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "makemessages",
    "startapp", "startproject", "spectacular", "testserver", "translations", "up",
})  # fmt: skip


def command_needs(words: Sequence[str], settings: Any) -> list[str]:
    """The servers that `manage.py WORDS` has to find running. The settings are not even read where none can be."""
    command = words[0] if words else ""
    asks_for_help = {"-h", "--help", "--version"} & set(words)
    if command in WITHOUT_SERVERS or command.startswith("-") or asks_for_help:
        return []
    return settings_need(settings)


def settings_need(settings: Any) -> list[str]:
    """Outside servers (DATABASE_URL, REDIS_URL) have other addresses, and production knows nothing else."""
    sockets = str(HERE.sockets)
    needed = []
    if settings.DATABASES["default"].get("HOST") == sockets:
        needed.append("postgres")
    if any(sockets in address for address in (settings.CELERY_BROKER_URL, settings.CACHES["default"]["LOCATION"])):
        needed.append("valkey")
    return needed
