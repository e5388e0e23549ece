"""Writing places so that it can be taken back: each write notes what was there before and what it left.

Taking back restores the noted columns and removes the noted rows, and refuses where somebody wrote there since.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import pgtrigger
from django.apps import apps
from django.db import connection, models
from django.db.models import Q
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from dtm_ops.common.spelling import fold
from locations.enums import AliasKind
from locations.models import AdminUnit, AdminUnitAlias, Boundary, UnitScope, make_keys, path_of
from locations.selectors.changes import Predecessor, below, what_hangs_on
from locations.services.aliases import NAME_LENGTH, OWN_KINDS, follow_names
from locations.services.gazetteer_file import PLAIN_FIELDS

ONE_DAY = timedelta(days=1)
# What a place keeps when it goes on in a newer row.
KEPT = [name for name in PLAIN_FIELDS if name != "valid_from"]
MOST_NAMES = 5
NO_UNIT_ID = re.compile(r"[^0-9A-Za-z._~-]")


class UnitWriting:
    """The writes of one decision. ``finish()`` says `take_back` needs, as JSON."""

    def __init__(self) -> None:
        self.made: list[AdminUnit] = []
        self.changed: dict[int, dict[str, dict[str, Any]]] = {}
        self.rows: list[models.Model] = []

    def change(self, unit: AdminUnit, **values: Any) -> None:
        """Write the columns (``predecessors``: a list of units), and note them as they were."""
        noted = self.changed.setdefault(unit.pk, {"before": {}, "after": {}})
        before = state_of(unit, values)
        links = values.pop("predecessors", None)
        if links is not None:
            unit.predecessors.set(links)
        for name, value in values.items():
            setattr(unit, name, value)
        unit.save(update_fields=list(values))
        after = state_of(unit, [*values, *(["predecessors"] if links is not None else [])])
        noted["before"] = {**before, **noted["before"]}
        noted["after"] |= after

    def make(self, unit: AdminUnit, *, predecessors: Iterable[AdminUnit] = ()) -> AdminUnit:
        unit.save(force_insert=True)
        unit.predecessors.set(predecessors)
        self.made.append(unit)
        return unit

    def add_row(self, row: models.Model) -> None:
        row.save(force_insert=True)
        self.rows.append(row)

    def add_spelling(
        self, unit: AdminUnit, name: str, *, language: str, kind: str = AliasKind.OLD, valid_to: date | None = None
    ) -> None:
        """A spelling that is there already stays as it is."""
        name = name[:NAME_LENGTH]
        known = AdminUnitAlias.objects.filter(unit=unit, name=name, language=language, kind=kind)
        if name and not known.exists():
            keys = make_keys(name)
            self.add_row(AdminUnitAlias(unit=unit, name=name, language=language, kind=kind, valid_to=valid_to, **keys))

    def close(self, unit: AdminUnit, last_day: date) -> None:
        refuse_closing(unit, last_day)
        self.change(unit, valid_to=last_day)

    def rename(self, unit: AdminUnit, *, on: date, **names: Mapping[str, str]) -> None:
        """``names`` and ``short_names`` by language. What the place was called stays as an old spelling; a name that
        sounds as before was only spelt better.
        """
        sounds = {fold(name) for wanted in names.values() for name in wanted.values()}
        for field in names:
            for language, old in getattr(unit, field).items():
                if old and fold(old) not in sounds:
                    self.add_spelling(unit, old, language=language, valid_to=on - ONE_DAY)
        self.change(unit, **names)

    def move(self, unit: AdminUnit, above: AdminUnit, *, on: date, unit_id: str = "", **columns: Any) -> AdminUnit:
        """The place lies in ``above`` from that day on, with everything below it.

        The rows of before close and stay where they are, since what was planned in them tells the region of then; newer
        rows go on. A row that begins on that day or later never lay elsewhere, and is hung over. Returns the row of
        that day.
        """
        moved = below(unit, from_day=on)
        rows = {unit.pk: self._move_one(unit, above, on=on, unit_id=unit_id, columns=columns)}
        for lower in moved:
            parent = rows.get(lower.parent_id or 0)
            if parent is not None and parent.pk == lower.parent_id:
                # The row above was hung over, and so this one never lay elsewhere either, whatever its first day.
                self.change(lower, path=path_of(lower.unit_id, parent.path))
                rows[lower.pk] = lower
            elif parent is not None:
                rows[lower.pk] = self._move_one(lower, parent, on=on, unit_id="", columns={})
        return rows[unit.pk]

    def _move_one(
        self, unit: AdminUnit, parent: AdminUnit, *, on: date, unit_id: str, columns: Mapping[str, Any]
    ) -> AdminUnit:
        if columns.get("level", unit.level) <= parent.level:
            raise Refused(
                _("“%(unit)s” cannot lie in “%(parent)s”: it is not of a lower level.")
                % {"unit": unit, "parent": parent},
                code="level",
            )
        if unit.valid_from and unit.valid_from >= on:
            self.change(unit, parent_id=parent.pk, path=path_of(unit.unit_id, parent.path), **columns)
            return unit
        kept = {name: getattr(unit, name) for name in KEPT}
        self.change(unit, valid_to=on - ONE_DAY)
        newer = AdminUnit(
            **{**kept, **columns}, parent=parent, valid_from=on, unit_id=unit_id or free_unit_id(unit.code, on)
        )
        self.make(newer, predecessors=[unit])
        self._take_along(unit, newer)
        return newer

    def _take_along(self, old: AdminUnit, new: AdminUnit) -> None:
        """Spellings, the polygon and the rights go on with the place."""
        for alias in old.aliases.exclude(kind__in=OWN_KINDS):
            self.add_spelling(new, alias.name, language=alias.language, kind=alias.kind, valid_to=alias.valid_to)
        for boundary in Boundary.objects.filter(Q(drawn_for=None) | Q(drawn_for__gte=new.valid_from), unit=old):
            boundary.pk, boundary.unit = None, new
            self.add_row(boundary)
        for scope in old.scopes.all():
            self.add_row(UnitScope(user=scope.user, unit=new, role=scope.role))

    def finish(self) -> dict[str, Any]:
        """The place's own spellings in step with its names, and what `take_back` needs."""
        follow_names([*self.made, *AdminUnit.objects.filter(pk__in=self.changed)])
        made = AdminUnit.objects.in_bulk([unit.pk for unit in self.made])
        return {
            "made": [[key, state_of(unit, _ALL)] for key, unit in made.items()],
            "changed": [[key, noted["before"], noted["after"]] for key, noted in self.changed.items()],
            "rows": [[row._meta.label, row.pk] for row in self.rows],
        }


_ALL = [*(field.attname for field in AdminUnit._meta.concrete_fields if not field.primary_key), "predecessors"]


def state_of(unit: AdminUnit, columns: Iterable[str]) -> dict[str, Any]:
    """The columns as JSON holds them, so that they can be compared with what was noted."""
    values = {name: _links(unit) if name == "predecessors" else getattr(unit, name) for name in columns}
    return {name: _plain(value) for name, value in values.items()}


def _links(unit: AdminUnit) -> list[int]:
    return sorted(Predecessor.objects.filter(from_adminunit=unit).values_list("to_adminunit_id", flat=True))


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, str, dict, list)) or value is None else str(value)


def as_unit_id(code: str) -> str:
    """A code may hold any sign; an id stands in addresses and paths."""
    return NO_UNIT_ID.sub("-", code)


def free_unit_id(code: str, day: date) -> str:
    """ "<code>.<first day>"; with a number behind it where a row of that name is there already."""
    wanted = f"{as_unit_id(code)}.{day.isoformat()}"
    taken = set(AdminUnit.objects.filter(unit_id__startswith=wanted).values_list("unit_id", flat=True))
    return next(name for name in [wanted, *(f"{wanted}-{number}" for number in range(2, 99))] if name not in taken)


def refuse_closing(unit: AdminUnit, last_day: date) -> None:
    """Raise `Refused` unless the unit can end on that day."""
    if unit.merged_into_id is not None:
        raise Refused(_("“%(unit)s” was merged into another place.") % {"unit": unit}, code="merged")
    if unit.valid_to is not None and unit.valid_to <= last_day:
        params = {"unit": unit, "day": _iso(unit.valid_to)}
        raise Refused(_("“%(unit)s” has closed already, on %(day)s.") % params, code="closed")
    if unit.valid_from is not None and unit.valid_from > last_day:
        params = {"unit": unit, "day": _iso(unit.valid_from)}
        raise Refused(_("“%(unit)s” begins on %(day)s only and cannot end before.") % params, code="dates")
    lower = [row for row in below(unit, from_day=last_day + ONE_DAY) if row.parent_id == unit.pk]
    if lower:
        raise Refused(
            _("Places below “%(unit)s” are still in force: %(places)s. Close or move them first.")
            % {"unit": unit, "places": name_some(lower)},
            code="places_below",
        )


def name_some(units: list[AdminUnit]) -> str:
    names = [str(unit) for unit in units[:MOST_NAMES]]
    more = len(units) - len(names)
    return ", ".join(names) + (_(" and %(more)s more") % {"more": more} if more else "")


def _iso(day: date) -> str:
    return day.isoformat()


def take_back(undo: Mapping[str, Any]) -> None:
    """Restore everything as it was before the writing. Raises `Refused` where it cannot be done cleanly; the caller's
    transaction then takes back what was done until there.

    A row that the writing made is removed: it never was a place. This is the one way by which a unit is deleted. It is
    open only while nothing hangs on the row, and the database's own history keeps that it was there.
    """
    made = _made_rows(undo["made"])
    changed = _changed_rows(undo["changed"])
    for label, key in reversed(undo["rows"]):
        apps.get_model(label)._base_manager.filter(pk=key).delete()
    with connection.cursor() as cursor:
        # For a moment the row of before and the newer one have the same code on the same days.
        cursor.execute("SET CONSTRAINTS adminunit_code_once_at_a_time DEFERRED")
        for unit, before in changed:
            _restore(unit, before)
        follow_names([unit for unit, _before in changed if unit not in made])
        _remove(made)
        cursor.execute("SET CONSTRAINTS adminunit_code_once_at_a_time IMMEDIATE")


def _remove(made: list[AdminUnit]) -> None:
    AdminUnitAlias.objects.filter(unit__in=made, kind__in=OWN_KINDS).delete()
    _refuse_what_hangs(made)
    with pgtrigger.ignore("locations.AdminUnit:never_deleted"):
        for unit in sorted(made, key=lambda unit: unit.path.count("/"), reverse=True):
            unit.delete()


def _made_rows(noted: Iterable[tuple[int, dict[str, Any]]]) -> list[AdminUnit]:
    wanted = dict(noted)
    units = list(AdminUnit.objects.filter(pk__in=wanted))
    touched = [unit for unit in units if state_of(unit, _ALL) != wanted[unit.pk]]
    _refuse_touched(touched, gone=len(wanted) - len(units))
    return units


def _changed_rows(
    noted: Iterable[tuple[int, dict[str, Any], dict[str, Any]]],
) -> list[tuple[AdminUnit, dict[str, Any]]]:
    wanted = {key: (before, after) for key, before, after in noted}
    units = list(AdminUnit.objects.filter(pk__in=wanted))
    touched = [unit for unit in units if state_of(unit, wanted[unit.pk][1]) != wanted[unit.pk][1]]
    _refuse_touched(touched, gone=len(wanted) - len(units))
    return [(unit, wanted[unit.pk][0]) for unit in units]


def _refuse_touched(units: list[AdminUnit], *, gone: int) -> None:
    if units or gone:
        raise Refused(
            _("Changed again since: %(places)s. Undo the later change first.")
            % {"places": name_some(units) or _("places that this change made")},
            code="changed_since",
        )


def _refuse_what_hangs(made: list[AdminUnit]) -> None:
    outside = AdminUnit.objects.filter(parent__in=made).exclude(pk__in=[unit.pk for unit in made])
    hanging = [
        f"{model._meta.verbose_name_plural} ({count})" for model, count in what_hangs_on(made) if model is not AdminUnit
    ]
    if outside.exists():
        hanging.insert(0, _("places below: %(places)s") % {"places": name_some(list(outside))})
    links = Predecessor.objects.filter(to_adminunit__in=made).exclude(from_adminunit__in=made).count()
    if links:
        hanging.append(_("places that came after it (%(count)s)") % {"count": links})
    if hanging:
        raise Refused(
            _("Already in use: %(what)s. Close the place instead.") % {"what": get_text_list(hanging, _("and"))},
            code="in_use",
        )


def _restore(unit: AdminUnit, before: Mapping[str, Any]) -> None:
    columns = {name: value for name, value in before.items() if name != "predecessors"}
    for name, value in columns.items():
        column: Any = AdminUnit._meta.get_field(name)
        setattr(unit, name, column.to_python(value))
    if columns:
        unit.save(update_fields=list(columns))
    if "predecessors" in before:
        unit.predecessors.set(before["predecessors"])
