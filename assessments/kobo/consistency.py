"""Soft checks of arithmetic inside one form, for quality flags. They never stop a submission."""

from collections.abc import Iterable

from assessments.kobo.errors import Problem
from assessments.kobo.mapping import FormFigure

# Breakdowns of all people asked about; reasons and types are asked about one year's arrivals (dtm method, A12).
OF_ALL = ("sex", "nationality", "arrival_year")
OF_YEAR = ("reason", "migration_type")


def check_consistency(figures: Iterable[FormFigure], *, reference_year: str | None = None) -> list[Problem]:
    """Compare each breakdown with its base: ``parts_exceed_total`` or, if lower, ``parts_differ_from_total``.

    A form that lists other places is broken down for the rest only, so the base is its total less their estimates. The
    base of reasons and types is the arrivals of the reference year, else of the last year that the form gives. Parts
    that nobody knew can only make the sum too low, which is then no finding; an unknown base is none either. ``path``
    is the indicator, ``value`` reads "sum / base".
    """
    own: dict[str, dict[str | None, int | None]] = {}
    listed = 0
    for figure in figures:
        if figure.unit is None:
            own.setdefault(figure.indicator, {})[figure.category] = figure.value
        elif figure.indicator == "present":
            listed += figure.value or 0
    total = own.get("present", {}).get(None)
    problems = []
    if total is not None and listed > total:
        problems.append(Problem("parts_exceed_total", "present", f"{listed} / {total}"))
    rest = None if total is None else max(total - listed, 0)
    years = own.get("arrival_year", {})
    arrivals = years.get(reference_year or max((year for year in years if year), default=None))
    for indicator, base in [(name, rest) for name in OF_ALL] + [(name, arrivals) for name in OF_YEAR]:
        if base is not None and indicator in own:
            problems.extend(_compare(indicator, own[indicator], base))
    return problems


def _compare(indicator: str, parts: dict[str | None, int | None], base: int) -> list[Problem]:
    total = sum(value for value in parts.values() if value is not None)
    if total > base:
        return [Problem("parts_exceed_total", indicator, f"{total} / {base}")]
    if total < base and None not in parts.values():
        return [Problem("parts_differ_from_total", indicator, f"{total} / {base}")]
    return []
