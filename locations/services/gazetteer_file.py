"""Reading a gazetteer file: bytes to rows, and rows to values. Knows the columns; knows nothing of other units.

Every problem is collected and told by row and column, rows counted as a spreadsheet shows them (the header is row 1).
"""

import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from dtm_ops.common.tables import TableError, read_table
from locations.enums import LEVELS
from locations.models import UNIT_ID_PATTERN, AdminUnit

REQUIRED: Final = ("unit_id", "code", "level", "unit_type", "parent_id")
OPTIONAL: Final = (
    "pcode", "iso_3166_2", "iso_3166_2_former", "valid_from", "valid_to", "predecessors", "latitude", "longitude",
    "coordinate_source", "time_zone", "tile_column", "tile_row", "note",
)  # fmt: skip
PLAIN_FIELDS: Final = (
    "code", "level", "unit_type", "names", "short_names", "pcode", "iso_3166_2", "iso_3166_2_former",
    "coordinate_source", "note", "valid_from", "valid_to", "latitude", "longitude", "time_zone", "tile_column",
    "tile_row",
)  # fmt: skip
NAME_COLUMN: Final = re.compile(r"^(name|short)_([a-z]{2,3})$")
SMALLINT_MAX: Final = 32767
# A country is larger than a roster; what it takes in memory and seconds is measured at this size.
MOST_ROWS: Final = 40_000
MOST_BYTES: Final = 20 * 1024 * 1024
LIMITS: Final = {field.name: field.max_length or 0 for field in AdminUnit._meta.fields}


@dataclass(frozen=True, slots=True)
class Problem:
    """``row`` None: the file as a whole; ``column`` blank: the row as a whole."""

    row: int | None
    column: str
    message: str

    def __str__(self) -> str:
        if self.row is None:
            return self.message
        place = _("Row %(row)s, %(column)s") if self.column else _("Row %(row)s")
        return f"{place % {'row': self.row, 'column': self.column}}: {self.message}"


class GazetteerRefused(Refused):
    """Nothing was written. ``problems`` holds everything that is wrong, not the first thing alone."""

    code = "gazetteer_refused"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.row or 0, problem.column))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One row, read. ``fields`` are the plain columns of `AdminUnit`, by name."""

    number: int
    unit_id: str
    parent_id: str
    predecessors: tuple[str, ...]
    fields: dict[str, Any]


def read_rows(content: bytes) -> list[dict[str, str]]:
    """The table of an XLSX workbook or of a CSV file, whatever its letters and line ends (`dtm_ops.common.tables`).

    Raises `GazetteerRefused` where it cannot be read, or is longer than ``MOST_ROWS``: a larger country comes in parts.
    """
    try:
        table = read_table(content, most_rows=MOST_ROWS, most_bytes=MOST_BYTES)
    except TableError as error:
        raise GazetteerRefused([Problem(None, "", str(error))]) from None
    _check_header(table.headings)
    # Blank rows stay, as blank mappings, so that a row keeps the number that a spreadsheet shows.
    rows: list[dict[str, str]] = [{} for _line in range(2, max(table.lines, default=1) + 1)]
    for line, cells in zip(table.lines, table.rows, strict=True):
        rows[line - 2] = dict(zip(table.headings, map(_cell_text, cells), strict=True))
    _refuse_nul(rows)
    return rows


def _refuse_nul(rows: Sequence[Mapping[str, str]]) -> None:
    """PostgreSQL stores none, and nobody typed it."""
    problems = [
        Problem(number, column, _("The cell contains a NUL character."))
        for number, row in enumerate(rows, 2)
        for column, text in row.items()
        if "\x00" in text
    ]
    if problems:
        raise GazetteerRefused(problems)


def _cell_text(cell: Any) -> str:
    """A workbook's numbers and days as the columns write them."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def parse_rows(rows: Iterable[Mapping[str, str]]) -> tuple[list[UnitRow], list[Problem]]:
    parsed: list[UnitRow] = []
    problems: list[Problem] = []
    for number, row in enumerate(rows, 2):
        if any((value or "").strip() for value in row.values()):
            cells = _Cells(number, row)
            parsed.append(cells.read())
            problems += cells.problems
    return parsed, problems


def _check_header(header: Sequence[str]) -> None:
    problems = [_("The column “%(name)s” is missing.") % {"name": name} for name in REQUIRED if name not in header]
    if not any(column.startswith("name_") for column in header):
        problems.append(_("There is no column of names, like “name_en”."))
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            problems.append(_("The column “%(name)s” is there twice.") % {"name": name})
        elif name not in REQUIRED and name not in OPTIONAL and not NAME_COLUMN.match(name):
            problems.append(_("The column “%(name)s” is not known.") % {"name": name})
    if problems:
        raise GazetteerRefused(Problem(None, "", message) for message in problems)


def texts_of_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """Plain columns of a place as a file writes them: the other way round from `parse_rows`. Blank where nothing is."""
    texts = {name: _as_text(value) for name, value in fields.items() if name not in ("names", "short_names")}
    texts |= {f"name_{language}": name for language, name in fields["names"].items()}
    return texts | {f"short_{language}": name for language, name in fields["short_names"].items()}


def fields_of(unit: AdminUnit) -> dict[str, Any]:
    return {name: getattr(unit, name) for name in PLAIN_FIELDS}


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


class _Cells:
    """The cells of one row, read one by one; what cannot be read becomes a problem and a None."""

    def __init__(self, number: int, row: Mapping[str, str]) -> None:
        self.number = number
        self.row = {name: (value or "").strip() for name, value in row.items()}
        self.problems: list[Problem] = []

    def read(self) -> UnitRow:
        fields: dict[str, Any] = {
            "code": self.text("code", required=True),
            "level": self.value("level", _level, required=True),
            "unit_type": self.text("unit_type", required=True),
            "names": self.names("name"),
            "short_names": self.names("short"),
            **{name: self.text(name) for name in ("pcode", "iso_3166_2", "iso_3166_2_former", "coordinate_source")},
            "note": self.row.get("note", ""),
            "valid_from": self.value("valid_from", _day),
            "valid_to": self.value("valid_to", _day),
            "latitude": self.value("latitude", lambda text: _degrees(text, limit=90)),
            "longitude": self.value("longitude", lambda text: _degrees(text, limit=180)),
            "time_zone": self.value("time_zone", _zone) or "",
            "tile_column": self.value("tile_column", _small_number),
            "tile_row": self.value("tile_row", _small_number),
        }
        self.check_together(fields)
        predecessors = tuple(dict.fromkeys(part.strip() for part in self.row.get("predecessors", "").split("|")))
        return UnitRow(
            number=self.number,
            unit_id=self.value("unit_id", _unit_id, required=True) or "",
            parent_id=self.row.get("parent_id", ""),
            predecessors=tuple(filter(None, predecessors)),
            fields=fields,
        )

    def complain(self, column: str, message: str) -> None:
        self.problems.append(Problem(self.number, column, message))

    def text(self, column: str, *, required: bool = False) -> str:
        value = self.row.get(column, "")
        limit = LIMITS[column]
        if required and not value:
            self.complain(column, _("This must not be blank."))
        if len(value) > limit:
            self.complain(column, _("Longer than %(limit)s characters.") % {"limit": limit})
        return value

    def value(self, column: str, read: Callable[[str], Any], *, required: bool = False) -> Any:
        text = self.row.get(column, "")
        if not text:
            if required:
                self.complain(column, _("This must not be blank."))
            return None
        try:
            return read(text)
        except (ValueError, InvalidOperation) as error:
            self.complain(column, _("“%(value)s”: %(error)s") % {"value": text, "error": error})
            return None

    def names(self, kind: str) -> dict[str, str]:
        found = {}
        for column, value in self.row.items():
            match = NAME_COLUMN.match(column)
            if match and match[1] == kind and value:
                found[match[2]] = value
        if kind == "name" and not found:
            self.complain("name", _("The unit has no name in any language."))
        return found

    def check_together(self, fields: Mapping[str, Any]) -> None:
        if fields["valid_from"] and fields["valid_to"] and fields["valid_to"] < fields["valid_from"]:
            self.complain("valid_to", _("The last day of validity is before the first."))
        if bool(self.row.get("latitude")) != bool(self.row.get("longitude")):
            self.complain("latitude", _("A point has a latitude and a longitude."))
        if bool(self.row.get("tile_column")) != bool(self.row.get("tile_row")):
            self.complain("tile_column", _("A tile has a column and a row."))


def _unit_id(text: str) -> str:
    limit = LIMITS["unit_id"]
    if not re.match(UNIT_ID_PATTERN, text) or len(text) > limit:
        raise ValueError(_("only Latin letters, digits and . _ ~ - are possible, 40 at most."))
    return text


def _level(text: str) -> int:
    if text not in map(str, LEVELS):
        raise ValueError(_("a level is a number from 0 to 4."))
    return int(text)


def _day(text: str) -> date:
    # fromisoformat alone would also take "20220608" and week dates.
    if not re.match(r"^\d{4}-\d{2}-\d{2}$", text, re.ASCII):
        raise ValueError(_("a date is written like 2022-06-08."))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(_("there is no such day.")) from None


def _degrees(text: str, *, limit: int) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(_("this is not a number.")) from None
    if not number.is_finite() or abs(number) > limit:
        raise ValueError(_("outside of -%(limit)s to %(limit)s degrees.") % {"limit": limit})
    return number.quantize(Decimal("0.00001"))


def _zone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise ValueError(_("this is not a time zone of the IANA list."))
    return text


def _small_number(text: str) -> int:
    if not re.match(r"^\d{1,5}$", text, re.ASCII) or int(text) > SMALLINT_MAX:
        raise ValueError(_("this is not a whole number from 0 on."))
    return int(text)
