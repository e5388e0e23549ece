"""Places as a table for other programs: a header, and under it the HXL tags that say what each column is.

One row a place, with the code and the names of every place above it, by level.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from dtm_ops.common.exports import Cell
from locations.enums import LEVELS
from locations.models import AdminUnit
from locations.querysets import AdminUnitQuerySet

CHUNK: Final = 2_000
# https://hxlstandard.org/standard/1-1final/dictionary/: +i_xx is a language, +v_xx the list that a code belongs to.
# Column and tag of what the place itself has; the columns of the levels stand between.
_FIRST: Final = (
    ("unit_id", "#loc+id"),
    ("code", "#loc+code"),
    ("level", "#meta+level"),
    ("type", "#loc+type"),
)
_LAST: Final = (
    ("pcode", "#loc+code+v_pcode"),
    ("valid_from", "#date+start"),
    ("valid_to", "#date+end"),
    ("lat", "#geo+lat"),
    ("lon", "#geo+lon"),
)


def unit_table(units: AdminUnitQuerySet, languages: Sequence[str]) -> tuple[list[str], Iterator[list[Cell]]]:
    """The header, and the rows with that of the tags before them."""
    header, tags = unit_header(languages)
    return header, chain([list[Cell](tags)], unit_rows(units, languages))


def unit_header(languages: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of the columns, and their tags. Names are for programs: not translated."""
    columns = list(_FIRST)
    for level in LEVELS:
        column, tag = (f"adm{level}", f"#adm{level}") if level else ("country", "#country")
        columns.append((f"{column}_code", f"{tag}+code"))
        columns += [(f"{column}_name_{language}", f"{tag}+name+i_{language}") for language in languages]
    columns += _LAST
    return [name for name, _tag in columns], [tag for _name, tag in columns]


def unit_rows(units: AdminUnitQuerySet, languages: Sequence[str]) -> Iterator[list[Cell]]:
    """By two queries, however many places; they are read in chunks."""
    lowest = max(LEVELS)
    above: dict[str, tuple[int, str, Any]] = {
        unit_id: (level, code, names)
        for unit_id, level, code, names in AdminUnit.objects.filter(level__lt=lowest)
        .order_by()
        .values_list("unit_id", "level", "code", "names")
    }
    for unit in units.prefetch_related(None).select_related(None).iterator(CHUNK):
        way = {unit.level: (unit.code, unit.names)}
        for unit_id in unit.path.split("/")[:-2]:
            if unit_id in above:
                level, code, names = above[unit_id]
                way[level] = (code, names)
        yield [
            unit.unit_id,
            unit.code,
            unit.level,
            unit.unit_type,
            *(cell for level in LEVELS for cell in _level_cells(way.get(level), languages)),
            unit.pcode,
            unit.valid_from,
            unit.valid_to,
            unit.latitude,
            unit.longitude,
        ]


def _level_cells(place: tuple[str, Any] | None, languages: Sequence[str]) -> list[Cell]:
    if place is None:
        return [""] * (1 + len(languages))
    code, names = place
    return [code, *(names.get(language, "") for language in languages)]
