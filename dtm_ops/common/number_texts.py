"""Numbers as texts in the reader's language, alike in pages, drawings and sentences."""

from decimal import Decimal

from django.utils.formats import number_format

# What stands where there is nothing to divide by.
NOTHING = "-"
_SPACE = "\N{NO-BREAK SPACE}"


def count_text(count: int) -> str:
    return number_format(count, use_l10n=True, force_grouping=True)


def percent_text(share: Decimal | str | None) -> str:
    """``63.2 %``; a share that does not exist (zero denominator) is "-"."""
    return NOTHING if share is None else f"{number_format(Decimal(share), 1, use_l10n=True)}{_SPACE}%"


def growth_text(growth: Decimal | None) -> str:
    """With its sign; the empty text where there was nothing before."""
    if growth is None:
        return ""
    sign = "+" if growth > 0 else "\N{MINUS SIGN}" if growth < 0 else ""
    return f"{sign}{percent_text(abs(growth))}"
