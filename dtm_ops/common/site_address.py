"""Addresses for mails, calendars and printed codes: background work knows no request."""

from django.conf import settings


def absolute(path: str) -> str:
    """``path`` begins with a slash, as `reverse` gives it."""
    return f"{settings.SITE_ADDRESS}{path}"
