"""Places as people write them into a table: by their number, their code, or their name with the place above."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from dtm_ops.common.names import named
from dtm_ops.common.spelling import fold, skeleton
from locations.models import AdminUnit, AdminUnitAlias
from locations.querysets import AnyUser, scope_of

_CANDIDATES_TOLD: Final = 5


class PlaceUnclear(ValueError):
    """No place, or several. ``str()`` is a sentence for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a name may mean: the place, and how it and the places above it are spelled."""

    pk: int
    unit_id: str
    names: Mapping[str, str]
    path: str

    @property
    def label(self) -> str:
        return named(self.names, fallback=self.unit_id)


def read_places(texts: Iterable[str], *, user: AnyUser, on: date) -> dict[str, AdminUnit | PlaceUnclear]:
    """For each text the place within the user's reach, or why there is none, in a fixed number of queries.

    A ``unit_id`` is taken whatever its dates, a code if it is in force that day, a name if it is one place's alone: as
    it sounds, in any script, with the place above after a comma. Where only the consonants agree, the place above has
    to be named.
    """
    asked = dict.fromkeys(texts)
    found: dict[str, AdminUnit | PlaceUnclear] = {}
    numbers = [text for text in asked if text and " " not in text and "," not in text]
    _read_numbers(found, numbers, user=user, on=on)
    words = [text for text in asked if text not in found]
    if words:
        _read_names(found, words, user=user, on=on)
    return found


def _read_numbers(found: dict[str, Any], texts: list[str], *, user: AnyUser, on: date) -> None:
    scope = scope_of(user)
    by_id: dict[str, AdminUnit] = {}
    by_code: dict[str, list[AdminUnit]] = defaultdict(list)
    for unit in AdminUnit.objects.filter(Q(unit_id__in=texts) | Q(code__in=texts)).select_related("merged_into"):
        by_id[unit.unit_id] = unit
        by_code[unit.code].append(unit)
    for text in texts:
        known = by_id.get(text) or next((one for one in by_code[text] if _in_force(one, on)), None)
        if known is not None:
            found[text] = known if scope.reaches(known.path) else PlaceUnclear(_outside(text, known.name))
        elif by_code[text]:
            last = max(by_code[text], key=lambda one: one.valid_to or date.max)
            found[text] = PlaceUnclear(_closed(text, last))


def _in_force(unit: AdminUnit, day: date) -> bool:
    return (unit.valid_from or day) <= day <= (unit.valid_to or day)


def _outside(text: str, name: str) -> str:
    return _("“%(value)s” (%(place)s) lies outside your area") % {"value": text, "place": name}


def _closed(text: str, unit: AdminUnit) -> str:
    if unit.valid_to is None:
        return _("“%(value)s” (%(place)s) is not in force yet") % {"value": text, "place": unit.name}
    day = date_format(unit.valid_to, "SHORT_DATE_FORMAT")
    return _("“%(value)s” (%(place)s) was in force until %(day)s") % {"value": text, "place": unit.name, "day": day}


def _read_names(found: dict[str, Any], texts: list[str], *, user: AnyUser, on: date) -> None:
    gazetteer = _Gazetteer(on)
    scope = scope_of(user)
    chosen: dict[str, int] = {}
    for text in texts:
        candidates = gazetteer.find(text)
        own = [one for one in candidates if scope.reaches(one.path)]
        if len(own) == 1:
            chosen[text] = own[0].pk
        elif own:
            found[text] = PlaceUnclear(gazetteer.ambiguous(text, own))
        elif candidates:
            found[text] = PlaceUnclear(_outside(text, gazetteer.label(candidates[0])))
        elif near := [one for one in gazetteer.sounding_like(text) if scope.reaches(one.path)]:
            found[text] = PlaceUnclear(gazetteer.ambiguous(text, near))
        else:
            found[text] = PlaceUnclear(_("“%(value)s” is no place of the gazetteer within your area") % {"value": text})
    units = AdminUnit.objects.in_bulk(set(chosen.values()))
    found |= {text: units[pk] for text, pk in chosen.items()}


class _Gazetteer:
    """All places in force, by how their names sound. Read only for a file that names places in words."""

    def __init__(self, on: date) -> None:
        rows = AdminUnit.objects.units_on(on).values_list("pk", "unit_id", "names", "short_names", "path")
        self.known: dict[int, _Known] = {}
        self.spellings: dict[int, set[str]] = {}
        for pk, unit_id, names, short_names, path in rows.iterator(2000):
            self.known[pk] = _Known(pk, unit_id, names, path)
            self.spellings[pk] = {fold(name) for name in (*names.values(), *short_names.values()) if name}
        for unit, spelling in AdminUnitAlias.objects.order_by().values_list("unit_id", "name").iterator(2000):
            if unit in self.spellings:
                self.spellings[unit].add(fold(spelling))
        self.by_id = {one.unit_id: one for one in self.known.values()}
        self.by_sound: dict[str, list[int]] = defaultdict(list)
        self.by_skeleton: dict[str, list[int]] = defaultdict(list)
        for number, sounds in self.spellings.items():
            for key in sounds:
                self.by_sound[key].append(number)
            for bones in {skeleton(key) for key in sounds}:
                self.by_skeleton[bones].append(number)

    def find(self, text: str) -> list[_Known]:
        name, *above = (part.strip() for part in text.split(","))
        exact = self._under(self.by_sound.get(fold(name), ()), above)
        return exact or (self._under(self.by_skeleton.get(skeleton(name), ()), above) if above else [])

    def sounding_like(self, text: str) -> list[_Known]:
        name = text.partition(",")[0]
        pks = self.by_sound.get(fold(name)) or self.by_skeleton.get(skeleton(name), [])
        return [self.known[pk] for pk in pks]

    def label(self, one: _Known) -> str:
        """ "Karasay, Almaty region": with the region, or else the place above."""
        above = [self.by_id[unit_id] for unit_id in one.path.split("/")[1:-2] if unit_id in self.by_id]
        return ", ".join([one.label, *(place.label for place in above[:1])])

    def ambiguous(self, text: str, candidates: list[_Known]) -> str:
        told = [f"{self.label(one)} ({one.unit_id})" for one in candidates[:_CANDIDATES_TOLD]]
        if len(candidates) > _CANDIDATES_TOLD:
            told.append("…")
        sentence = _("“%(value)s” may be: %(places)s. Write the number, or the name with its region")
        return sentence % {"value": text, "places": "; ".join(told)}

    def _under(self, pks: Iterable[int], above: list[str]) -> list[_Known]:
        found = [self.known[pk] for pk in pks]
        return [one for one in found if all(self._lies_in(one, part) for part in above)]

    def _lies_in(self, one: _Known, part: str) -> bool:
        sound, bones = fold(part), skeleton(part)
        for unit_id in one.path.split("/")[:-2]:
            place = self.by_id.get(unit_id)
            keys = self.spellings[place.pk] if place else set()
            if sound in keys or any(bones == skeleton(key) for key in keys):
                return True
        return False
