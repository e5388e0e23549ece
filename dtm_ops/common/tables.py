"""Reading a table that somebody filled in Excel or elsewhere: XLSX or CSV, told by the bytes and not by the name.

Knows no model. What cannot be read is refused in words (``TableError``), with nothing half-read. Cells come out as the
file has them: text, numbers and dates of XLSX stay what they are.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

MOST_BYTES: Final = 5 * 1024 * 1024
MOST_UNPACKED: Final = 100 * 1024 * 1024
MOST_ROWS: Final = 10_000
MOST_COLUMNS: Final = 100
DELIMITERS: Final = ",;\t|"

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_PICTURES: Final = {
    b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"RIFF": "WEBP", b"BM": "BMP", b"II*\x00": "TIFF",
}  # fmt: skip


class TableError(ValueError):
    """The file is no table that can be read. ``str()`` is a sentence for the person who chose it."""


@dataclass(frozen=True, slots=True)
class Table:
    """``lines``: for each row the line of the file that it stands in, as a spreadsheet counts (headings: 1)."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    lines: tuple[int, ...]


def read_table(data: bytes, *, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> Table:
    """The first sheet of a workbook, or a CSV in UTF-8, UTF-16 or Windows-1251 with commas, semicolons or tabs."""
    if len(data) > most_bytes:
        raise TableError(_("The file is larger than %(most)s MB.") % {"most": most_bytes // 1024 // 1024})
    if not data.strip(b"\x00\t\r\n \xef\xbb\xbf\xff\xfe"):
        raise TableError(_("The file is empty."))
    _refuse_other_kinds(data)
    lines = _read_workbook(data, most_rows) if data.startswith(b"PK") else _read_text(data)
    return _make_table(lines, most_rows)


def _refuse_other_kinds(data: bytes) -> None:
    if data.startswith(_OLD_OFFICE):
        raise TableError(
            _("This is an old Excel file (.xls) or one with a password. Save it as .xlsx without a password.")
        )
    if data.startswith(b"%PDF"):
        raise TableError(_("This is a PDF, not a table. Choose an .xlsx or .csv file."))
    for start, name in _PICTURES.items():
        if data.startswith(start) and (start != b"BM" or b"\x00" in data[:32]):
            raise TableError(
                _("This is a picture (%(kind)s), not a table. Choose an .xlsx or .csv file.") % {"kind": name}
            )


def _read_workbook(data: bytes, most_rows: int) -> list[tuple[int, tuple[Any, ...]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
                raise TableError(_("The workbook is too large when unpacked."))
        if "xl/workbook.xml" not in names:
            raise TableError(_("This is not an Excel workbook. Choose an .xlsx or .csv file."))
        book = load_workbook(io.BytesIO(data), data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, ParseError, OSError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(
            _("The workbook is damaged and cannot be read. Open it in Excel and save it again.")
        ) from error
    if not book.worksheets:
        raise TableError(_("The workbook has no sheet with a table."))
    sheet = book.worksheets[0]
    merged = [str(area) for area in sheet.merged_cells.ranges if area.min_row == 1]
    if merged:
        raise TableError(
            _("The headings are merged cells (%(areas)s): each column needs a heading of its own.")
            % {"areas": ", ".join(sorted(merged))}
        )
    if sheet.max_row > most_rows * 2 or sheet.max_column > MOST_COLUMNS * 10:
        raise TableError(_("The sheet is too large: at most %(most)s rows at once.") % {"most": most_rows})
    return list(enumerate(sheet.iter_rows(values_only=True), 1))


def _read_text(data: bytes) -> list[tuple[int, tuple[Any, ...]]]:
    text = _decode(data)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, tuple[Any, ...]]] = []
    start = 1
    try:
        for cells in reader:
            rows.append((start, tuple(cells)))
            start = reader.line_num + 1
    except csv.Error:
        raise TableError(
            _("Line %(line)s cannot be read: a quotation mark is not closed, or the line is not a table's.")
            % {"line": start}
        ) from None
    return rows


def _decode(data: bytes) -> str:
    """By the mark at the beginning, else UTF-16 by its zero bytes, else UTF-8, else Windows-1251 of older Excel."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif data[1::2].count(0) > len(data) // 4:
        encodings = ["utf-16-le"]
    elif data[::2].count(0) > len(data) // 4:
        encodings = ["utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1251"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return _check_is_text(text)
    raise TableError(_("The letters of the file cannot be read. Save it as CSV UTF-8 or as .xlsx."))


def _check_is_text(text: str) -> str:
    strange = sum(1 for letter in text[:4000] if letter < " " and letter not in "\t\r\n\x00")
    if strange > len(text[:4000]) // 20:
        raise TableError(_("This is not a table. Choose an .xlsx or .csv file."))
    return text


def _make_table(lines: Sequence[tuple[int, tuple[Any, ...]]], most_rows: int) -> Table:
    filled = [(line, cells) for line, cells in lines if any(_is_filled(cell) for cell in cells)]
    if not filled:
        raise TableError(_("The file is empty."))
    (_line, top), *rest = filled
    headings = _read_headings(top)
    if len(rest) > most_rows:
        raise TableError(_("The sheet is too large: at most %(most)s rows at once.") % {"most": most_rows})
    wide = [line for line, cells in rest if any(_is_filled(cell) for cell in cells[len(headings) :])]
    if wide:
        raise TableError(_("More cells than headings in line %(lines)s.") % {"lines": ", ".join(map(str, wide[:20]))})
    rows = tuple(tuple(cells[: len(headings)]) + (None,) * (len(headings) - len(cells)) for _line, cells in rest)
    return Table(headings, rows, tuple(line for line, _cells in rest))


def _read_headings(cells: Iterable[Any]) -> tuple[str, ...]:
    headings = ["" if cell is None else " ".join(str(cell).split()) for cell in cells]
    while headings and not headings[-1]:
        headings.pop()
    blank = [str(number) for number, heading in enumerate(headings, 1) if not heading]
    if blank:
        raise TableError(_("Column %(columns)s has no heading.") % {"columns": ", ".join(blank)})
    twice = sorted({heading for heading in headings if headings.count(heading) > 1})
    if twice:
        raise TableError(_("The heading %(headings)s stands there twice.") % {"headings": ", ".join(twice)})
    return tuple(headings)


def _is_filled(cell: Any) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))
