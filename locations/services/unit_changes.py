"""Deciding about proposed changes of places: accept (whole or by columns), refuse, undo, look at it again.

All writers of places stand in one queue (`lock_gazetteer`). Of two people who decide at once, one wins and the other is
told. What a change needs before it (a district before its villages) is told in words, and found by the bulk by itself.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import Receipt
from dtm_ops.records.receipts import write_receipt
from dtm_ops.records.services import change_status
from locations.enums import UNIT_CHANGE_STEPS, UnitChangeKind, UnitChangeStatus
from locations.models import AdminUnit, AdminUnitAlias, Boundary, UnitChange, UnitScope
from locations.selectors.changes import below, standing_from, standing_row
from locations.services.gazetteer import lock_gazetteer
from locations.services.gazetteer_file import NAME_COLUMN, fields_of, parse_rows, texts_of_fields
from locations.services.unit_writes import ONE_DAY, UnitWriting, as_unit_id, free_unit_id, name_some, take_back
from locations.services.units import lines_of_what_stays, write_merge

# What a change consists of: without these there is nothing to accept.
FRAME: Final = ("unit_id", "code", "level", "unit_type", "parent_id", "valid_from", "valid_to", "duplicate_of")
TOGETHER: Final = (("latitude", "longitude"), ("tile_column", "tile_row"))
# The order in which a bulk tries; what still has to wait for another is tried again.
FIRST_TO_LAST: Final = [
    UnitChangeKind.ADDED, UnitChangeKind.MOVED, UnitChangeKind.CLOSED, UnitChangeKind.CODE_REUSED,
    UnitChangeKind.DUPLICATE, UnitChangeKind.RENAMED, UnitChangeKind.CORRECTED,
]  # fmt: skip
# Rows of the gazetteer itself, which say of a place what was, or go along.
OWN_ROWS: Final = (AdminUnit, AdminUnitAlias, Boundary, UnitChange)
# After all that moves has moved: the row of before keeps the name of before.
COLUMNS_ALONE: Final = {UnitChangeKind.RENAMED, UnitChangeKind.CORRECTED}
FROM_BELOW: Final = {UnitChangeKind.MOVED, UnitChangeKind.CLOSED, UnitChangeKind.CODE_REUSED}


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a bulk did: how many, why the others were left (by key), and the receipt of it all."""

    done: int
    left: dict[int, Refused]
    receipt: Receipt


def fields_to_choose(change: UnitChange) -> list[str]:
    """The columns that may be left out when the change is accepted; empty: it is taken whole."""
    if change.kind in (UnitChangeKind.CLOSED, UnitChangeKind.DUPLICATE):
        return []
    if change.kind in (UnitChangeKind.RENAMED, UnitChangeKind.CORRECTED):
        return list(change.after)
    frame = FRAME if change.kind == UnitChangeKind.MOVED else (*FRAME, *filter(NAME_COLUMN.match, change.after))
    return [name for name in change.after if name not in frame]


@transaction.atomic
def accept_change(
    change: UnitChange, *, by: User | None, fields: Collection[str] | None = None, note: str = "", code: str = ""
) -> None:
    """Write it into the gazetteer. ``fields``: the columns that are taken, where not all are.

    ``code`` is for a new place that was proposed without one; blank gives it a provisional code ("new-17"). Raises
    `Refused` where the place is not any more as the proposal found it, or where another change has to come first.
    """
    _lock(change)
    writing = UnitWriting()
    taken = _taken(change, fields)
    given = {"code": code.strip()} if code.strip() else {}
    unit = WRITERS[UnitChangeKind(change.kind)](change, {**taken, **given}, writing)
    change_status(
        change,
        UnitChangeStatus.ACCEPTED,
        allowed=UNIT_CHANGE_STEPS,
        by=by,
        text=note,
        also={"taken": list(taken), "undo": writing.finish(), "unit": unit, **_decided(by, note)},
    )


@transaction.atomic
def refuse_change(change: UnitChange, *, by: User | None, note: str) -> None:
    """Nothing is written into the gazetteer; who proposed it reads the note."""
    if not note.strip():
        raise Refused(_("Say why."), code="reason_missing")
    change_status(
        change, UnitChangeStatus.REFUSED, allowed=UNIT_CHANGE_STEPS, by=by, text=note, also=_decided(by, note)
    )


@transaction.atomic
def undo_change(change: UnitChange, *, by: User | None, note: str = "") -> None:
    """The gazetteer is as if the change had never been accepted, to the byte.

    Raises `Refused` where the places were changed again since, or where something (rights, targets, people) hangs on a
    row that the acceptance made: then the place has to be closed instead.
    """
    _lock(change)
    also: dict[str, Any] = {"taken": [], "undo": {}, **_decided(by, note)}
    if change.kind == UnitChangeKind.ADDED:
        also["unit"] = None
    if change.status == UnitChangeStatus.ACCEPTED:
        UnitChange.objects.filter(pk=change.pk, kind=UnitChangeKind.ADDED).update(unit=None)
        take_back(change.undo)
    change_status(change, UnitChangeStatus.UNDONE, allowed=UNIT_CHANGE_STEPS, by=by, text=note, also=also)


@transaction.atomic
def reopen_change(change: UnitChange, *, by: User | None) -> None:
    """To be decided again: what was refused, or accepted and undone."""
    change_status(
        change,
        UnitChangeStatus.OPEN,
        allowed=UNIT_CHANGE_STEPS,
        by=by,
        also={"decided_by": None, "decided_at": None, "decision_note": ""},
    )


def accept_changes(changes: Iterable[UnitChange], *, by: User | None, note: str = "") -> Decisions:
    """All that can be accepted, in the order in which they need one another; the others are left as they are."""

    def act(change: UnitChange) -> None:
        accept_change(change, by=by, note=note)

    ordered = sorted(changes, key=_turn)
    return _decide_many(ordered, act, title=_("Accepted changes of places"), done=_("accepted"), by=by)


def refuse_changes(changes: Iterable[UnitChange], *, by: User | None, note: str) -> Decisions:
    def act(change: UnitChange) -> None:
        refuse_change(change, by=by, note=note)

    return _decide_many(list(changes), act, title=_("Refused changes of places"), done=_("refused"), by=by)


def undo_changes(changes: Iterable[UnitChange], *, by: User | None, note: str = "") -> Decisions:
    """The last accepted first."""

    def act(change: UnitChange) -> None:
        undo_change(change, by=by, note=note)

    ordered = sorted(changes, key=lambda change: (change.decided_at or timezone.now(), change.pk), reverse=True)
    return _decide_many(ordered, act, title=_("Changes of places undone"), done=_("undone"), by=by)


@transaction.atomic
def _decide_many(
    changes: Sequence[UnitChange], act: Callable[[UnitChange], None], *, title: str, done: str, by: User | None
) -> Decisions:
    rows = [change for change in changes if change.kind not in COLUMNS_ALONE]
    columns = [change for change in changes if change.kind in COLUMNS_ALONE]
    waiting = _act_on_all(rows, act)
    left = _act_on_all(columns, act)
    # What waited for a column, as for a code that was set free.
    left |= _act_on_all([change for change in rows if change.pk in waiting], act)
    lines = [
        {
            "what": str(change._meta.verbose_name),
            "row": str(change),
            "key": str(change.pk),
            "done": str(left[change.pk]) if change.pk in left else done,
        }
        for change in changes
    ]
    lines += lines_of_what_waits([change for change in changes if change.pk not in left])
    return Decisions(len(changes) - len(left), left, write_receipt("place_changes", title, lines, by=by))


def lines_of_what_waits(changes: Iterable[UnitChange]) -> list[dict[str, str]]:
    """People, teams, targets and rights at rows that these acceptances closed. Of a place that moved, the rights went
    along.
    """
    ended: dict[bool, set[int]] = {True: set(), False: set()}
    for change in changes:
        for key, _before, after in change.undo.get("changed", []):
            if after.get("valid_to"):
                ended[change.kind == UnitChangeKind.MOVED].add(key)
    return [
        line
        for is_moved, keys in ended.items()
        if keys
        for line in lines_of_what_stays(
            AdminUnit.objects.filter(pk__in=keys), but=(*OWN_ROWS, UnitScope) if is_moved else OWN_ROWS
        )
    ]


def _act_on_all(changes: Sequence[UnitChange], act: Callable[[UnitChange], None]) -> dict[int, Refused]:
    """Again and again, as long as it gets any further."""
    waiting = list(changes)
    while True:
        left: dict[int, Refused] = {}
        for change in waiting:
            try:
                act(change)
            except Refused as refused:
                left[change.pk] = refused
        if not left or len(left) == len(waiting):
            return left
        waiting = [change for change in waiting if change.pk in left]


def _turn(change: UnitChange) -> tuple[int, int]:
    kind = UnitChangeKind(change.kind)
    depth = change.unit.path.count("/") if change.unit else int(change.after.get("level") or 0)
    return FIRST_TO_LAST.index(kind), -depth if kind in FROM_BELOW else depth


def _lock(change: UnitChange) -> None:
    """Nobody else writes places, and the change is still as the caller read it."""
    lock_gazetteer()
    now = UnitChange.objects.select_for_update(of=("self",)).get(pk=change.pk)
    if now.status != change.status:
        raise TransitionNotAllowed(change, old=change.status, new="", meanwhile=True)


def _decided(by: User | None, note: str) -> dict[str, Any]:
    return {"decided_by": by, "decided_at": timezone.now(), "decision_note": note[:240]}


def _taken(change: UnitChange, fields: Collection[str] | None) -> dict[str, str]:
    """The columns that are taken, with their new values; pairs go together."""
    if fields is None:
        return dict(change.after)
    optional = set(fields_to_choose(change))
    wanted = set(fields)
    for pair in TOGETHER:
        if wanted & set(pair):
            wanted |= set(pair)
    taken = {name: text for name, text in change.after.items() if name in wanted or name not in optional}
    if not taken:
        raise Refused(_("Choose at least one column."), code="nothing_chosen")
    return taken


# --- the kinds


def _write_added(change: UnitChange, taken: Mapping[str, str], writing: UnitWriting) -> AdminUnit:
    code = taken.get("code") or f"new-{change.pk}"
    fields = _read({**taken, "code": code})
    fields["valid_from"] = fields["valid_from"] or change.effective_on
    parent = _parent(change, taken.get("parent_id", ""))
    if parent is not None and fields["level"] <= parent.level:
        raise Refused(_("“%(parent)s” is not of a higher level.") % {"parent": parent}, code="level")
    _refuse_code_taken(code, from_day=fields["valid_from"])
    unit_id = taken.get("unit_id") or as_unit_id(code)
    if AdminUnit.objects.filter(unit_id=unit_id).exists():
        unit_id = free_unit_id(code, fields["valid_from"])
    unit = AdminUnit(**fields, parent=parent, unit_id=unit_id)
    return writing.make(unit, predecessors=_units_named(taken.get("predecessors", "")))


def _write_columns(change: UnitChange, taken: Mapping[str, str], writing: UnitWriting) -> AdminUnit:
    """Renamed or corrected: the row stays, its columns change."""
    unit = _standing(change)
    _refuse_stale(change, unit, taken)
    _write_texts(unit, taken, writing, on=change.effective_on)
    return _subject(change)


def _write_texts(unit: AdminUnit, texts: Mapping[str, str], writing: UnitWriting, *, on: date) -> None:
    fields = _read({**texts_of_fields(fields_of(unit)), **texts})
    columns = {_column(name) for name in texts} - {"predecessors"}
    values = {name: fields[name] for name in columns if name not in ("names", "short_names")}
    if values.get("code", unit.code) != unit.code:
        _refuse_code_taken(values["code"], from_day=unit.valid_from or date.min, but=unit)
    if values:
        writing.change(unit, **values)
    renamed = {name: fields[name] for name in ("names", "short_names") if name in columns}
    if renamed:
        writing.rename(unit, on=on, **renamed)
    if "predecessors" in texts:
        writing.change(unit, predecessors=_units_named(texts["predecessors"]))


def _write_moved(change: UnitChange, taken: Mapping[str, str], writing: UnitWriting) -> AdminUnit:
    unit = _standing(change)
    _refuse_before_what_closes_below(change, unit)
    parent = _parent(change, taken["parent_id"]) if "parent_id" in taken else unit.parent
    if parent is None or parent.path.startswith(unit.path):
        raise Refused(_("A place cannot lie within itself."), code="circle")
    texts = {name: text for name, text in taken.items() if name not in ("parent_id", "unit_id", "valid_from")}
    columns = {name: int(texts.pop(name)) for name in ("level",) if name in texts}
    _refuse_stale(change, unit, texts)
    newer = writing.move(unit, parent, on=change.effective_on, unit_id=_free(taken.get("unit_id", "")), **columns)
    if texts:
        _write_texts(newer, texts, writing, on=change.effective_on)
    return _subject(change)


def _refuse_before_what_closes_below(change: UnitChange, unit: AdminUnit) -> None:
    """What moves along begins anew, and cannot end on the day before it begins."""
    first = UnitChange.objects.filter(
        update=change.update,
        update__isnull=False,
        status=UnitChangeStatus.OPEN,
        kind__in=[UnitChangeKind.CLOSED, UnitChangeKind.CODE_REUSED],
        unit__in=below(unit, from_day=change.effective_on),
    ).select_related("unit")
    found = [one.unit for one in first if one.unit]
    if found:
        raise Refused(
            _("Decide first about places below it that close: %(places)s.") % {"places": name_some(found)},
            code="order",
        )


def _write_closed(change: UnitChange, taken: Mapping[str, str], writing: UnitWriting) -> AdminUnit:
    last_day = date.fromisoformat(taken["valid_to"]) if taken.get("valid_to") else change.effective_on - ONE_DAY
    unit = standing_row(_subject(change), last_day)
    writing.close(unit or _subject(change), last_day)
    return _subject(change)


def _write_reused(change: UnitChange, taken: Mapping[str, str], writing: UnitWriting) -> AdminUnit:
    writing.close(_standing(change), change.effective_on - ONE_DAY)
    _write_added(change, taken, writing)
    return _subject(change)


def _write_duplicate(change: UnitChange, taken: Mapping[str, str], writing: UnitWriting) -> AdminUnit:
    unit, into = _subject(change), change.duplicate_of
    if into is None:
        raise Refused(_("Name the place that this one is a duplicate of."), code="duplicate_of_what")
    write_merge(writing, unit, into, on=change.effective_on)
    return unit


WRITERS: Final[dict[UnitChangeKind, Callable[[UnitChange, Mapping[str, str], UnitWriting], AdminUnit]]] = {
    UnitChangeKind.ADDED: _write_added,
    UnitChangeKind.RENAMED: _write_columns,
    UnitChangeKind.CORRECTED: _write_columns,
    UnitChangeKind.MOVED: _write_moved,
    UnitChangeKind.CLOSED: _write_closed,
    UnitChangeKind.CODE_REUSED: _write_reused,
    UnitChangeKind.DUPLICATE: _write_duplicate,
}


# --- what they ask


def _subject(change: UnitChange) -> AdminUnit:
    if change.unit is None:
        raise Refused(_("The place is not known."), code="no_place")
    unit = AdminUnit.objects.select_related("parent", "merged_into").get(pk=change.unit.pk)
    if unit.merged_into is not None:
        params = {"unit": unit, "into": unit.merged_into.choice_label}
        raise Refused(_("“%(unit)s” was merged into %(into)s meanwhile.") % params, code="merged")
    return unit


def _standing(change: UnitChange) -> AdminUnit:
    unit = standing_row(_subject(change), change.effective_on)
    if unit is None:
        raise Refused(_("“%(unit)s” has closed meanwhile.") % {"unit": change.unit}, code="closed")
    return unit


def _parent(change: UnitChange, unit_id: str) -> AdminUnit | None:
    """The place above, as it stands on the day of the change. Blank: the proposal's own."""
    if not unit_id and change.parent is None:
        return None
    named = AdminUnit.objects.filter(unit_id=unit_id).first() if unit_id else change.parent
    standing = standing_row(named, change.effective_on) if named else None
    if standing is not None:
        return standing
    proposed = (
        UnitChange.objects.filter(update=change.update, after__unit_id=unit_id).exclude(pk=change.pk).first()
        if change.update
        else None
    )
    if proposed and proposed.status == UnitChangeStatus.OPEN:
        raise Refused(_("Decide first about the place above: %(change)s.") % {"change": proposed}, code="order")
    if proposed:
        params = {"change": proposed, "status": proposed.get_status_display()}
        raise Refused(_("The place above is not there: %(change)s (%(status)s).") % params, code="no_parent")
    raise Refused(_("There is no place “%(unit)s” on that day.") % {"unit": unit_id or change.parent}, code="no_parent")


def _read(texts: Mapping[str, str]) -> dict[str, Any]:
    """Columns of a file as values of a place; what cannot be read is refused in the words of the loader."""
    rows, problems = parse_rows([{**texts, "unit_id": "x", "parent_id": ""}])
    if problems:
        raise Refused("; ".join(f"{problem.column}: {problem.message}" for problem in problems), code="unreadable")
    return rows[0].fields


def _column(name: str) -> str:
    match = NAME_COLUMN.match(name)
    if match is None:
        return name
    return "names" if match[1] == "name" else "short_names"


def _refuse_stale(change: UnitChange, unit: AdminUnit, taken: Mapping[str, str]) -> None:
    """The columns must be as the proposal found them: else it was made for another state."""
    now = texts_of_fields(fields_of(unit))
    moved = [name for name in taken if name != "predecessors" and now.get(name, "") != change.before.get(name, "")]
    if moved:
        found = ", ".join(f"{name}: {now.get(name, '') or '–'}" for name in moved)
        raise Refused(
            _("The place was changed since this was proposed (%(now)s). Refuse it, or propose it anew.")
            % {"now": found},
            code="changed_since",
        )


def _refuse_code_taken(code: str, *, from_day: date, but: AdminUnit | None = None) -> None:
    bearer = next((unit for unit in standing_from(from_day).filter(code=code) if unit != but), None)
    if bearer is not None:
        params = {"code": code, "unit": bearer.choice_label}
        raise Refused(_("The code %(code)s is %(unit)s's at that time.") % params, code="code_taken")


def _units_named(texts: str) -> list[AdminUnit]:
    unit_ids = [part.strip() for part in texts.split("|") if part.strip()]
    units = {unit.unit_id: unit for unit in AdminUnit.objects.filter(unit_id__in=unit_ids)}
    missing = [unit_id for unit_id in unit_ids if unit_id not in units]
    if missing:
        raise Refused(_("There is no unit “%(unit)s”.") % {"unit": ", ".join(missing)}, code="no_predecessor")
    return list(units.values())


def _free(unit_id: str) -> str:
    return "" if AdminUnit.objects.filter(unit_id=unit_id).exists() else unit_id
