"""Phone numbers as people write them, and as we keep them (E.164)."""

import re
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

# What people put between the digits, the many dashes and spaces of office programs included.
_BETWEEN = re.compile("[\\s()./\u00a0\u2007\u202f\u200b\u2010-\u2015\u2212-]+")


def normalise_phone(typed: Any) -> str:
    """``8 701 123 45 67``, ``+7 (701) 123-45-67``, ``007701...`` or 77011234567.0 of a spreadsheet: ``+77011234567``.

    Blank stays blank. A number without a country is read by the mission's numbering plan (settings.PHONE_PLAN).
    Raises ``ValueError`` with a sentence for what is no phone number.
    """
    if isinstance(typed, float) and typed.is_integer():
        typed = int(typed)
    # A spreadsheet that took the phone for a number writes it with a fraction.
    text = re.sub(r"^(\d{10,15})\.0+$", r"\1", "" if typed is None else str(typed).strip())
    bare = _BETWEEN.sub("", text).removeprefix("'")
    if not bare:
        return ""
    number = _with_country(bare)
    if not re.fullmatch(r"\+[1-9]\d{6,14}", number):
        raise ValueError(_("“%(value)s” is not a phone number.") % {"value": typed})
    return number


def _with_country(bare: str) -> str:
    plan: dict[str, Any] = settings.PHONE_PLAN
    country, trunk, length = str(plan["country"]), str(plan["trunk"]), int(plan["digits"])
    if bare.startswith("+"):
        return bare
    if bare.startswith("00"):
        return f"+{bare[2:]}"
    if not bare.isdecimal() or not bare.isascii():
        return bare
    if len(bare) == length:
        return f"+{country}{bare}"
    if len(bare) == len(trunk) + length and bare.startswith(trunk):
        return f"+{country}{bare.removeprefix(trunk)}"
    return f"+{bare}"
