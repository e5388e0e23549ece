"""Entries of the roster that may be the same person: by phone, by e-mail, by name in any script.

People are put into buckets by what could make them equal, and only within a bucket are two compared: ten thousand
entries take three queries and about a second.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Final

from django.contrib.contenttypes.models import ContentType
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.spelling import bare, distance, fold
from dtm_ops.records.models import Receipt
from locations.querysets import AnyUser
from training.models import Enumerator

# Kind of the receipt that says "these are two people".
TWO_PEOPLE: Final = "two_people"

SAME_PHONE, SAME_EMAIL, SAME_NAME, NEAR_NAME, SAME_REGION = 60, 60, 60, 40, 20
# Below it a pair is no suggestion: a name that is only near, of people of different regions.
ENOUGH: Final = 55
# A shared phone of an office, a bucket of the commonest name: comparing all with all would drown the list.
MOST_IN_A_BUCKET: Final = 60

_REASONS: dict[str, Promise] = {
    "phone": _("same phone"),
    "email": _("same e-mail"),
    "name": _("same name"),
    "near": _("nearly the same name"),
    "region": _("same region"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries, the older first. ``score`` 0 to 100."""

    first: Enumerator
    second: Enumerator
    score: int
    reasons: tuple[str, ...]

    @property
    def words(self) -> list[Promise]:
        return [_REASONS[one] for one in self.reasons]


def suggest_duplicates(user: AnyUser) -> list[Pair]:
    """Pairs of entries that the user reaches both of, the likeliest first. Without those told to be two people, and
    without entries that were merged.
    """
    people = list(
        Enumerator.objects.visible_to(user).filter(merged_into=None).select_related("home_unit").order_by("pk")
    )
    told = two_people()
    found = (
        pair
        for one, other in _candidates(people)
        if (one.pk, other.pk) not in told and (pair := compare(one, other)) is not None
    )
    return sorted(found, key=lambda pair: (-pair.score, pair.first.code, pair.second.code))


def two_people() -> set[tuple[int, int]]:
    """The pairs of keys, the lower first, of which somebody said that they are two people."""
    about = ContentType.objects.get_for_model(Enumerator)
    receipts = Receipt.objects.filter(kind=TWO_PEOPLE, subject_type=about).values_list("subject_id", "lines")
    return {(first, int(line["key"])) for first, lines in receipts for line in lines if first is not None}


def compare(one: Enumerator, other: Enumerator) -> Pair | None:
    """None: too little speaks for one person."""
    points: list[tuple[str, int]] = []
    if one.phone and one.phone == other.phone:
        points.append(("phone", SAME_PHONE))
    if one.email and one.email.casefold() == other.email.casefold():
        points.append(("email", SAME_EMAIL))
    likeness = max((_alike(mine, theirs) for mine in _spellings(one) for theirs in _spellings(other)), default=0)
    if likeness:
        points.append(("name" if likeness == SAME_NAME else "near", likeness))
    if points and _region(one) == _region(other):
        points.append(("region", SAME_REGION))
    score = min(100, sum(number for _reason, number in points))
    if score < ENOUGH:
        return None
    first, second = sorted((one, other), key=lambda person: person.pk)
    return Pair(first, second, score, tuple(reason for reason, _number in points))


def _candidates(people: Iterable[Enumerator]) -> Iterator[tuple[Enumerator, Enumerator]]:
    """Pairs that share a bucket, each once, by key."""
    buckets: dict[tuple[str, ...], list[Enumerator]] = defaultdict(list)
    for person in people:
        for key in _keys(person):
            buckets[key].append(person)
    seen: set[tuple[int, int]] = set()
    for bucket in buckets.values():
        if len(bucket) > MOST_IN_A_BUCKET:
            continue
        for one, other in combinations(bucket, 2):
            if (one.pk, other.pk) not in seen:
                seen.add((one.pk, other.pk))
                yield one, other


def _keys(person: Enumerator) -> set[tuple[str, ...]]:
    """One skeleton of a name with the first sound of another: it survives a slip in that other word."""
    keys: set[tuple[str, ...]] = set()
    if person.phone:
        keys.add(("phone", person.phone))
    if person.email:
        keys.add(("email", person.email.casefold()))
    for name in _spellings(person):
        words = [bare(word) for word in _folded(name)]
        keys |= {("name", word) for word in words if len(words) == 1}
        keys |= {("name", word, other[:1]) for word in words for other in words if word != other and len(word) > 1}
    return keys


def _spellings(person: Enumerator) -> tuple[str, ...]:
    return (person.full_name, *person.other_names)


def _alike(mine: str, theirs: str) -> int:
    """Every word of the shorter name has its like in the longer one: a patronymic may be missing, the order differ."""
    few, many = sorted((_folded(mine), _folded(theirs)), key=len)
    if not few or (len(few) == 1) != (len(many) == 1):
        return 0
    left, slips = list(many), 0
    for word in few:
        nearest = min(left, key=lambda other: _gap(word, other))
        gap = _gap(word, nearest)
        if gap > _slips_allowed(word):
            return 0
        slips += gap
        left.remove(nearest)
    return SAME_NAME if not slips else NEAR_NAME if slips <= 2 else 0


def _slips_allowed(word: str) -> int:
    """In a short word another letter is another name."""
    return 0 if len(word) < 4 else 1 if len(word) < 8 else 2


@lru_cache(maxsize=100_000)
def _gap(one: str, other: str) -> int:
    if one == other:
        return 0
    # The same consonants: Marat and Murat may be two people, and may be one person heard twice.
    return 1 if len(bare(one)) > 2 and bare(one) == bare(other) else distance(one, other)


@lru_cache(maxsize=100_000)
def _folded(name: str) -> tuple[str, ...]:
    return tuple(fold(name).split())


def _region(person: Enumerator) -> str:
    return "/".join(person.home_unit.path.split("/")[:2])
