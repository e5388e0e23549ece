"""A zone in words, for times that people in several zones read."""

from datetime import datetime, tzinfo

from django.utils import timezone


def utc_offset(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """Of the zone (the desk's, unless told) at that moment, e.g. "UTC+6"; "" without a moment."""
    shift = timezone.localtime(moment, zone).utcoffset() if moment else None
    if shift is None:
        return ""
    minutes = int(shift.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"
