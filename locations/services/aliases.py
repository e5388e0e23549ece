"""The spellings by which a place is found, and who keeps them.

Those of the kinds ``name`` and ``short`` follow the place's own names: whoever writes units calls `follow_names`. Their
history is that of the unit, so none is written for them. The others are people's, and stay through every load.
"""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

import pgtrigger
from django.db import connection, transaction
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from locations.enums import AliasKind
from locations.models import AdminUnit, AdminUnitAlias, make_keys

# Of the columns ``names`` and ``short_names``.
OWN_KINDS: Final = (AliasKind.NAME.value, AliasKind.SHORT.value)
NAME_LENGTH: Final = 200
BATCH: Final = 2000
# So many units at once are compared with the whole table instead of being asked for one by one.
MANY: Final = 500
# A change in the rules of spelling shows within so many names.
SAMPLE: Final = 300
_HISTORY: Final = "locations.AdminUnitAlias:insert_insert"


class Spelling(NamedTuple):
    unit_id: int
    kind: str
    language: str
    name: str


def follow_names(units: Iterable[AdminUnit]) -> int:
    """Bring the spellings of these units in step with their names; a second time nothing happens. Says how many rows
    were put in or taken out.
    """
    return follow_spellings({unit.pk: list(spellings_of(unit.pk, unit.names, unit.short_names)) for unit in units})


def follow_spellings(spellings: Mapping[int, Collection[Spelling]]) -> int:
    """As `follow_names`, by the key of each unit."""
    wanted = {spelling for own in spellings.values() for spelling in own}
    with transaction.atomic():
        rows = AdminUnitAlias.objects.filter(kind__in=OWN_KINDS)
        if len(spellings) < MANY:
            rows = rows.filter(unit__in=list(spellings))
        found = rows.order_by().values_list("unit_id", "kind", "language", "name", "pk")
        present = {Spelling(*row[:4]): row[4] for row in found if row[0] in spellings}
        surplus = [key for spelling, key in present.items() if spelling not in wanted]
        missing = sorted(wanted - present.keys())
        if surplus:
            AdminUnitAlias.objects.filter(pk__in=surplus).delete()
        if missing:
            with pgtrigger.ignore(_HISTORY):
                _put_in(missing)
        if len(missing) > MANY:
            _tidy_indexes()
    return len(surplus) + len(missing)


def spellings_of(unit_id: int, names: Mapping[str, str], short_names: Mapping[str, str]) -> Iterator[Spelling]:
    for kind, column in zip(OWN_KINDS, (names, short_names), strict=True):
        for language, name in column.items():
            if name and name.strip():
                yield Spelling(unit_id, kind, language[:3], name.strip()[:NAME_LENGTH])


def keep_old_names(unit: AdminUnit, before: Mapping[str, Any], *, last_day: date) -> int:
    """After a place was renamed: what it was called (``before``: the columns ``names`` and ``short_names``) stays as an
    old name. A name spelt better is not a new name, and one that is in use again is not an old one.
    """
    now = {spelling.name for spelling in spellings_of(unit.pk, unit.names, unit.short_names)}
    sounds = {make_keys(name)["search_key"] for name in now}
    gone = {
        (spelling.language, spelling.name)
        for spelling in spellings_of(unit.pk, before["names"], before["short_names"])
        if make_keys(spelling.name)["search_key"] not in sounds
    }
    AdminUnitAlias.objects.filter(unit=unit, kind=AliasKind.OLD, name__in=now).delete()
    rows = [
        AdminUnitAlias(
            unit=unit, name=name, language=language, kind=AliasKind.OLD, valid_to=last_day, **make_keys(name)
        )
        for language, name in sorted(gone)
    ]
    AdminUnitAlias.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def add_alias(
    unit: AdminUnit,
    name: str,
    *,
    language: str = "",
    kind: str = AliasKind.OTHER,
    source: str = "",
    valid_to: date | None = None,
) -> AdminUnitAlias:
    """Another spelling of a place. One that is there already is returned as it is."""
    name = " ".join(name.split())
    if not name:
        raise Refused(_("A spelling must not be blank."), code="blank_alias")
    _refuse_own(kind)
    alias, _made = AdminUnitAlias.objects.get_or_create(
        unit=unit, name=name, language=language, kind=kind, defaults={"source": source, "valid_to": valid_to}
    )
    return alias


def remove_alias(alias: AdminUnitAlias) -> None:
    _refuse_own(alias.kind)
    alias.delete()


def read_aliases(content: bytes) -> list[dict[str, str]]:
    """The table of a file of spellings: unit_id, language, kind, name, source."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def load_aliases(rows: Iterable[Mapping[str, str]], keys: Mapping[str, int]) -> int:
    """Put in what is missing, and say how many. ``keys`` are those of all units by ``unit_id``; a unit that is not
    there raises `Refused`. Nothing is taken out: the table also holds what people typed.
    """
    wanted: dict[Spelling, str] = {}
    for row in rows:
        _refuse_own(row["kind"])
        if row["unit_id"] not in keys:
            raise Refused(_("There is no unit “%(unit)s”.") % {"unit": row["unit_id"]}, code="unknown_unit")
        wanted[Spelling(keys[row["unit_id"]], row["kind"], row["language"], row["name"])] = row["source"]
    units = {spelling.unit_id for spelling in wanted}
    found = AdminUnitAlias.objects.filter(unit__in=units).exclude(kind__in=OWN_KINDS).order_by()
    present = {Spelling(*row) for row in found.values_list("unit_id", "kind", "language", "name")}
    missing = sorted(wanted.keys() - present)
    _put_in(missing, sources=wanted)
    return len(missing)


def renew_keys() -> int:
    """Keys made by older rules of spelling are made again: all are looked at when one of a sample is not today's."""
    rows = AdminUnitAlias.objects.order_by("pk")
    if not any(_make_new(alias) for alias in rows[:SAMPLE]):
        return 0
    stale = [alias for alias in rows if _make_new(alias)]
    AdminUnitAlias.objects.bulk_update(stale, ["search_key", "skeleton", "words"], batch_size=BATCH)
    return len(stale)


def _refuse_own(kind: str) -> None:
    if kind in OWN_KINDS:
        raise Refused(_("This spelling is the place's own name: change the name."), code="own_name")


def _put_in(spellings: Iterable[Spelling], *, sources: Mapping[Spelling, str] | None = None) -> None:
    """By COPY: a country has tens of thousands of them."""
    keys: dict[str, dict[str, Any]] = {}  # names repeat: from language to language and from place to place
    columns = "unit_id, kind, language, name, source, search_key, skeleton, words"
    with connection.cursor() as cursor:
        # A trigger that `pgtrigger.ignore` puts to rest rests from the next statement on, and COPY does not count.
        cursor.execute("SELECT 1")
        with cursor.copy(f"COPY {AdminUnitAlias._meta.db_table} ({columns}) FROM STDIN") as copy:
            for spelling in spellings:
                if spelling.name not in keys:
                    keys[spelling.name] = make_keys(spelling.name)
                copy.write_row((*spelling, (sources or {}).get(spelling, ""), *keys[spelling.name].values()))


def _tidy_indexes() -> None:
    """What the database does in its own time, done at once: until then it reads all new words one after the other, and
    plans for an empty table.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('alias_words'::regclass)")
        tables = ", ".join(
            model._meta.db_table for model in (AdminUnitAlias, AdminUnit, AdminUnit.predecessors.through)
        )
        cursor.execute(f"ANALYZE {tables}")


def _make_new(alias: AdminUnitAlias) -> bool:
    """Whether the row's keys were not today's; they are now, on the object alone."""
    keys = make_keys(alias.name)
    stale = any(getattr(alias, column) != value for column, value in keys.items())
    for column, value in keys.items():
        setattr(alias, column, value)
    return stale
