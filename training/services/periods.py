"""Rows with a first and a last day: what the database refuses, repeated in words."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.utils import IntegrityError, OperationalError
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected

from dtm_ops.common.errors import Refused

ONE_DAY = timedelta(days=1)
Row = TypeVar("Row")


def period_words(first: date | None, last: date | None) -> str:
    """``01.04.2023 – 30.06.2023``, ``since 01.04.2023``, ``until 30.06.2023``."""
    if first and last:
        return f"{_short(first)} – {_short(last)}"
    if first:
        return _("since %(day)s") % {"day": _short(first)}
    return _("until %(day)s") % {"day": _short(last)} if last else _("without dates")


def check_order(first: date | None, last: date | None) -> None:
    if first and last and last < first:
        raise Refused(_("The last day is before the first."), code="days_order")


def write_or_refuse(write: Callable[[], Row], *, refusals: Mapping[str, Callable[[], Refused]]) -> Row:
    """Write; where a constraint of ``refusals`` says no (somebody else was first), its words instead."""
    try:
        return _write_past_deadlock(write)
    except IntegrityError as error:
        for name, refusal in refusals.items():
            if name in str(error):
                raise refusal() from None
        raise


def _write_past_deadlock(write: Callable[[], Row]) -> Row:
    """Two at once who exclude each other may each wait for the other, until PostgreSQL ends one of them: whom it ended
    writes once more, and meets the other's row.
    """
    try:
        with transaction.atomic():
            return write()
    except OperationalError as error:
        if not isinstance(error.__cause__, DeadlockDetected):
            raise
    with transaction.atomic():
        return write()


def _short(day: date) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")
