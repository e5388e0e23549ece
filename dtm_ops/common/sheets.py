"""The cells of a workbook's first visible sheet, row by row, and no row more than asked for."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils.cell import column_index_from_string, coordinate_from_string

_MOST_COLUMNS: Final = 1000
# openpyxl forgets the merged cells and the formulas of a sheet that it reads in a hurry: both are looked up beside it.
_MERGED: Final = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+\d+:[A-Z]+\d+)"')
_UNWORKED: Final = re.compile(
    rb'<(?:\w+:)?c\s[^>]*?r="([A-Z]+\d+)"(?![^>]*t="str")[^>]*>\s*<(?:\w+:)?f[^>]*?(?:/>|>([^<]*)</(?:\w+:)?f>)'
    rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)

Row = tuple[int, tuple[Any, ...]]


class CellError(str):
    """What a spreadsheet shows where a formula came to nothing (#N/A), or a formula that was never worked out."""

    __slots__ = ()


class SheetTooLarge(ValueError):
    """More rows or columns than were asked for. Nothing behind them was read."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """``rows``: those with anything in them, each with its number in the sheet. ``merged``: areas like "A1:C1"."""

    rows: list[Row]
    merged: list[str]


def read_first_sheet(data: bytes, *, most_rows: int) -> Sheet | None:
    """None: the workbook has no visible sheet with cells. Raises whatever openpyxl and zipfile raise for a bad one."""
    with warnings.catch_warnings():
        # About parts of a workbook that no table needs, and about dates that cannot be (their cell says #VALUE!).
        warnings.simplefilter("ignore")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        try:
            sheet = next((one for one in book.worksheets if one.sheet_state == "visible"), None)
            if sheet is None:
                return None
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                source = archive.read(sheet._worksheet_path.removeprefix("/"))
            # What a file says of its own size is no promise.
            sheet.reset_dimensions()
            rows = list(_filled(sheet.iter_rows(values_only=True), _unworked(source), most_rows=most_rows))
        finally:
            book.close()
    return Sheet(rows, [area.decode() for area in _MERGED.findall(source)])


def _filled(
    lines: Iterable[tuple[Any, ...]], unworked: dict[int, dict[int, CellError]], *, most_rows: int
) -> Iterator[Row]:
    kept = 0
    for number, values in enumerate(lines, 1):
        cells = [_value(value) for value in values]
        for column, formula in unworked.get(number, {}).items():
            cells += [None] * (column - len(cells))
            cells[column - 1] = formula
        while cells and cells[-1] is None:
            cells.pop()
        if not cells:
            continue
        kept += 1
        if kept > most_rows or len(cells) > _MOST_COLUMNS:
            raise SheetTooLarge
        yield number, tuple(cells)


def _value(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in ERROR_CODES:
        return CellError(value)
    return value if value.strip() else None


def _unworked(source: bytes) -> dict[int, dict[int, CellError]]:
    """Formulas without a result, by row and column: a program wrote the file, and no spreadsheet has opened it."""
    found: dict[int, dict[int, CellError]] = {}
    for place, formula in _UNWORKED.findall(source) if b"<f" in source or b":f>" in source else ():
        letters, number = coordinate_from_string(place.decode())
        column = column_index_from_string(letters)
        found.setdefault(number, {})[column] = CellError(f"={formula.decode('utf-8', 'replace')}")
    return found


def crosses(areas: Iterable[str], line: int) -> list[str]:
    """Those of the merged areas that the line runs through."""
    found = []
    for area in areas:
        lines = [int(number) for number in re.findall(r"\d+", area)]
        if lines and lines[0] <= line <= lines[-1]:
            found.append(area)
    return sorted(found)
