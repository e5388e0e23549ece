"""Importing boundaries: idempotent, all or nothing. A feature is matched to a place by any code that it carries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Max, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from locations.models import AdminUnit, Boundary
from locations.selectors.boundaries import units_without_boundary
from locations.services.boundary_file import (
    LICENCE_MEMBERS,
    SOURCE_MEMBERS,
    BoundariesRefused,
    FeatureProblem,
    as_geojson,
    features_of,
    read_polygon,
    refused,
    text_member,
)

BATCH: Final = 50
CODE_FIELDS: Final = ("unit_id", "code", "pcode", "iso_3166_2", "iso_3166_2_former")
LONGEST_CODE: Final = 40
LONGEST: Final = {field.name: field.max_length or 0 for field in Boundary._meta.fields}
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class FeatureNote:
    """Something to know about one feature, which did not keep the file from being imported."""

    feature: int
    code: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class BoundaryImport:
    """What an import did, or (``dry_run``) would do. ``missing``: places of the same levels, in force on that day, that
    have no polygon after it. ``unmatched``: features left out, as was asked for. ``repaired``: with the reason.
    """

    matched_by: str
    on: date
    source: str
    licence: str
    added: int
    changed: int
    unchanged: int
    unmatched: tuple[FeatureNote, ...]
    repaired: tuple[FeatureNote, ...]
    missing: tuple[AdminUnit, ...]
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        return {
            "property": self.matched_by,
            "on": self.on.isoformat(),
            "source": self.source,
            "licence": self.licence,
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "unmatched": [{"feature": one.feature, "code": one.code} for one in self.unmatched],
            "repaired": [{"feature": one.feature, "code": one.code, "reason": one.note} for one in self.repaired],
            "missing": [
                {"unit_id": unit.unit_id, "code": unit.code, "level": unit.level, "name": unit.name}
                for unit in self.missing
            ],
            "dry_run": self.dry_run,
        }


@dataclass(slots=True)
class _Drawn:
    """One feature on its way: its number as people count, its code, and what was found for both."""

    number: int
    code: str
    unit: AdminUnit | None = None
    polygon: BaseGeometry | None = None
    reason: str = ""


def import_boundaries(
    collection: Any,
    *,
    source: str = "",
    licence: str = "",
    on: date | None = None,
    property: str | None = None,
    skip_unknown: bool = False,
    dry_run: bool = False,
) -> BoundaryImport:
    """Give each place in force ``on`` that day (today) the polygon of the feature with its code.

    The code is sought in all properties (the one that names most places is taken) unless ``property`` says which.
    Source and licence may stand in the file. Raises `BoundariesRefused` with all problems, and then nothing is written;
    a code that nobody bore that day is one, unless ``skip_unknown``. Polygons of a day that is over stand beside those
    of now; a polygon of the same place for the same day is replaced.
    """
    features = features_of(collection)
    day = on or timezone.localdate()
    source = source.strip() or text_member(collection, SOURCE_MEMBERS)
    licence = licence.strip() or text_member(collection, LICENCE_MEMBERS)
    problems = list(_problems_of_credit(source, licence))
    matched_by, drawn = _match(features, day, property=property)
    unmatched = [one for one in drawn if one.unit is None] if skip_unknown else []
    kept = [one for one in drawn if one not in unmatched] if unmatched else drawn
    problems += [*_problems_of_codes(kept, day), *_read_polygons(kept, features)]
    if problems:
        raise BoundariesRefused(problems)
    if not kept:
        raise refused(_("No feature has the code of a place."))
    with transaction.atomic(), connection.cursor() as cursor:
        # Two imports at once: the second compares with what the first has written. Readers are not disturbed.
        cursor.execute("LOCK TABLE locations_boundary IN SHARE ROW EXCLUSIVE MODE")
        counts = _write(kept, source=source, licence=licence, drawn_for=day if day < timezone.localdate() else None)
        levels = {one.unit.level for one in kept if one.unit}
        missing = tuple(units_without_boundary(day).filter(level__in=levels))
        if dry_run:
            transaction.set_rollback(True)
    return BoundaryImport(
        matched_by=matched_by,
        on=day,
        source=source,
        licence=licence,
        **counts,
        unmatched=tuple(FeatureNote(one.number, one.code) for one in unmatched),
        repaired=tuple(FeatureNote(one.number, one.code, one.reason) for one in kept if one.reason),
        missing=missing,
        dry_run=dry_run,
    )


def _problems_of_credit(source: str, licence: str) -> Iterator[FeatureProblem]:
    for part, text, blank in (
        ("source", source, _("The file does not say whose polygons these are: name the source.")),
        ("licence", licence, _("The file does not say under which licence the polygons are: name the licence.")),
    ):
        most = LONGEST[part]
        if not text:
            yield FeatureProblem(None, "", blank, part)
        elif len(text) > most:
            yield FeatureProblem(
                None, "", _("“%(text)s…”: longer than %(most)s characters.") % {"text": text[:40], "most": most}, part
            )


def _match(features: Sequence[Any], day: date, *, property: str | None) -> tuple[str, list[_Drawn]]:
    """Each feature with the place whose code it carries, or with None."""
    codes = _codes_by_property(features)
    if property is not None and property not in codes:
        raise refused(
            _("No feature has the property “%(name)s”. There are: %(names)s."),
            name=property,
            names=", ".join(codes) or "–",
        )
    asked = codes if property is None else {property: codes[property]}
    units = _units_by_code({code for found in asked.values() for code in found if code}, day)
    name = _best_property(asked, units)
    if name is None:
        raise refused(
            _("No property of the features holds the code of a place of %(day)s. Properties: %(names)s."),
            day=day.isoformat(),
            names=", ".join(asked) or "–",
        )
    return name, [_Drawn(number, code, units.get(code.upper())) for number, code in enumerate(codes[name], 1)]


def _codes_by_property(features: Sequence[Any]) -> dict[str, list[str]]:
    """Every property with its value in each feature; the feature's own id stands under "id"."""
    found: dict[str, list[str]] = {}
    for position, feature in enumerate(features):
        for name, value in _properties(feature).items():
            found.setdefault(str(name), [""] * len(features))[position] = _code_text(value)
    return {name: codes for name, codes in found.items() if any(codes)}


def _properties(feature: Any) -> dict[str, Any]:
    if not isinstance(feature, Mapping):
        return {}
    properties = feature.get("properties")
    return {"id": feature.get("id"), **(properties if isinstance(properties, Mapping) else {})}


def _code_text(value: Any) -> str:
    """A code as people write it; a spreadsheet on the way may have made a number of it."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    whole = isinstance(value, float) and value.is_integer()
    text = str(int(value) if whole else value).strip()
    return text if len(text) <= LONGEST_CODE else ""


def _units_by_code(codes: set[str], day: date) -> dict[str, AdminUnit]:
    """By code in capitals. A code that two places share that day names neither."""
    wanted = codes | {code.upper() for code in codes}
    query = Q(pk__in=[])
    for field in CODE_FIELDS:
        query |= Q(**{f"{field}__in": wanted})
    units = AdminUnit.objects.units_on(day).filter(query).only(*CODE_FIELDS, "level", "names", "latitude", "longitude")
    found: dict[str, AdminUnit | None] = {}
    for unit in units:
        for code in {str(getattr(unit, field)).upper() for field in CODE_FIELDS} - {""}:
            found[code] = unit if code not in found else None
    return {code: unit for code, unit in found.items() if unit}


def _best_property(codes: Mapping[str, Sequence[str]], units: Mapping[str, AdminUnit]) -> str | None:
    """The one that names most places; of those, the one that names the lowest: a district also carries its region."""
    scores: dict[str, tuple[int, int]] = {}
    for name, found in codes.items():
        named = {units[code.upper()] for code in found if code.upper() in units}
        if named:
            scores[name] = (len(named), sum(unit.level for unit in named))
    return max(scores, key=lambda name: scores[name]) if scores else None


def _problems_of_codes(drawn: Iterable[_Drawn], day: date) -> Iterator[FeatureProblem]:
    first: dict[int, int] = {}
    for one in drawn:
        if not one.code:
            yield FeatureProblem(one.number, "", _("there is no code."))
        elif one.unit is None:
            message = _("no place had this code on %(day)s.") % {"day": day.isoformat()}
            yield FeatureProblem(one.number, one.code, message)
        elif first.setdefault(one.unit.pk, one.number) != one.number:
            message = _("feature %(number)s draws the same place.") % {"number": first[one.unit.pk]}
            yield FeatureProblem(one.number, one.code, message)


def _read_polygons(drawn: Iterable[_Drawn], features: Sequence[Any]) -> Iterator[FeatureProblem]:
    """Puts the polygon beside each feature."""
    whole = _box_of_all_points()
    for one in drawn:
        try:
            one.polygon, one.reason = read_polygon(features[one.number - 1])
        except ValueError as error:
            yield FeatureProblem(one.number, one.code, str(error))
            continue
        if _is_swapped(one.polygon.bounds, _point_of(one.unit) or whole):
            message = _("latitude stands before longitude; GeoJSON has the longitude first.")
            yield FeatureProblem(one.number, one.code, message)


def _is_swapped(box: Box, known: Box | None) -> bool:
    """Away from where places are known to lie, and right there with the two numbers of each point exchanged."""
    if known is None or _meet(box, known):
        return False
    west, south, east, north = box
    return _meet((south, west, north, east), known)


def _meet(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _point_of(unit: AdminUnit | None) -> Box | None:
    if unit is None or unit.latitude is None or unit.longitude is None:
        return None
    x, y = float(unit.longitude), float(unit.latitude)
    return (x, y, x, y)


def _box_of_all_points() -> Box | None:
    box = AdminUnit.objects.aggregate(
        west=Min("longitude"), south=Min("latitude"), east=Max("longitude"), north=Max("latitude")
    )
    if box["west"] is None:
        return None
    return (float(box["west"]), float(box["south"]), float(box["east"]), float(box["north"]))


def _write(drawn: Sequence[_Drawn], *, source: str, licence: str, drawn_for: date | None) -> dict[str, int]:
    """In batches: as lists of numbers a large country is many times its file."""
    counts = {"added": 0, "changed": 0, "unchanged": 0}
    now = timezone.now()
    for start in range(0, len(drawn), BATCH):
        rows = [_row(one) for one in drawn[start : start + BATCH]]
        same_day = Q(drawn_for=drawn_for) if drawn_for else Q(drawn_for__isnull=True)
        stored = Boundary.objects.filter(same_day, unit__in=[row.unit_id for row in rows])
        before = {row.unit_id: row for row in stored}
        written = []
        for row in rows:
            row.source, row.licence, row.drawn_for, row.imported_at = source, licence, drawn_for, now
            old = before.get(row.unit_id)
            same = old is not None and (old.geometry, old.source, old.licence) == (row.geometry, source, licence)
            counts["unchanged" if same else "changed" if old else "added"] += 1
            written += [] if same else [row]
        Boundary.objects.bulk_create(
            written,
            update_conflicts=True,
            unique_fields=["unit", "drawn_for"],
            update_fields=["geometry", "west", "south", "east", "north", "source", "licence", "imported_at"],
        )
    return counts


def _row(one: _Drawn) -> Boundary:
    if one.unit is None or one.polygon is None:
        raise ValueError(one.number)  # both were asked for before
    west, south, east, north = one.polygon.bounds
    return Boundary(unit=one.unit, geometry=as_geojson(one.polygon), west=west, south=south, east=east, north=north)
