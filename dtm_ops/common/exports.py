"""Tables as files for a spreadsheet. Knows columns and rows, and nothing of what they mean."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.http import HttpResponse
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

Cell = str | int | Decimal | date | datetime | None

FORMATS: Final = ("csv", "xlsx")
# A spreadsheet runs a text that begins like this as a formula, also in its full-width form.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# The most that a cell of XLSX holds.
_LONGEST: Final = 32_767
_CONTENT_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def table_response(
    file_format: str, *, name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> HttpResponse:
    """The table as a download called ``name`` with the format's ending. Numbers stay numbers, dates dates."""
    write = {"csv": write_csv, "xlsx": write_xlsx}[file_format]
    response = HttpResponse(write(header, rows), content_type=_CONTENT_TYPES[file_format])
    safe = re.sub(r"[^0-9A-Za-z._-]+", "-", name).strip("-.")
    response["Content-Disposition"] = f'attachment; filename="{safe}.{file_format}"'
    return response


def write_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """UTF-8 with the mark at its start, without which Excel takes Cyrillic for something else."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([_plain(cell) for cell in header])
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def write_xlsx(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """One sheet, its header row kept in sight. Times lose their zone: a spreadsheet has none."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.freeze_panes = "A2"
    sheet.append([_plain(cell) for cell in header])
    for row in rows:
        sheet.append([_plain(cell) for cell in row])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def neutral(text: str) -> str:
    """The text as a spreadsheet may open it: an apostrophe before what would run as a formula, no control letters."""
    cleaned = ILLEGAL_CHARACTERS_RE.sub("", text)
    marked = f"'{cleaned}" if cleaned.startswith(_FORMULA) else cleaned
    return marked[:_LONGEST]


def _plain(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return neutral(cell)
    return cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell
