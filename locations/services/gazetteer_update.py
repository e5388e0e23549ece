"""Laying a newer classifier beside the gazetteer: what differs becomes proposals, and nothing else is written.

A row of the file is the unit with its ``unit_id``, else the one that bears its code on the day of the update. What the
file does not name is proposed as closed only where the file is about it: below a parent that is itself a row, and has
rows of that level in the file or loses one. A file of one region, or of districts alone, closes nothing elsewhere.
Where the file is said to be about one place (``within``), it is about every parent there, at the levels that it has.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.common.spelling import fold
from locations.enums import UnitChangeKind
from locations.models import AdminUnit, GazetteerUpdate, UnitChange
from locations.selectors.changes import Predecessor, standing_from
from locations.services.gazetteer_checks import Place, place_of_row, problems_above, problems_of_codes
from locations.services.gazetteer_file import (
    NAME_COLUMN,
    GazetteerRefused,
    Problem,
    UnitRow,
    fields_of,
    parse_rows,
    texts_of_fields,
)
from locations.services.unit_writes import ONE_DAY, as_unit_id

# Days that a file leaves blank are not known to it: no difference.
BLANK_SAYS_NOTHING: Final = {"valid_from", "valid_to", "predecessors"}
BATCH: Final = 500
# Two points of one place, from two sources, lie nearer together than this (degrees, about 30 km).
FAR: Final = 0.3


class NothingDiffers(Refused):
    """The file says what the gazetteer says. Nothing was written."""

    code = "no_difference"


@dataclass(slots=True)
class _Entry:
    """A row of the file beside the unit that it speaks of (None: a new place), and where both lie."""

    row: UnitRow
    texts: dict[str, str]
    unit: AdminUnit | None = None
    above: "_Entry | None" = None
    # Where the place above is no row of the file.
    parent: AdminUnit | None = None
    is_reuse: bool = False

    @property
    def key(self) -> str:
        """The unit id of the row that the place will have."""
        return self.unit.unit_id if self.unit and not self.is_reuse else self.texts["unit_id"]

    @property
    def parent_key(self) -> str:
        if self.above is not None:
            return self.above.key
        return self.parent.unit_id if self.parent else ""

    @property
    def names(self) -> set[str]:
        return {fold(name) for name in self.row.fields["names"].values()}


@dataclass(slots=True)
class _Comparison:
    """The file and the gazetteer side by side."""

    day: date
    columns: list[str]
    units: dict[str, AdminUnit]
    taken_ids: set[str]
    predecessors: dict[int, str]
    entries: list[_Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    retired: dict[str, date] = field(default_factory=dict)


def propose_update(
    rows: Iterable[Mapping[str, str]],
    *,
    title: str,
    source: str,
    effective_on: date,
    by: User | None,
    within: AdminUnit | None = None,
    file_name: str = "",
) -> GazetteerUpdate:
    """Store the differences between the file (columns as for `load_gazetteer`) and what is in force on that day.

    ``within``: the file is about that place alone, and rows outside of it are mistakes. Columns that the file does not
    have are not compared. Raises `GazetteerRefused` with all problems of all rows, or `NothingDiffers`; then nothing is
    written.
    """
    given = list(rows)
    parsed, problems = parse_rows(given)
    comparison = _lay_side_by_side(parsed, day=effective_on, columns=_columns(given))
    comparison.problems += problems
    _check(comparison, within)
    if comparison.problems:
        raise GazetteerRefused(comparison.problems)
    changes = [*_changes_of_rows(comparison), *_closings(comparison, within)]
    if not changes:
        raise NothingDiffers(
            _("No difference: the file says what the gazetteer says on %(day)s.") % {"day": effective_on}
        )
    _link_successors(changes)
    with transaction.atomic():
        update = GazetteerUpdate.objects.create(
            title=title, source=source, file_name=file_name[:240], effective_on=effective_on, made_by=by
        )
        for change in changes:
            change.update, change.raised_by = update, by
        UnitChange.objects.bulk_create(changes, batch_size=BATCH)
    return update


def _columns(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return list(next((row for row in rows if row), {}))


def _lay_side_by_side(parsed: Sequence[UnitRow], *, day: date, columns: list[str]) -> _Comparison:
    units = {unit.unit_id: unit for unit in standing_from(day).select_related("parent")}
    found = _Comparison(
        day=day,
        columns=columns,
        units=units,
        taken_ids=set(AdminUnit.objects.values_list("unit_id", flat=True)),
        predecessors=_predecessors(units.values()) if "predecessors" in columns else {},
    )
    by_code = {unit.code: unit for unit in units.values() if unit.valid_from is None or unit.valid_from <= day}
    met: dict[str, UnitRow] = {}
    spoken_of: dict[int, UnitRow] = {}
    for row in parsed:
        if row.unit_id and met.setdefault(row.unit_id, row) is not row:
            found.problems.append(_at(row, "unit_id", _("The same unit is in row %(row)s."), row_of=met[row.unit_id]))
            continue
        if row.fields["valid_to"] is not None and row.fields["valid_to"] < day:
            found.retired[row.unit_id] = row.fields["valid_to"]
            continue
        unit = units.get(row.unit_id) or by_code.get(row.fields["code"])
        if unit and spoken_of.setdefault(unit.pk, row) is not row:
            words = _("The same place as in row %(row)s: it has this code.")
            found.problems.append(_at(row, "code", words, row_of=spoken_of[unit.pk]))
            continue
        found.entries.append(_Entry(row, _texts(row, found, unit), unit))
    _find_parents(found, by_code)
    _find_reuses(found)
    return found


def _at(row: UnitRow, column: str, words: str, *, row_of: UnitRow) -> Problem:
    return Problem(row.number, column, words % {"row": row_of.number})


def _texts(row: UnitRow, found: _Comparison, unit: AdminUnit | None) -> dict[str, str]:
    """The row's columns as the loader writes them; the id is one that is free, where the place begins a row."""
    unit_id = row.unit_id
    if not unit_id or unit_id in found.taken_ids:
        unit_id = f"{as_unit_id(row.fields['code'])}.{_first_day(row, unit, found.day).isoformat()}"
    predecessors = "|".join(sorted(row.predecessors))
    return {"unit_id": unit_id, **texts_of_fields(row.fields), "predecessors": predecessors}


def _first_day(row: UnitRow, unit: AdminUnit | None, day: date) -> date:
    """Of a row that begins: the file's own day where it gives a new one, else that of the update."""
    own: date | None = row.fields["valid_from"]
    if own is None or (unit is not None and unit.valid_from == own):
        return day
    return own if unit is None or unit.valid_from is None or own > unit.valid_from else day


def _predecessors(units: Iterable[AdminUnit]) -> dict[int, str]:
    links: dict[int, list[str]] = defaultdict(list)
    pairs = Predecessor.objects.filter(from_adminunit__in=[unit.pk for unit in units])
    for key, unit_id in pairs.values_list("from_adminunit_id", "to_adminunit__unit_id"):
        links[key].append(unit_id)
    return {key: "|".join(sorted(unit_ids)) for key, unit_ids in links.items()}


def _find_parents(found: _Comparison, by_code: Mapping[str, AdminUnit]) -> None:
    by_row_id = {entry.row.unit_id: entry for entry in found.entries}
    by_unit = {entry.unit.pk: entry for entry in found.entries if entry.unit}
    for entry in found.entries:
        name = entry.row.parent_id
        entry.above = by_row_id.get(name)
        if entry.above is None and name:
            entry.parent = found.units.get(name) or by_code.get(name)
            entry.above = by_unit.get(entry.parent.pk) if entry.parent else None


def _find_reuses(found: _Comparison) -> None:
    """A known code that clearly names another place now: no name in common, and another kind, level, parent or corner
    of the country; or the place of before goes on under another code.
    """
    arrived: dict[str, set[str]] = defaultdict(set)
    for entry in found.entries:
        if entry.unit is None:
            for name in entry.names:
                arrived[name].add(entry.row.fields["unit_type"])
    for entry in sorted(found.entries, key=lambda entry: entry.row.fields["level"] or 0):
        unit = entry.unit
        if unit is None or entry.row.unit_id == unit.unit_id != unit.code:
            continue
        was = {fold(name) for name in unit.names.values()}
        if was & entry.names or unit.unit_id in entry.row.predecessors:
            continue
        went_on = any(unit.unit_type in arrived[name] for name in was)
        entry.is_reuse = went_on or _is_elsewhere(entry, unit)


def _is_elsewhere(entry: _Entry, unit: AdminUnit) -> bool:
    fields = entry.row.fields
    if (fields["level"], fields["unit_type"]) != (unit.level, unit.unit_type) or _has_moved(entry, unit):
        return True
    if None in (fields["latitude"], fields["longitude"], unit.latitude, unit.longitude):
        return False
    return bool(abs(fields["latitude"] - unit.latitude) > FAR or abs(fields["longitude"] - unit.longitude) > FAR)


def _has_moved(entry: _Entry, unit: AdminUnit) -> bool:
    return entry.parent_key != (unit.parent.unit_id if unit.parent else "")


# --- what is wrong


def _check(found: _Comparison, within: AdminUnit | None) -> None:
    """Parents, cycles, levels, codes; only what the file says is told, with its row."""
    places = {unit_id: _place(unit) for unit_id, unit in found.units.items()}
    ours: list[Place] = []
    for entry in found.entries:
        place = place_of_row(entry.row)
        place.unit_id = entry.key or entry.row.unit_id
        place.parent_id = entry.parent_key or entry.row.parent_id
        ours.append(place)
        places[place.unit_id] = place
    for place in ours:
        found.problems += problems_above(place, places)
    found.problems += problems_of_codes(ours)
    known = found.taken_ids | {entry.row.unit_id for entry in found.entries}
    for entry in found.entries:
        for unit_id in set(entry.row.predecessors) - known:
            words = _("There is no unit “%(unit)s”.") % {"unit": unit_id}
            found.problems.append(Problem(entry.row.number, "predecessors", words))
        if within is not None and not _lies_within(entry, within):
            words = _("The place lies outside of %(unit)s.") % {"unit": within}
            found.problems.append(Problem(entry.row.number, "parent_id", words))


def _place(unit: AdminUnit) -> Place:
    parent_id = unit.parent.unit_id if unit.parent else ""
    return Place(unit.unit_id, parent_id, unit.code, unit.level, unit.valid_from, unit.valid_to)


def _lies_within(entry: _Entry, within: AdminUnit) -> bool:
    step: _Entry | None = entry
    met = 0
    while step is not None and met < 20:
        met += 1
        lowest = step.unit or step.parent
        if step.unit is not None and step.unit.path.startswith(within.path):
            return True
        if step.above is None:
            return lowest is not None and lowest.path.startswith(within.path)
        step = step.above
    return False


# --- what differs


def _changes_of_rows(found: _Comparison) -> Iterator[UnitChange]:
    for entry in found.entries:
        if entry.unit is None:
            yield _added(entry, found)
        elif entry.is_reuse:
            yield _reused(entry, entry.unit, found)
        elif change := _changed(entry, entry.unit, found):
            yield change


def _new_row(entry: _Entry, found: _Comparison) -> dict[str, str]:
    texts = {name: text for name, text in entry.texts.items() if text}
    day = _first_day(entry.row, entry.unit, found.day)
    return {**texts, "parent_id": entry.parent_key, "valid_from": day.isoformat()}


def _added(entry: _Entry, found: _Comparison) -> UnitChange:
    after = _new_row(entry, found)
    return UnitChange(
        kind=UnitChangeKind.ADDED,
        parent=_known_above(entry),
        after=after,
        effective_on=max(found.day, date.fromisoformat(after["valid_from"])),
    )


def _known_above(entry: _Entry) -> AdminUnit | None:
    """The nearest place above that is there already, so that the proposal lies in somebody's reach."""
    step, met = entry.above, 0
    last = entry
    while step is not None and met < 20:
        if step.unit is not None:
            return step.unit
        last, step, met = step, step.above, met + 1
    return last.parent


def _reused(entry: _Entry, unit: AdminUnit, found: _Comparison) -> UnitChange:
    after = _new_row(entry, found)
    return UnitChange(
        kind=UnitChangeKind.CODE_REUSED,
        unit=unit,
        parent=unit.parent,
        before={"unit_id": unit.unit_id, "parent_id": unit.parent.unit_id if unit.parent else "", **_filled(unit)},
        after=after,
        effective_on=date.fromisoformat(after["valid_from"]),
    )


def _filled(unit: AdminUnit) -> dict[str, str]:
    return {name: text for name, text in texts_of_fields(fields_of(unit)).items() if text}


def _changed(entry: _Entry, unit: AdminUnit, found: _Comparison) -> UnitChange | None:
    now = {**texts_of_fields(fields_of(unit)), "predecessors": found.predecessors.get(unit.pk, "")}
    after = {name: entry.texts.get(name, "") for name in found.columns if _differs(name, entry.texts, now)}
    if entry.row.unit_id != unit.unit_id:
        # Known by its code alone, the row may be the place's next one: its first day is not that of this one.
        after = {name: text for name, text in after.items() if name not in ("valid_from", "predecessors")}
    is_moved = _has_moved(entry, unit) or "level" in after
    effective_on = found.day
    if is_moved:
        effective_on = _first_day(entry.row, unit, found.day)
        after = {name: text for name, text in after.items() if name not in ("valid_from", "predecessors")}
        after = {"parent_id": entry.parent_key, **after, "unit_id": entry.texts["unit_id"]}
    if not after:
        return None
    before = {name: now.get(name, "") for name in after if name not in ("parent_id", "unit_id")}
    if is_moved:
        before = {"parent_id": unit.parent.unit_id if unit.parent else "", **before, "unit_id": unit.unit_id}
    kind = UnitChangeKind.MOVED if is_moved else _kind(after, now)
    return UnitChange(kind=kind, unit=unit, parent=unit.parent, before=before, after=after, effective_on=effective_on)


def _differs(name: str, texts: Mapping[str, str], now: Mapping[str, str]) -> bool:
    if name in ("unit_id", "parent_id") or (name in BLANK_SAYS_NOTHING and not texts.get(name)):
        return False
    return texts.get(name, "") != now.get(name, "")


def _kind(after: Mapping[str, str], now: Mapping[str, str]) -> UnitChangeKind:
    """Renamed where a name was replaced; a name in one more language corrects."""
    renamed = any(NAME_COLUMN.match(name) and now.get(name) and name[:5] == "name_" for name in after)
    return UnitChangeKind.RENAMED if renamed else UnitChangeKind.CORRECTED


def _closings(found: _Comparison, within: AdminUnit | None) -> list[UnitChange]:
    """What the file is about and does not name: see the head of this module. With a place that closes, all below it."""
    spoken_of = [entry.unit for entry in found.entries if entry.unit]
    named = {unit.pk for unit in spoken_of}
    about = {(entry.parent_key, entry.row.fields["level"]) for entry in found.entries}
    about |= {(unit.parent.unit_id, unit.level) for unit in spoken_of if unit.parent}
    levels = {entry.row.fields["level"] for entry in found.entries} if within else set()
    leaving = {entry.unit.pk for entry in found.entries if entry.unit and entry.is_reuse}
    closing: dict[int, UnitChange] = {}
    for unit in sorted(found.units.values(), key=lambda unit: unit.path.count("/")):
        is_out = within is not None and (unit.pk == within.pk or not unit.path.startswith(within.path))
        if unit.pk in named or is_out or unit.parent is None:
            continue
        if unit.valid_from is not None and unit.valid_from > found.day:
            continue
        told = found.retired.get(unit.unit_id)
        is_about = unit.parent_id in named and (unit.parent.unit_id, unit.level) in about
        if told or is_about or unit.level in levels or unit.parent_id in leaving | closing.keys():
            last_day = (told or found.day - ONE_DAY).isoformat()
            closing[unit.pk] = UnitChange(
                kind=UnitChangeKind.CLOSED,
                unit=unit,
                parent=unit.parent,
                before={"valid_to": unit.valid_to.isoformat() if unit.valid_to else ""},
                after={"valid_to": last_day},
                effective_on=found.day,
            )
    return list(closing.values())


def _link_successors(changes: Sequence[UnitChange]) -> None:
    """A place that goes under one code and comes under another, with the same name: the old one comes before the new.

    Only where there is one of each, and where the file itself does not say what came before.
    """
    gone: dict[tuple[str, int], set[str]] = defaultdict(set)
    for change in changes:
        if change.unit and change.kind in (UnitChangeKind.CLOSED, UnitChangeKind.CODE_REUSED):
            for name in change.unit.names.values():
                gone[fold(name), change.unit.level].add(change.unit.unit_id)
    come: dict[str, list[UnitChange]] = defaultdict(list)
    for change in changes:
        if change.kind == UnitChangeKind.ADDED and not change.after.get("predecessors"):
            names = [text for column, text in change.after.items() if column.startswith("name_")]
            found = set().union(*(gone[fold(name), int(change.after["level"])] for name in names))
            if len(found) == 1:
                come[found.pop()].append(change)
    for unit_id, ones in come.items():
        if len(ones) == 1:
            ones[0].after["predecessors"] = unit_id
