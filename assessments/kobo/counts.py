"""Whole numbers and shares out of answers.

Kobo gives every answer as text and checks nothing on receipt: zeros in front, spaces, ``42.0`` and words in a
number question are normal weather.
"""

import math
import re
from fractions import Fraction

# The largest value of PostgreSQL's integer column.
LARGEST = 2_147_483_647

_NUMBER = re.compile(r"([+-]?)([0-9]+)(?:[.,]([0-9]*))?", re.ASCII)


def parse_count(raw: object, *, largest: int = LARGEST) -> int | str:
    """Return the whole number an answer holds, or the code of what is wrong with it.

    ``"042"``, ``" 42 "``, ``"42.0"`` and ``42.0`` are 42. Codes: ``wrong_shape`` (no single answer), ``not_a_number``,
    ``negative``, ``not_whole``, ``too_large``.
    """
    if type(raw) is str:
        text = raw.strip()
        if text.isascii() and text.isdigit() and len(text) < 19:
            number = int(text)
            return number if number <= largest else "too_large"
        return _parse_unusual(text, largest)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return "wrong_shape"
    if not math.isfinite(raw):
        return "not_a_number"
    return _check_count(Fraction(raw), largest)


def parse_share(raw: object) -> Fraction | str:
    """Return a share in percent, exact, or the code of what is wrong; a decimal comma and a percent sign are read."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return "wrong_shape"
    match = _NUMBER.fullmatch(str(raw).strip().removesuffix("%").rstrip())
    if match is None:
        return "not_a_number"
    share = _read_decimal(match)
    if share is None or share > 100:
        return "too_large"
    return "negative" if share < 0 else share


def parse_factor(raw: object) -> Fraction | str:
    """Return what a number is multiplied by, exact, or the code of what is wrong; a decimal comma is read."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return "wrong_shape"
    match = _NUMBER.fullmatch(str(raw).strip())
    if match is None:
        return "not_a_number"
    factor = _read_decimal(match)
    if factor is None:
        return "too_large"
    return "negative" if factor < 0 else factor


def multiply(number: Fraction, factor: Fraction) -> int:
    """Return the product, rounded half up."""
    return math.floor(number * factor + Fraction(1, 2))


def take_share(share: Fraction, base: int) -> int:
    """Return the share (in percent) of a base, rounded half up."""
    return math.floor(share * base / 100 + Fraction(1, 2))


def _parse_unusual(text: str, largest: int) -> int | str:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return "not_a_number"
    number = _read_decimal(match)
    return "too_large" if number is None else _check_count(number, largest)


def _read_decimal(match: re.Match[str]) -> Fraction | None:
    """Return the number, or None when it has too many digits to be worth converting."""
    sign, whole, fraction = match.group(1), match.group(2).lstrip("0"), (match.group(3) or "").rstrip("0")
    if len(whole) > 18 or len(fraction) > 18:
        return None
    number = Fraction(int(whole or "0")) + Fraction(int(fraction or "0"), 10 ** len(fraction))
    return -number if sign == "-" else number


def _check_count(number: Fraction, largest: int) -> int | str:
    if number < 0:
        return "negative"
    if number.denominator != 1:
        return "not_whole"
    return int(number) if number <= largest else "too_large"
