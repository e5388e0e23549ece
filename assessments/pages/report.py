"""The quarter's figures: totals, breakdowns, and what each number rests on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assessments.enums import IndicatorBase
from assessments.models import AssessmentRound, Indicator
from assessments.pages.rounds import desk_address, other_rounds, round_at_desk
from assessments.selectors.coverage import coverage
from assessments.selectors.report import TOTAL, UNKNOWN, YEARS, Breakdown, Report, Row, report
from assessments.selectors.report_districts import DistrictLine, region_report
from dtm_ops.common.number_texts import count_text, growth_text, percent_text
from dtm_ops.common.svg import Bar, Column, bar_chart, column_chart
from locations.models import AdminUnit
from locations.permissions import scope_of


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a breakdown, ready to be shown. ``note`` is the number of its remark."""

    name: str
    count: int
    share: Decimal | None
    growth: Decimal | None
    href: str = ""
    note: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A breakdown with its chart. ``misses`` is the sum of the shares where rounding keeps it from 100.0."""

    code: str
    name: str
    base: int
    base_words: str
    lines: tuple[Line, ...]
    chart: str
    has_growth: bool
    misses: Decimal | None


@require_safe
def show_report(request: HttpRequest, code: str) -> HttpResponse:
    current = round_at_desk(request, code)
    found = report(current, user=request.user)
    indicators = {indicator.code: indicator for indicator in Indicator.objects.all()}
    notes = _notes(found.by["region"])
    context = {
        "round": current,
        "rounds": other_rounds(request, current, page="report"),
        "report": found,
        "what": indicators.get(TOTAL),
        "coverage": coverage(current, user=request.user),
        "regions": _regions(current, found, notes),
        "sections": [
            _section(current, breakdown, indicators[key]) for key, breakdown in found.by.items() if key in indicators
        ],
        "notes": [(number, _names(found.by["region"], text), text) for text, number in notes.items()],
        "own_places_only": not scope_of(request.user).everywhere,
    }
    return render(request, "assessments/report.html", context)


@require_safe
def show_region_report(request: HttpRequest, code: str, unit_id: str) -> HttpResponse:
    """A region's districts with the forms behind each number. A region that the user does not see is not found."""
    current = round_at_desk(request, code)
    whole = report(current, user=request.user)
    row = next((row for row in whole.by["region"].rows if row.unit_id == unit_id), None)
    if row is None:
        raise Http404
    region = get_object_or_404(AdminUnit, unit_id=unit_id)
    found = region_report(whole, region)
    districts = sorted(found.districts, key=lambda line: (-line.total, line.unit.code))
    context = {
        "round": current,
        "region": region,
        "row": row,
        "what": Indicator.objects.filter(code=TOTAL).first(),
        "found": found,
        "chart": _district_chart(districts),
        "districts": [
            (line, [(part, KINDS_OF_PART[part.kind](), desk_address(request, part.submission)) for part in line.parts])
            for line in districts
        ],
        "own_places_only": not scope_of(request.user).everywhere,
    }
    return render(request, "assessments/report_region.html", context)


# What a piece of a district's number rests on, in words.
KINDS_OF_PART = {
    "village": lambda: _("approved form of this place"),
    "estimate": lambda: _("estimate of the district form"),
    "rest": lambda: _("rest, by the district form"),
}


def _notes(regions: Breakdown) -> dict[str, int]:
    """Remarks of the regions, numbered in the order of the table; a remark that several have stands once."""
    texts = dict.fromkeys(row.remark for row in _by_size(regions) if row.remark)
    return {text: number for number, text in enumerate(texts, 1)}


def _names(regions: Breakdown, remark: str) -> str:
    return ", ".join(row.name for row in _by_size(regions) if row.remark == remark)


def _by_size(regions: Breakdown) -> list[Row]:
    return sorted(regions.rows, key=lambda row: (-row.count, row.code))


def _regions(current: AssessmentRound, found: Report, notes: Mapping[str, int]) -> Section:
    breakdown = found.by["region"]
    lines = tuple(
        Line(
            name=row.name,
            count=row.count,
            share=row.share,
            growth=None,
            href=reverse("report_region", args=[current.code, row.unit_id]),
            note=notes.get(row.remark),
        )
        for row in _by_size(breakdown)
    )
    chart = bar_chart([_bar(line) for line in lines], title=_("By region"), description=_words(lines))
    return Section(
        code="region",
        name=_("By region"),
        base=breakdown.base,
        base_words="",
        lines=lines,
        chart=chart,
        has_growth=False,
        misses=_misses(breakdown),
    )


def _section(current: AssessmentRound, breakdown: Breakdown, indicator: Indicator) -> Section:
    lines = tuple(
        Line(row.name if row.code != UNKNOWN else _("not given in the form"), row.count, row.share, row.growth)
        for row in breakdown.rows
    )
    if indicator.base == IndicatorBase.REFERENCE_YEAR:
        base_words = _("Base: %(count)s people who arrived in %(year)s.")
    else:
        base_words = _("Base: all %(count)s who are present.")
    words = {"count": count_text(breakdown.base), "year": str(current.reference_year)}
    return Section(
        code=breakdown.code,
        name=breakdown.name,
        base=breakdown.base,
        base_words=base_words % words,
        lines=lines,
        chart=_years_chart(breakdown, lines) if breakdown.code == YEARS else _chart(breakdown, lines),
        has_growth=any(line.growth is not None for line in lines),
        misses=_misses(breakdown),
    )


def _misses(breakdown: Breakdown) -> Decimal | None:
    return breakdown.share_sum if breakdown.base and breakdown.share_sum != 100 else None


def _chart(breakdown: Breakdown, lines: tuple[Line, ...]) -> str:
    return bar_chart([_bar(line) for line in lines], title=breakdown.name, description=_words(lines))


def _years_chart(breakdown: Breakdown, lines: tuple[Line, ...]) -> str:
    """Years stand side by side; those whose year is not known are in the table alone."""
    known = [line for line, row in zip(lines, breakdown.rows, strict=True) if row.code != UNKNOWN]
    columns = [Column(line.name, line.count, count_text(line.count), growth_text(line.growth)) for line in known]
    return column_chart(columns, title=breakdown.name, description=_words(tuple(known)))


def _bar(line: Line) -> Bar:
    return Bar(line.name, line.count, f"{count_text(line.count)} · {percent_text(line.share)}", href=line.href)


def _words(lines: tuple[Line, ...]) -> str:
    return "; ".join(f"{line.name}: {count_text(line.count)}, {percent_text(line.share)}" for line in lines)


def _district_chart(districts: Iterable[DistrictLine]) -> str:
    bars = [
        Bar(line.unit.name, line.total, f"{count_text(line.total)} · {percent_text(line.share)}") for line in districts
    ]
    return bar_chart(bars, title=_("By district"))
