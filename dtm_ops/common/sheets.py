"""The cells of a workbook's first visible sheet, with little memory and no row more than asked for.

openpyxl tells the parts of the workbook apart (sheets, styles, dates). The cells are read here: its own readers take
three times as long for the same rows, and forget which cells are merged when they are told to hurry.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Any, Final
from xml.parsers import expat

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import column_index_from_string
from openpyxl.utils.datetime import from_excel, from_ISO8601
from openpyxl.xml.constants import SHARED_STRINGS

_SPACES: Final = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_CHUNK: Final = 1 << 18
_MOST_COLUMNS: Final = 1000

Row = tuple[int, tuple[Any, ...]]


class CellError(str):
    """What a spreadsheet shows where a formula came to nothing (#N/A), or a formula that was never worked out."""

    __slots__ = ()


class SheetTooLarge(ValueError):
    """More rows or columns than were asked for. Nothing behind them was read."""


class SheetDamaged(ValueError):
    """Not what the format says."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """``rows``: those with anything in them, each with its number in the sheet. ``merged``: areas like "A1:C1"."""

    title: str
    rows: list[Row]
    merged: list[str]


def read_first_sheet(data: bytes, *, most_rows: int) -> Sheet | None:
    """None: the workbook has no visible sheet with cells. Raises whatever openpyxl and zipfile raise for a bad one."""
    reader = ExcelReader(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    with reader.archive as archive:
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(archive, reader.wb)
        sheets = [
            (sheet, part)
            for sheet, part in reader.parser.find_sheets()
            if part.target in reader.valid_files and "chartsheet" not in part.Type
        ]
        shown = next(((sheet, part) for sheet, part in sheets if sheet.state == "visible"), None)
        if shown is None:
            return None
        cells = _Cells(_read_strings(archive, reader.package), reader.wb, most_rows)
        with archive.open(shown[1].target) as source:
            _parse(source, cells.start, cells.end, cells.take)
    return Sheet(shown[0].name, cells.rows, cells.merged)


def _read_strings(archive: zipfile.ZipFile, package: Any) -> list[str]:
    part = package.find(SHARED_STRINGS)
    if part is None:
        return []
    strings = _Strings()
    with archive.open(part.PartName[1:]) as source:
        _parse(source, strings.start, strings.end, strings.take)
    return strings.found


def _parse(
    source: IO[bytes],
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    take: Callable[[str], None],
) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, take
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        while chunk := source.read(_CHUNK):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise SheetDamaged(str(error)) from error


def _refuse_doctype(*_unused: Any) -> None:
    # No spreadsheet writes one; it is how a small file is made to unfold into a large one.
    raise SheetDamaged("a document type")


def _tags(*names: str) -> dict[str, str]:
    return {f"{space} {name}": name for space in _SPACES for name in names}


class _Strings:
    """The table of shared strings: runs of one text are joined, how it is pronounced is left out."""

    _TAGS = _tags("si", "t", "rPh")

    def __init__(self) -> None:
        self.found: list[str] = []
        self.parts: list[str] = []
        self.is_taking = self.is_phonetic = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        tag = self._TAGS.get(name)
        if tag == "t":
            self.is_taking = not self.is_phonetic
        elif tag == "rPh":
            self.is_phonetic = True

    def take(self, text: str) -> None:
        if self.is_taking:
            self.parts.append(text)

    def end(self, name: str) -> None:
        tag = self._TAGS.get(name)
        if tag == "t":
            self.is_taking = False
        elif tag == "rPh":
            self.is_phonetic = False
        elif tag == "si":
            self.found.append("".join(self.parts))
            self.parts.clear()


class _Cells:
    """The rows of a sheet, a handler of the parser's events."""

    _TAGS = _tags("row", "c", "v", "t", "f", "rPh", "mergeCell")
    _DIGITS: Final = "0123456789"

    def __init__(self, strings: list[str], book: Any, most_rows: int) -> None:
        self.strings, self.book, self.most_rows = strings, book, most_rows
        self.dates, self.durations = book._date_formats, book._timedelta_formats
        self.rows: list[Row] = []
        self.merged: list[str] = []
        self.columns: dict[str, int] = {}
        self.cells: dict[int, Any] = {}
        self.number = self.column = 0
        self.kind = "n"
        self.style = ""
        self.parts: list[str] = []
        self.formula: list[str] | None = None
        self.taking: list[str] | None = None
        self.is_phonetic = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = self._TAGS.get(name)
        if tag == "c":
            reference = attributes.get("r")
            self.column = self._index(reference.rstrip(self._DIGITS)) if reference else self.column + 1
            self.kind = attributes.get("t", "n")
            self.style = attributes.get("s", "")
            self.parts, self.formula = [], None
        elif tag == "v" or tag == "t":
            self.taking = None if self.is_phonetic else self.parts
        elif tag == "f":
            self.formula = self.taking = []
        elif tag == "row":
            self.number = int(attributes["r"]) if "r" in attributes else self.number + 1
            self.column = 0
        elif tag == "rPh":
            self.is_phonetic = True
        elif tag == "mergeCell":
            self.merged.append(attributes["ref"])

    def take(self, text: str) -> None:
        if self.taking is not None:
            self.taking.append(text)

    def end(self, name: str) -> None:
        tag = self._TAGS.get(name)
        if tag == "c":
            if self.parts or self.formula is not None:
                self._keep()
        elif tag == "row":
            if self.cells:
                self._keep_row()
        elif tag == "rPh":
            self.is_phonetic = False
        elif tag is not None:
            self.taking = None

    def _index(self, letters: str) -> int:
        index = self.columns.get(letters)
        if index is None:
            index = self.columns[letters] = column_index_from_string(letters)
        return index

    def _keep(self) -> None:
        text = "".join(self.parts)
        value = self._value(text) if text else None
        if self.formula is not None and value is None and self.kind != "str":
            value = CellError(f"={''.join(self.formula)}")
        if value is None or (isinstance(value, str) and not value.strip()):
            return
        if self.column > _MOST_COLUMNS:
            raise SheetTooLarge
        self.cells[self.column] = value

    def _value(self, text: str) -> Any:
        kind = self.kind
        if kind == "s":
            return self.strings[int(text)]
        if kind == "n":
            return self._number(text)
        if kind == "b":
            return text.strip() == "1"
        if kind == "e":
            return CellError(text)
        return from_ISO8601(text) if kind == "d" else text

    def _number(self, text: str) -> Any:
        number = float(text) if re.search("[.eE]", text) else int(text)
        style = int(self.style or 0)
        if style not in self.dates:
            return number
        try:
            return from_excel(number, self.book.epoch, timedelta=style in self.durations)
        except (OverflowError, ValueError):
            return CellError("#VALUE!")

    def _keep_row(self) -> None:
        if len(self.rows) >= self.most_rows:
            raise SheetTooLarge
        cells = self.cells
        self.rows.append((self.number, tuple(cells.get(column) for column in range(1, max(cells) + 1))))
        self.cells = {}


def crosses(areas: Iterable[str], line: int) -> list[str]:
    """Those of the merged areas that the line runs through."""
    found = []
    for area in areas:
        lines = [int(number) for number in re.findall(r"\d+", area)]
        if lines and lines[0] <= line <= lines[-1]:
            found.append(area)
    return sorted(found)
