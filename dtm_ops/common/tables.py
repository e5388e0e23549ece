"""Reading a table that somebody filled in Excel or elsewhere: XLSX or CSV, told by the bytes and not by the name.

Knows no model. What cannot be read is refused in words (``TableError``), with nothing half-read. Cells come out as the
file has them: text, numbers and dates of XLSX stay what they are.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from django.utils.translation import gettext as _
from openpyxl.utils.exceptions import InvalidFileException

from dtm_ops.common.sheets import Row, SheetTooLarge, crosses, read_first_sheet

MOST_BYTES: Final = 5 * 1024 * 1024
MOST_UNPACKED: Final = 100 * 1024 * 1024
MOST_ROWS: Final = 10_000
MOST_COLUMNS: Final = 100
# Titles and notes may stand above the headings: so far down they are looked for.
HEADINGS_WITHIN: Final = 20
DELIMITERS: Final = ",;\t|"

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_PICTURES: Final = {
    b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"RIFF": "WEBP", b"BM": "BMP", b"II*\x00": "TIFF",
}  # fmt: skip


class TableError(ValueError):
    """The file is no table that can be read. ``str()`` is a sentence for the person who chose it."""


@dataclass(frozen=True, slots=True)
class Table:
    """``lines``: for each row the line of the file that it stands in, as a spreadsheet counts; ``top``: that of the
    headings.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    lines: tuple[int, ...]
    top: int = 1


def read_table(
    data: bytes,
    *,
    most_rows: int = MOST_ROWS,
    most_bytes: int = MOST_BYTES,
    is_heading: Callable[[str], bool] | None = None,
) -> Table:
    """The first visible sheet of a workbook, or a CSV in UTF-8, UTF-16 or Windows-1251 with commas, semicolons or tabs.

    With ``is_heading`` the headings may stand below a title: they are the line that has most of them. Without it they
    are the first line with anything in it.
    """
    if len(data) > most_bytes:
        raise TableError(_("The file is larger than %(most)s MB.") % {"most": most_bytes // 1024 // 1024})
    if not data.strip(b"\x00\t\r\n \xef\xbb\xbf\xff\xfe"):
        raise TableError(_("The file is empty."))
    _refuse_other_kinds(data)
    try:
        merged, lines = _read_workbook(data, most_rows) if data.startswith(b"PK") else ([], _read_text(data, most_rows))
        return _make_table(lines, merged, most_rows, is_heading)
    except SheetTooLarge:
        raise TableError(_("The sheet is too large: at most %(most)s rows at once.") % {"most": most_rows}) from None


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


def _read_workbook(data: bytes, most_rows: int) -> tuple[list[str], list[Row]]:
    damaged = _("The workbook is damaged and cannot be read. Open it in Excel and save it again.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            size = sum(part.file_size for part in archive.infolist())
        if size > MOST_UNPACKED:
            raise TableError(_("The workbook is too large when unpacked."))
        if "xl/workbook.xml" not in names:
            raise TableError(_("This is not an Excel workbook. Choose an .xlsx or .csv file."))
        sheet = read_first_sheet(data, most_rows=most_rows + HEADINGS_WITHIN)
    except (TableError, SheetTooLarge):
        raise
    # openpyxl has no error of its own for a damaged workbook: whatever part it stumbles over, it stumbles its own way.
    except (
        zipfile.BadZipFile, InvalidFileException, LookupError, ValueError, TypeError, ParseError, OSError, EOFError,
        NotImplementedError, AttributeError,
    ) as error:  # fmt: skip
        raise TableError(damaged) from error
    if sheet is None:
        raise TableError(_("The workbook has no sheet with a table."))
    return sheet.merged, sheet.rows


def _read_text(data: bytes, most_rows: int) -> list[Row]:
    text = _decode(data)
    beginning = "\n".join([line for line in text[:20_000].splitlines() if line.strip()][:HEADINGS_WITHIN])
    delimiter = max(DELIMITERS, key=beginning.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    start = 1
    try:
        for cells in reader:
            if any(_is_filled(cell) for cell in cells):
                rows.append((start, tuple(cells)))
            start = reader.line_num + 1
            if len(rows) > most_rows + HEADINGS_WITHIN:
                raise SheetTooLarge
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


def _make_table(
    lines: Sequence[Row], merged: Sequence[str], most_rows: int, is_heading: Callable[[str], bool] | None
) -> Table:
    if not lines:
        raise TableError(_("The file is empty."))
    start = _find_headings(lines, is_heading)
    (line, top), rest = lines[start], lines[start + 1 :]
    if areas := crosses(merged, line):
        raise TableError(
            _("The headings are merged cells (%(areas)s): each column needs a heading of its own.")
            % {"areas": ", ".join(areas)}
        )
    headings = _read_headings(top)
    if len(rest) > most_rows:
        raise SheetTooLarge
    width = len(headings)
    wide = [line for line, cells in rest if len(cells) > width and any(map(_is_filled, cells[width:]))]
    if wide:
        raise TableError(_("More cells than headings in line %(lines)s.") % {"lines": ", ".join(map(str, wide[:20]))})
    rows = tuple(cells[:width] + (None,) * (width - len(cells)) for _line, cells in rest)
    return Table(headings, rows, tuple(line for line, _cells in rest), line)


def _find_headings(lines: Sequence[Row], is_heading: Callable[[str], bool] | None) -> int:
    """The first of those lines that hold most headings; one heading alone may be a word of a title."""
    if is_heading is None:
        return 0
    counts = [sum(is_heading(_tidy(cell)) for cell in cells) for _line, cells in lines[:HEADINGS_WITHIN]]
    return counts.index(max(counts)) if max(counts) > 1 else 0


def _read_headings(cells: Iterable[Any]) -> tuple[str, ...]:
    headings = [_tidy(cell) for cell in cells]
    while headings and not headings[-1]:
        headings.pop()
    if len(headings) > MOST_COLUMNS:
        raise TableError(_("The table has more than %(most)s columns.") % {"most": MOST_COLUMNS})
    blank = [str(number) for number, heading in enumerate(headings, 1) if not heading]
    if blank:
        raise TableError(_("Column %(columns)s has no heading.") % {"columns": ", ".join(blank)})
    refuse_twice(headings, headings)
    return tuple(headings)


def refuse_twice(headings: Sequence[str], names: Sequence[str]) -> None:
    """``names``: what column each heading means."""
    twice = sorted({heading for heading, name in zip(headings, names, strict=True) if names.count(name) > 1})
    if twice:
        raise TableError(_("The heading %(headings)s stands there twice.") % {"headings": ", ".join(twice)})


def _tidy(cell: Any) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _is_filled(cell: Any) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))
