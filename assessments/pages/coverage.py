"""Plan against done: the numbers of a round, and the places behind each of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_safe
from shapely.geometry.base import BaseGeometry

from assessments.enums import Bucket
from assessments.models import AssessmentRound, RoundRegion, RoundTarget
from assessments.pages.rounds import desk_address, other_rounds, round_at_desk
from assessments.selectors.coverage import Coverage, RegionCoverage, coverage, targets_in_bucket
from assessments.selectors.targets import TargetRow, explain_targets
from dtm_ops.common.exports import FORMATS, Cell, table_response
from dtm_ops.common.number_texts import count_text, percent_text
from dtm_ops.common.rounding import share
from dtm_ops.common.svg import Shape, Slice, Tile, bucket_bar, polygon_map, tile_map
from locations.enums import REGION_LEVEL
from locations.models import AdminUnit
from locations.permissions import scope_of
from locations.querysets import AnyUser
from locations.selectors import units_on
from locations.selectors.boundaries import Credit, boundary_credits, outlines
from training.models import FormKind

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Count:
    """A number of the coverage with the address of the rows behind it; zero has none."""

    code: str
    label: str
    count: int
    share: str | None
    href: str


@dataclass(frozen=True, slots=True)
class Line:
    """One region in the table; ``note`` is the number of its remark under the table."""

    region: RegionCoverage
    href: str
    cells: tuple[Count, ...]
    note: int | None


@dataclass(frozen=True, slots=True)
class Note:
    number: int
    regions: str
    text: str


@dataclass(frozen=True, slots=True)
class RegionMap:
    """``kinds``: the drawings to choose from as (label, address, is this one); one is no choice."""

    drawing: str
    off_map: tuple[str, ...] = ()
    kinds: tuple[tuple[str, str, bool], ...] = ()
    credits: tuple[Credit, ...] = ()


@require_safe
def show_coverage(request: HttpRequest, code: str) -> HttpResponse:
    current = round_at_desk(request, code)
    found = coverage(current, user=request.user)
    used = [bucket for bucket in Bucket if found.buckets[bucket]]
    notes = group_remarks([(region.unit, region.remark) for region in found.regions])
    number_of = {unit_id: note.number for unit_id, note in notes}
    lines = [_line(current, region, used, number_of.get(region.unit.unit_id)) for region in found.regions]
    context = {
        "round": current,
        "rounds": other_rounds(request, current, page="coverage"),
        "coverage": found,
        "legend": _counts(current, found.buckets, found.planned, used),
        "all_targets": targets_address(current),
        "bar": _bar(found, used),
        "map": _map(current, found, as_tiles=request.GET.get("map") == "tiles"),
        "columns": [bucket.label for bucket in used],
        "lines": lines,
        "total_cells": _counts(current, found.buckets, found.planned, used),
        "notes": list({note.number: note for _unit_id, note in notes}.values()),
        "own_places_only": not scope_of(request.user).everywhere,
    }
    return render(request, "assessments/coverage.html", context)


@require_safe
def show_coverage_targets(request: HttpRequest, code: str) -> HttpResponse:
    """The targets that the filter leaves, with the reason of each; ``format=csv`` or ``xlsx`` exports them all."""
    current = round_at_desk(request, code)
    chosen = TargetFilter(request.GET, assessment_round=current, user=request.user)
    found = chosen.targets()
    file_format = request.GET.get("format", "")
    if file_format:
        if file_format not in FORMATS or not chosen.is_valid():
            raise Http404
        name = "-".join(["coverage", current.code, *chosen.words()])
        return table_response(file_format, name=name, header=_header(), rows=_table(explain_targets(found)))
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [
        (row, desk_address(request, row.target), desk_address(request, row.submission))
        for row in explain_targets(page.object_list)
    ]
    context = {
        "round": current,
        "filter": chosen,
        "page": page,
        "rows": rows,
        "query": urlencode(chosen.values()),
        "is_filtered": bool(chosen.values()),
        "formats": [(one, one.upper()) for one in FORMATS],
    }
    return render(request, "assessments/coverage_targets.html", context)


class TargetFilter(forms.Form):
    """Region, bucket and form kind, of this round and within the user's reach."""

    region = forms.ModelChoiceField(
        AdminUnit.objects.none(),
        to_field_name="unit_id",
        required=False,
        label=gettext_lazy("Region"),
        empty_label=gettext_lazy("all regions"),
    )
    bucket = forms.ChoiceField(
        choices=[("", gettext_lazy("all")), *Bucket.choices], required=False, label=gettext_lazy("Where it stands")
    )
    kind = forms.ModelChoiceField(
        FormKind.objects.none(),
        to_field_name="code",
        required=False,
        label=gettext_lazy("Form kind"),
        empty_label=gettext_lazy("all kinds"),
    )

    def __init__(self, data: Any, *, assessment_round: AssessmentRound, user: AnyUser) -> None:
        super().__init__(data, auto_id="filter-%s", label_suffix="")
        self.round, self.user = assessment_round, user
        targets = assessment_round.targets.all()
        regions = AdminUnit.objects.visible_to(user).level(REGION_LEVEL)
        within = RoundTarget.objects.filter(round=assessment_round, unit__path__startswith=OuterRef("path"))
        named = RoundRegion.objects.filter(round=assessment_round, unit=OuterRef("pk"))
        kinds = FormKind.objects.filter(pk__in=targets.order_by().values("form_kind"))
        self.fields["region"].queryset = regions.filter(Exists(within) | Exists(named))  # type: ignore[attr-defined]
        self.fields["kind"].queryset = kinds  # type: ignore[attr-defined]

    def targets(self) -> Any:
        """None of them while the filter is wrong: its errors say why."""
        if not self.is_valid():
            return RoundTarget.objects.none()
        chosen = self.cleaned_data
        found = targets_in_bucket(self.round, user=self.user, region=chosen["region"], bucket=chosen["bucket"])
        return found.filter(form_kind=chosen["kind"]) if chosen["kind"] else found

    def values(self) -> dict[str, str]:
        """What is filtered, as in the address."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}

    def words(self) -> list[str]:
        """For the name of a file: codes, since names have letters that not every system takes."""
        return [self.values()[name] for name in ("region", "bucket", "kind") if name in self.values()]


def targets_address(current: AssessmentRound, **chosen: str) -> str:
    address = reverse("coverage_targets", args=[current.code])
    return f"{address}?{urlencode(chosen)}" if chosen else address


def group_remarks(remarks: Iterable[tuple[AdminUnit, str]]) -> list[tuple[str, Note]]:
    """The note of each region that has a remark, by ``unit_id``. Regions with the same remark share one, numbered in
    the order of the table.
    """
    by_text: dict[str, list[AdminUnit]] = {}
    for unit, text in remarks:
        if text:
            by_text.setdefault(text, []).append(unit)
    found = []
    for number, (text, units) in enumerate(by_text.items(), 1):
        note = Note(number, ", ".join(unit.name for unit in units), text)
        found += [(unit.unit_id, note) for unit in units]
    return found


def _counts(
    current: AssessmentRound, buckets: Any, planned: int, used: Sequence[Bucket], **chosen: str
) -> tuple[Count, ...]:
    return tuple(
        Count(
            bucket.value,
            str(bucket.label),
            buckets[bucket],
            share(buckets[bucket], planned),
            targets_address(current, **chosen, bucket=bucket.value) if buckets[bucket] else "",
        )
        for bucket in used
    )


def _line(current: AssessmentRound, region: RegionCoverage, used: Sequence[Bucket], note: int | None) -> Line:
    unit_id = region.unit.unit_id
    cells = _counts(current, region.buckets, region.planned, used, region=unit_id)
    return Line(region, targets_address(current, region=unit_id), cells, note)


def _bar(found: Coverage, used: Sequence[Bucket]) -> str:
    parts = [Slice(bucket.value, str(bucket.label), found.buckets[bucket]) for bucket in used]
    words = "; ".join(f"{part.label}: {count_text(part.value)}" for part in parts)
    return bucket_bar(parts, title=_("Plan against done"), description=words)


def _map(current: AssessmentRound, found: Coverage, *, as_tiles: bool) -> RegionMap:
    """The round's regions coloured by the share covered; the others of that day faint. Real polygons where every region
    of the round has one, unless tiles are asked for.
    """
    there = list(units_on(current.reference_date, level=REGION_LEVEL))
    regions = [region.unit for region in found.regions]
    drawn = outlines({*there, *regions}, on=current.reference_date)
    if not regions or any(unit.pk not in drawn for unit in regions):
        return _tiles(current, found, there)
    page = reverse("coverage", args=[current.code])
    kinds = (_("Map"), page, not as_tiles), (_("Tiles"), f"{page}?map=tiles", as_tiles)
    if as_tiles:
        return replace(_tiles(current, found, there), kinds=kinds)
    others = [unit for unit in there if unit not in regions and unit.pk in drawn]
    shapes = [_shape(current, region, drawn[region.unit.pk]) for region in found.regions]
    drawing = polygon_map(
        [*shapes, *(Shape(drawn[unit.pk], unit.short_name) for unit in others)],
        title=_("Share of places covered, by region"),
        description=_("The regions where they lie. The table below has the same numbers."),
    )
    credits = boundary_credits([*regions, *others], on=current.reference_date)
    return RegionMap(drawing, kinds=kinds, credits=tuple(credits))


def _tiles(current: AssessmentRound, found: Coverage, there: Iterable[AdminUnit]) -> RegionMap:
    """Others stand where no region of the round does."""
    spoken = [region for region in found.regions if region.unit.tile_column is not None]
    taken = {(region.unit.tile_column, region.unit.tile_row) for region in spoken}
    tiles = [_tile(current, region) for region in spoken]
    tiles += [
        Tile(unit.tile_column or 0, unit.tile_row or 0, unit.short_name)
        for unit in there
        if unit.tile_column is not None and (unit.tile_column, unit.tile_row) not in taken
    ]
    drawing = tile_map(
        tiles,
        title=_("Share of places covered, by region"),
        description=_("One tile a region, placed about where the region lies. The table below has the same numbers."),
    )
    return RegionMap(drawing, tuple(region.unit.name for region in found.regions if region.unit.tile_column is None))


def _shape(current: AssessmentRound, region: RegionCoverage, outline: BaseGeometry) -> Shape:
    return Shape(
        outline,
        name=region.unit.short_name,
        value=percent_text(region.share),
        detail=f"{count_text(region.covered)}/{count_text(region.planned)}",
        level=level_of(region.covered, region.planned),
        href=targets_address(current, region=region.unit.unit_id),
    )


def _tile(current: AssessmentRound, region: RegionCoverage) -> Tile:
    return Tile(
        column=region.unit.tile_column or 0,
        row=region.unit.tile_row or 0,
        name=region.unit.short_name,
        value=percent_text(region.share),
        detail=f"{count_text(region.covered)}/{count_text(region.planned)}",
        level=level_of(region.covered, region.planned),
        href=targets_address(current, region=region.unit.unit_id),
    )


def level_of(part: int, whole: int) -> int | None:
    """Colour of a share: 0 nothing, 1 to 4 the quarters, 5 everything; None where nothing is planned."""
    if not whole:
        return None
    if part in (0, whole):
        return 5 if part else 0
    return min(int(Decimal(4 * part) / whole) + 1, 4)


def _header() -> list[str]:
    return [
        _("Region"),
        _("Lies in"),
        _("Place"),
        pgettext("of a place", "Code"),
        _("Form kind"),
        _("Where it stands"),
        _("Why"),
        _("Day"),
        _("People"),
        _("Focus group"),
        _("Submission"),
    ]


def _table(rows: Iterable[TargetRow]) -> Iterable[list[Cell]]:
    for row in rows:
        way = [*row.parents, row.target.unit]
        yield [
            way[0].name,
            ", ".join(unit.name for unit in way[1:-1]),
            row.place,
            row.target.unit.code,
            str(row.target.form_kind),
            row.bucket_label,
            row.why,
            row.day.date() if row.day else None,
            ", ".join(row.people),
            row.focus_group.code if row.focus_group else "",
            row.submission.kobo_id if row.submission else None,
        ]
