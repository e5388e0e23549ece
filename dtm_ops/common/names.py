"""Names by language: a JSON object like ``{"en": ..., "ru": ..., "kk": ...}``."""

from collections.abc import Mapping

from django.utils.translation import get_language

# What is shown where the reader's language has no name.
FALLBACKS = ("en", "ru", "kk")


def named(names: Mapping[str, str], *, fallback: str, language: str | None = None) -> str:
    """The name in ``language`` (the reader's, unless told), else in the first fallback language that has one."""
    wanted = (language or get_language() or "en").partition("-")[0]
    for code in (wanted, *FALLBACKS):
        if names.get(code):
            return names[code]
    return next((name for name in names.values() if name), fallback)
