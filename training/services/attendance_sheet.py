"""The trainer's sheet as a table: to fill in, and to read back. A row a person, a column a half-day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.tables import Table
from training.enums import AttendanceHow, AttendanceState
from training.models import Enrolment, TrainingHalfDay
from training.selectors.attendance import AttendanceSheet
from training.services.attendance import can_be_recorded, not_begun_yet, record_attendance, why_not_recorded

CODE: Final = "code"
NAME: Final = "full_name"

# What a trainer writes, in the three languages; letters of both alphabets that look alike mean the same.
LETTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {AttendanceState.PRESENT: "P", AttendanceState.LATE: "L", AttendanceState.ABSENT: "A"},
    "ru": {AttendanceState.PRESENT: "П", AttendanceState.LATE: "О", AttendanceState.ABSENT: "Н"},
    "kk": {AttendanceState.PRESENT: "Қ", AttendanceState.LATE: "К", AttendanceState.ABSENT: "Ж"},
}
_MARKS: Final[Mapping[str, tuple[str, ...]]] = {
    AttendanceState.PRESENT: (
        "p", "р", "п", "қ", "+", "present", "был", "была", "присутствовал", "присутствовала", "қатысты", "келді",
    ),
    AttendanceState.LATE: ("l", "о", "o", "к", "k", "late", "опоздал", "опоздала", "кешікті"),
    AttendanceState.ABSENT: (
        "a", "а", "н", "h", "ж", "-", "–", "absent", "не был", "не была", "отсутствовал", "отсутствовала", "жоқ",
        "қатыспады", "келмеді",
    ),
}  # fmt: skip
_MEANING: Final = {mark: state for state, marks in _MARKS.items() for mark in marks}

Fault = tuple[int | None, str, str]


@dataclass(frozen=True, slots=True)
class Mark:
    enrolment: Enrolment
    half_day: TrainingHalfDay
    state: str
    reason: str
    before: str

    @property
    def label(self) -> str:
        return str(AttendanceState(self.state).label)


@dataclass(slots=True)
class SheetReading:
    """``marks`` are those that change something; ``faults`` name line, column and what is wrong."""

    marks: list[Mark] = field(default_factory=list)
    same: int = 0
    faults: list[Fault] = field(default_factory=list)


def heading(half_day: TrainingHalfDay) -> str:
    return f"{half_day.day:%Y-%m-%d} {half_day.part}"


def sheet_rows(sheet: AttendanceSheet) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the sheet to fill in; what is recorded stands in it, in the reader's letters."""
    letters = LETTERS.get(get_language() or "", LETTERS["en"])
    rows = []
    for enrolment in sheet.enrolments:
        person = enrolment.enumerator
        cells = []
        for half_day in sheet.half_days:
            recorded = sheet.of(enrolment, half_day)
            reason = f": {recorded.reason}" if recorded and recorded.reason else ""
            cells.append(f"{letters[recorded.state]}{reason}" if recorded else "")
        rows.append([person.code, person.full_name, *cells])
    return [CODE, NAME, *map(heading, sheet.half_days)], rows


def read_sheet(table: Table, sheet: AttendanceSheet, *, at: datetime | None = None) -> SheetReading:
    """All faults at once; nothing is written. A blank cell says nothing, also about what is recorded."""
    reading = SheetReading()
    columns = _columns(table, sheet, reading, at=at)
    if CODE not in table.headings:
        reading.faults.append((None, CODE, _("Column %(column)s is missing.") % {"column": CODE}))
        return reading
    people = {one.enumerator.code.upper(): one for one in [*sheet.enrolments, *sheet.without_seat]}
    seen: set[str] = set()
    for line, row in zip(table.lines, table.rows, strict=True):
        code = _text(row[table.headings.index(CODE)]).upper()
        enrolment = people.get(code)
        if enrolment is None:
            sentence = _("Nobody with this code is enrolled, or not within your reach: “%(code)s”.")
            reading.faults.append((line, CODE, sentence % {"code": code}))
        elif code in seen:
            reading.faults.append((line, CODE, _("stands in the file twice")))
        else:
            _read_row(line, row, enrolment, columns, sheet, reading)
        seen.add(code)
    return reading


@transaction.atomic
def record_sheet(marks: Iterable[Mark], *, by: User | None, at: datetime | None = None) -> int:
    """All of it or nothing. Returns how many cells were written."""
    by_half_day: dict[TrainingHalfDay, list[Mark]] = {}
    for mark in marks:
        by_half_day.setdefault(mark.half_day, []).append(mark)
    for half_day, own in by_half_day.items():
        states = {mark.enrolment: mark.state for mark in own}
        reasons = {mark.enrolment: mark.reason for mark in own}
        record_attendance(half_day, states, reasons=reasons, by=by, how=AttendanceHow.SHEET, at=at)
    return sum(map(len, by_half_day.values()))


def _columns(
    table: Table, sheet: AttendanceSheet, reading: SheetReading, *, at: datetime | None
) -> dict[int, TrainingHalfDay]:
    """Half-days by the column that they stand in. What has not begun is told once, and its cells are left."""
    known = {heading(half_day): half_day for half_day in sheet.half_days}
    found: dict[int, TrainingHalfDay] = {}
    for index, title in enumerate(table.headings):
        half_day = known.get(title.lower())
        is_filled = any(_text(row[index]) for row in table.rows)
        if half_day is None:
            if title not in (CODE, NAME):
                reading.faults.append((None, title, _("Unknown column: %(column)s.") % {"column": title}))
        elif is_filled and not can_be_recorded(half_day, at=at):
            reading.faults.append((None, title, not_begun_yet(half_day)))
        else:
            found[index] = half_day
    return found


def _read_row(
    line: int,
    row: Sequence[Any],
    enrolment: Enrolment,
    columns: Mapping[int, TrainingHalfDay],
    sheet: AttendanceSheet,
    reading: SheetReading,
) -> None:
    for index, half_day in columns.items():
        written = _text(row[index])
        if not written:
            continue
        mark, _colon, reason = written.partition(":")
        state = _MEANING.get(mark.strip().lower())
        if state is None:
            sentence = _("“%(mark)s” is no attendance: write P, L or A (П, О, Н; Қ, К, Ж), and a reason after a colon.")
            reading.faults.append((line, heading(half_day), sentence % {"mark": mark.strip()[:40]}))
        elif refusal := why_not_recorded(enrolment, half_day):
            reading.faults.append((line, heading(half_day), refusal))
        else:
            _note(enrolment, half_day, state, reason.strip()[:160], sheet, reading)


def _note(
    enrolment: Enrolment,
    half_day: TrainingHalfDay,
    state: str,
    reason: str,
    sheet: AttendanceSheet,
    reading: SheetReading,
) -> None:
    recorded = sheet.of(enrolment, half_day)
    kept = "" if state == AttendanceState.PRESENT else reason
    if recorded is not None and (recorded.state, recorded.reason) == (state, kept):
        reading.same += 1
    else:
        before = recorded.get_state_display() if recorded else ""
        reading.marks.append(Mark(enrolment, half_day, state, kept, before))


def _text(cell: Any) -> str:
    """A minus alone is written with an apostrophe before it, where a spreadsheet would take it for a formula."""
    return "" if cell is None else " ".join(str(cell).split()).removeprefix("'")
