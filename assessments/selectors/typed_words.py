"""What forms name as person, place and focus group: as typed, and what two spellings of the same have in common."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from django.db.models import Q

from assessments.enums import TypedKind
from assessments.kobo.codes import normalise_code
from assessments.models import MatchAlias
from assessments.querysets import KoboSubmissionQuerySet
from dtm_ops.common.spelling import fold

# As far as the columns hold.
TYPED_LENGTH: Final = 100

# By kind and key the row that is meant: a person, the place of a target, a focus group.
Settled = dict[str, dict[str, int]]


def alias_key(kind: str, typed: str) -> str:
    """What two spellings of the same have in common. "" only where nothing is typed."""
    typed = typed.strip()[:TYPED_LENGTH]
    if kind == TypedKind.FOCUS_GROUP:
        return normalise_code(typed)[:TYPED_LENGTH]
    return (fold(typed) or typed)[:TYPED_LENGTH]


def person_word(typed: str, account: str) -> str:
    """By what a person can be settled: the name in the form, else the account that sent it."""
    return typed.strip() or account.strip()


def settled_words(round_id: int) -> Settled:
    """One query. An entry that was merged stands for the one it was merged into.

    Of a target the place counts: what people call it is the same in the forms of every kind.
    """
    settled: Settled = {kind: {} for kind in TypedKind.values}
    meant: list[Any]
    for kind, key, *meant in MatchAlias.objects.filter(round=round_id).values_list(
        "kind", "key", "enumerator__merged_into", "enumerator", "target__unit", "focus_group"
    ):
        settled[kind][key] = next(pk for pk in meant if pk is not None)
    return settled


def changed_words(before: Settled, after: Settled) -> Mapping[str, set[str]]:
    """The keys that mean another thing now, or nothing any more."""
    return {
        kind: {key for key in before[kind].keys() | after[kind].keys() if before[kind].get(key) != after[kind].get(key)}
        for kind in after
    }


def alike(rows: KoboSubmissionQuerySet, kind: str, keys: Collection[str]) -> KoboSubmissionQuerySet:
    """Those of the rows that name it in one of these ways. One query of its own: keys are made here, not stored."""
    if kind == TypedKind.PERSON:
        pairs = set(rows.order_by().values_list("typed_person", "submitted_by").distinct())
        found = [pair for pair in pairs if alias_key(kind, person_word(*pair)) in keys]
        typed = {word for word, _account in found if word.strip()}
        accounts = {account for word, account in found if not word.strip()}
        return rows.filter(Q(typed_person__in=typed) | Q(typed_person="", submitted_by__in=accounts))
    column = "typed_place" if kind == TypedKind.PLACE else "typed_focus_group"
    words = set(rows.order_by().values_list(column, flat=True).distinct())
    return rows.filter(**{f"{column}__in": {word for word in words if word and alias_key(kind, word) in keys}})
