"""People by what somebody types: a name in any script and order, a code, some digits of a phone, a Kobo user name."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db.models import Case, F, Func, IntegerField, Q, TextField, Value, When

from dtm_ops.common.spelling import distance, fold, near_misses, skeleton
from locations.querysets import AnyUser
from training.enums import EnumeratorStatus
from training.models import Enumerator
from training.querysets import EnumeratorQuerySet

# Fewer digits are no phone, and a shorter skeleton is one slip away from too many names.
DIGITS: Final = 4
LONG_ENOUGH: Final = 3
# What the database puts first may yet fall behind by its letters.
WEIGHED: Final = 4
_NO_DIGIT: Final = re.compile(r"[\s()+-]+")
COLUMNS: Final = ("pk", "full_name", "other_names", "status")


class Fit(IntEnum):
    CODE = 0
    NAME = 1
    NAME_BEGINS = 2
    IDENTITY = 3
    SLIP = 4


class Found(NamedTuple):
    """The key of a person, behind what it is sorted by."""

    fit: int
    has_left: bool
    away: int
    name: str
    key: int


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    words: tuple[str, ...]
    skeletons: tuple[str, ...]
    people: EnumeratorQuerySet
    limit: int


def search_people(
    text: str, *, user: AnyUser | None = None, people: EnumeratorQuerySet | None = None, limit: int = 20
) -> list[Enumerator]:
    """The people that the words may mean, best first; who has left stands behind the others.

    Among ``people``, and those that ``user`` sees. Each word has to begin a word of one of the person's names, in any
    order; where nobody is found so, one word may have one slip. Who was merged into another person is answered with
    the other, as far as the other may be.
    """
    within = Enumerator.objects.all() if people is None else people
    if user is not None:
        within = within.visible_to(user)
    typed = " ".join(text.split())
    question = Question(typed, tuple(fold(typed).split()), tuple(skeleton(typed).split()), within.order_by(), limit)
    found = list(_by_code(question)) + list(_by_name(question)) if typed else []
    if typed and not any(one.fit <= Fit.IDENTITY for one in found):
        found += _by_slip(question)
    keys = list(dict.fromkeys(one.key for one in sorted(found)))[:limit]
    return _follow_merged(keys, within)


def _by_code(question: Question) -> Iterator[Found]:
    text, digits = question.text, _NO_DIGIT.sub("", question.text)
    match = Q(code__istartswith=text) | Q(kobo_username__istartswith=text) | Q(email__istartswith=text)
    if digits.isdigit() and len(digits) >= DIGITS:
        # 8 701 ... is how the country dials +7 701 ...
        match |= Q(phone__contains=digits) | Q(phone__endswith=digits[1:] if digits[0] == "8" else digits)
    if len(text) >= LONG_ENOUGH:
        match |= Q(organisation__icontains=text)
    rows = question.people.filter(match).order_by("code").values("code", "kobo_username", *COLUMNS)
    for row in rows[: question.limit]:
        exact = text.casefold() in (row["code"].casefold(), row["kobo_username"].casefold())
        yield _found(Fit.CODE if exact else Fit.IDENTITY, row, question)


def _by_name(question: Question) -> Iterator[Found]:
    if not question.skeletons:
        return
    begins = _all_of(f" {word}" for word in question.skeletons)
    whole = _all_of(f" {word} " for word in question.skeletons)
    fit = Case(When(whole, then=int(Fit.NAME)), default=int(Fit.NAME_BEGINS), output_field=IntegerField())
    rows = question.people.filter(begins).annotate(fit=fit).order_by("fit", "full_name", "pk")
    for row in rows.values("fit", *COLUMNS)[: question.limit * WEIGHED]:
        yield _found(row["fit"], row, question)


def _by_slip(question: Question) -> Iterator[Found]:
    """One slip in one of the words; the others have to begin a word of a name."""
    words = Func(F("search_key"), Value(" "), function="string_to_array", output_field=ArrayField(TextField()))
    people = question.people.annotate(name_words=words)
    either = Q(pk__in=[])
    for number, word in enumerate(question.skeletons):
        if len(word) >= LONG_ENOUGH:
            others = question.skeletons[:number] + question.skeletons[number + 1 :]
            slip = Q(name_words__overlap=sorted(near_misses(word)))
            either |= slip & _all_of(f" {other}" for other in others)
    rows = people.filter(either).order_by("full_name", "pk").values(*COLUMNS)
    for row in rows[: question.limit * WEIGHED]:
        found = _found(Fit.SLIP, row, question)
        if found.away <= 2 * len(question.words):
            yield found


def _all_of(parts: Iterable[str]) -> Q:
    return Q(*(Q(search_key__contains=part) for part in parts))


def _found(fit: int, row: Mapping[str, Any], question: Question) -> Found:
    names = {word for name in (row["full_name"], *row["other_names"]) for word in fold(name).split()}
    away = sum(min((distance(word, name) for name in names), default=len(word)) for word in question.words)
    return Found(fit, row["status"] == EnumeratorStatus.LEFT, away, row["full_name"], row["pk"])


def _follow_merged(keys: list[int], within: EnumeratorQuerySet) -> list[Enumerator]:
    people = Enumerator.objects.select_related("home_unit").in_bulk(keys)
    targets = {person.merged_into_id for person in people.values() if person.merged_into_id}
    if targets:
        people |= within.order_by().select_related("home_unit").in_bulk(targets)
    found = [people[key] for key in keys if key in people]
    answered = (people.get(person.merged_into_id or person.pk, person) for person in found)
    return list({person.pk: person for person in answered}.values())
