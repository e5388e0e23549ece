"""Shares as they are printed: percent with one decimal, half up."""

from decimal import ROUND_HALF_UP, Decimal

_TENTH = Decimal("0.1")


def share(part: int, whole: int) -> str | None:
    """``"31.9"`` for 213,227 of 668,422; None for a zero denominator, which pages show as "-"."""
    percent = percent_of(part, whole)
    return None if percent is None else str(percent)


def percent_of(part: int, whole: int) -> Decimal | None:
    return (Decimal(100 * part) / Decimal(whole)).quantize(_TENTH, ROUND_HALF_UP) if whole else None


def growth(now: int, before: int) -> Decimal | None:
    """Percent of change, one decimal; None where there was nothing before."""
    return percent_of(now - before, before)
