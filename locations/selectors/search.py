"""Places by what somebody types: any script, any of the usual spellings, an old name, a code, a slip of the hand.

Best first, by how the words fit a spelling (`Fit`). Where that is equal: in force on the day, of the kind that was
typed ("г.", "region"), of the higher level, by its own name rather than an old one, a city, nearest in its letters.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any, Final, NamedTuple

from django.db.models import Case, IntegerField, Q, Value, When
from django.db.models.functions import Length
from django.utils import timezone

from dtm_ops.common.spelling import bare, distance, near_misses
from locations.enums import AliasKind
from locations.models import AdminUnit, AdminUnitAlias, PlaceName, read_name
from locations.querysets import AdminUnitQuerySet, AnyUser
from locations.selectors.units import successors_of

# A skeleton shorter than this is one slip away from half of the country, and begins like a tenth of it.
LONG_ENOUGH: Final = 3
# So many spellings are weighed for each place that is wanted: one place has about six, and what the database puts first
# may yet fall behind.
WEIGHED: Final = 8
CODE: Final = re.compile(r"(?=.*\d)[0-9a-z._~-]{2,40}|kz[0-9a-z-]*", re.IGNORECASE)
CODE_COLUMNS: Final = ("unit_id", "code", "pcode", "iso_3166_2", "iso_3166_2_former")
# A name alone means the city where a region of the same level bears it, too.
CITIES: Final = frozenset({"city_republican", "city_regional", "city", "town"})
UNIT: Final = ("unit_id", "level", "unit_type", "valid_from", "valid_to", "path")
COLUMNS: Final = ("unit", "kind", "name", "search_key", "words", *(f"unit__{column}" for column in UNIT))


class Fit(IntEnum):
    CODE = 0  # the whole of it: then nothing else is meant
    CODE_BEGINS = 1
    NAME = 2
    NAME_BEGINS = 3
    SKELETON = 4
    SKELETON_BEGINS = 5
    WORD = 6
    PLACES_ABOVE = 7
    SLIP = 8


# Whoever is answered so made no slip.
GOOD: Final = (Fit.CODE, Fit.CODE_BEGINS, Fit.NAME, Fit.NAME_BEGINS, Fit.PLACES_ABOVE)


class Found(NamedTuple):
    """The key of a place, behind what it is sorted by."""

    fit: int
    rank: tuple[int, ...]
    key: int


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    name: PlaceName
    within: AdminUnitQuerySet
    on: date | None
    level: int | None
    limit: int
    # ``on``, else today.
    day: date

    @property
    def is_narrow(self) -> bool:
        return bool(self.within.query.where) or self.within.query.is_sliced

    def reach(self, prefix: str = "unit__") -> Q:
        """Places that may be answered, and with a day the closed ones, too: others may have come after them."""
        reach = Q() if self.level is None else Q((f"{prefix}level", self.level))
        if self.is_narrow:
            reach &= Q((f"{prefix}pk__in", self.within.order_by().values("pk")))
        if self.on is None:
            return reach
        begun = Q((f"{prefix}valid_from", None)) | Q((f"{prefix}valid_from__lte", self.on))
        # An empty condition takes all, and would be lost in an "or".
        return begun & (reach | Q((f"{prefix}valid_to__lt", self.on))) if reach else begun


def search_units(
    text: str,
    *,
    user: AnyUser | None = None,
    units: AdminUnitQuerySet | None = None,
    on: date | None = None,
    level: int | None = None,
    limit: int = 20,
) -> list[AdminUnit]:
    """The places that the words may mean, best first, each with its parent at hand.

    Among ``units``, and those that ``user`` sees; without either: everywhere. With ``on``, places in force on that day
    alone: one that had closed by then is answered with what came after it. Without, a closed place stands behind those
    in force. What was merged into another place is answered with the other.
    """
    within = AdminUnit.objects.all() if units is None else units
    if user is not None:
        within = within.visible_to(user)
    question = Question(" ".join(text.split()), read_name(text), within, on, level, limit, on or timezone.localdate())
    keys = _find(question) if question.text else []
    answer: dict[int, AdminUnit] = {}
    while keys and len(answer) < limit:
        answer |= {unit.pk: unit for unit in _stand_for(keys[:limit], question) if unit.pk not in answer}
        keys = keys[limit:]
    return list(answer.values())[:limit]


def _find(question: Question) -> list[int]:
    """The keys of the places, best first. What costs more is asked only where the cheaper way found nothing good."""
    name = question.name
    found = list(_by_code(question)) if CODE.fullmatch(question.text) else []
    if _best(found) > Fit.CODE and name.words:
        found += _by_name(question)
    if len(name.words) > 1 and _best(found) > Fit.NAME:
        found += _by_places_above(question)
    if _best(found) not in GOOD and len(name.skeleton) >= LONG_ENOUGH:
        found += _by_slip(question)
    return list(dict.fromkeys(one.key for one in sorted(found)))


def _best(found: Iterable[Found]) -> int:
    return min((one.fit for one in found), default=len(Fit))


def _by_code(question: Question) -> Iterator[Found]:
    start = question.text.upper() if question.text[:2].upper() == "KZ" else question.text
    begins = Q(*(Q((f"{column}__startswith", start)) for column in CODE_COLUMNS), _connector=Q.OR)
    units = AdminUnit.objects.filter(begins, question.reach("")).order_by("level", "code")[: question.limit * WEIGHED]
    for unit in units.values("pk", *CODE_COLUMNS, *UNIT):
        row = {"kind": AliasKind.NAME, **{f"unit__{column}": unit[column] for column in UNIT}}
        whole = start in [unit[column] for column in CODE_COLUMNS]
        yield Found(Fit.CODE if whole else Fit.CODE_BEGINS, _rank(row, question), unit["pk"])


def _by_name(question: Question) -> Iterator[Found]:
    key, skeleton = question.name.key, question.name.skeleton
    fits = {
        Fit.NAME: Q(search_key=key),
        Fit.NAME_BEGINS: Q(search_key__startswith=key),
        Fit.SKELETON: Q(skeleton=skeleton),
        Fit.SKELETON_BEGINS: Q(skeleton__startswith=skeleton),
        Fit.WORD: Q(words__contains=[bare(word) for word in question.name.words]),
    }
    if len(key) == 1:
        # A letter alone begins a third of all names: it lists regions and districts.
        high = list(AdminUnit.objects.filter(level__lte=2).order_by().values_list("pk", flat=True))
        fits = {Fit.NAME: Q(search_key=key), Fit.NAME_BEGINS: Q(search_key__startswith=key, unit__in=high)}
    elif len(skeleton) < LONG_ENOUGH:
        del fits[Fit.SKELETON_BEGINS]
        if len(skeleton) == 1:
            del fits[Fit.WORD]
    fit = Case(*(When(one, then=Value(int(name))) for name, one in fits.items()), output_field=IntegerField())
    rows = AdminUnitAlias.objects.filter(Q(*fits.values(), _connector=Q.OR), question.reach()).annotate(fit=fit)
    rows = rows.order_by("fit", *_order(question), Length("search_key"), "pk")
    for row in rows.values("fit", *COLUMNS)[: question.limit * WEIGHED]:
        away = _distance(row["fit"], key, row["search_key"])
        if row["fit"] not in (Fit.SKELETON, Fit.SKELETON_BEGINS) or away <= max(2, len(key) // 2):
            yield Found(row["fit"], (*_rank(row, question), away), row["unit"])


def _distance(fit: int, key: str, other: str) -> int:
    """As far as it says something about the fit, since it takes time."""
    if fit == Fit.SKELETON:
        return distance(key, other)
    return distance(key, other[: len(key)]) if fit == Fit.SKELETON_BEGINS else abs(len(other) - len(key))


def _by_slip(question: Question) -> Iterator[Found]:
    """One slip in the consonants, and the whole name not much further away than that."""
    name = question.name
    most = max(1, len(name.key) // 3)
    rows = AdminUnitAlias.objects.filter(question.reach(), skeleton__in=near_misses(name.skeleton))
    for row in rows.order_by(*_order(question), "pk").values(*COLUMNS)[: question.limit * WEIGHED]:
        if abs(len(row["search_key"]) - len(name.key)) > most:
            continue
        away = distance(name.key, row["search_key"])
        if away <= most:
            yield Found(Fit.SLIP, (*_rank(row, question), away), row["unit"])


def _by_places_above(question: Question) -> Iterator[Found]:
    """ "Караганда Абай": some of the words name the place, the others places above it."""
    words = {bare(word) for word in question.name.words}
    rows = list(AdminUnitAlias.objects.filter(words__overlap=list(words)).order_by().values(*COLUMNS))
    told: dict[str, set[str]] = {}
    for row in rows:
        told.setdefault(row["unit__unit_id"], set()).update(words.intersection(row["words"]))
    fitting = []
    for row in rows:
        *above, own = row["unit__path"].rstrip("/").split("/")
        told_above = set().union(*(told.get(unit_id, ()) for unit_id in above))
        if told_above and words == told_above | told[own]:
            untold = len(set(row["words"]) - words)
            fitting.append(Found(Fit.PLACES_ABOVE, (untold, *_rank(row, question)), row["unit"]))
    if fitting and (reach := question.reach("")):
        reached = AdminUnit.objects.filter(reach, pk__in={one.key for one in fitting}).values_list("pk", flat=True)
        fitting = [one for one in fitting if one.key in set(reached)]
    yield from fitting


def _order(question: Question) -> list[Any]:
    """The coarse half of `_rank`, for the database to choose by."""
    closed = Q(unit__valid_from__gt=question.day) | Q(unit__valid_to__lt=question.day)
    other_kind = ~Q(unit__unit_type__in=question.name.kinds) if question.name.kinds else None
    whens = [Case(When(one, then=1), default=0, output_field=IntegerField()) for one in (closed, other_kind) if one]
    return [*whens, "unit__level"]


def _rank(row: Mapping[str, Any], question: Question) -> tuple[int, ...]:
    """What decides between places that fit equally well."""
    day, kinds = question.day, question.name.kinds
    in_force = (row["unit__valid_from"] or day) <= day <= (row["unit__valid_to"] or day)
    own = row["kind"] in (AliasKind.NAME, AliasKind.SHORT)
    # "Гурьев" is the city rather than what once was "Guryev region".
    part = not own and not kinds and len(row["name"].split()) > len(row["words"])
    return (
        not in_force,
        bool(kinds) and row["unit__unit_type"] not in kinds,
        part,
        row["unit__level"],
        not own,
        row["kind"] == AliasKind.OLD,
        row["unit__unit_type"] not in CITIES,
    )


def _stand_for(keys: Sequence[int], question: Question) -> list[AdminUnit]:
    """The places; one that is no more is replaced by what stands for it, as far as that may be answered."""
    rows = AdminUnit.objects.select_related("parent").in_bulk(keys)
    found = _redirect([rows[key] for key in keys if key in rows], question)
    if (on := question.on) is not None:
        after = successors_of([unit for unit in found if unit.valid_to and unit.valid_to < on], on)
        found = [one for unit in found for one in after.get(unit.pk, [unit])]
    new = {unit.pk for unit in found} - rows.keys()
    if new and question.is_narrow:
        new -= set(question.within.order_by().filter(pk__in=new).values_list("pk", flat=True))
        found = [unit for unit in found if unit.pk not in new]
    return [unit for unit in found if question.level in (None, unit.level)]


def _redirect(units: Sequence[AdminUnit], question: Question) -> list[AdminUnit]:
    """Merged places by those that they were merged into by the day, a redirect of a redirect as well."""
    found, seen = list(units), set[int]()
    while wanted := {key for unit in found if (key := _target(unit, question.on))} - seen:
        others = AdminUnit.objects.select_related("parent").in_bulk(wanted)
        found = [others.get(_target(unit, question.on) or 0, unit) for unit in found]
        seen |= wanted
    return found


def _target(unit: AdminUnit, on: date | None) -> int | None:
    """Into what the place was merged by the day."""
    return unit.merged_into_id if on is None or (unit.valid_to or on) < on else None
