"""Saying once what a spelling means: it is kept for the round and applied to all that is typed alike, now and later."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pghistory
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from assessments.enums import TypedKind
from assessments.kobo.codes import normalise_code
from assessments.models import (
    AssessmentRound,
    FocusGroupSession,
    KoboForm,
    KoboSubmission,
    MatchAlias,
    RoundTarget,
)
from assessments.permissions import can_match, can_settle
from assessments.querysets import KoboSubmissionQuerySet
from assessments.selectors.typed_words import TYPED_LENGTH, alias_key, alike
from assessments.services.rereading import reread
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.receipts import write_receipt
from training.models import Enumerator

Meant = Enumerator | RoundTarget | FocusGroupSession

# The first half of the advisory lock's key; the second is the round's.
LOCK_SPACE = 0x4D617463
# A receipt names so many forms.
MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Settled:
    """``alike``: forms that name it so and are not approved; ``matched``: those of them that found by it what they had
    not (or, taken back, lost it).
    """

    alias: MatchAlias
    alike: int
    matched: int


def settle(round_: AssessmentRound, kind: str, typed: str, meant: Meant, *, by: User) -> Settled:
    """Keep what the spelling means, and read anew every form of the round that has it, however it is written.

    Refused: outside the user's own places; a code or place that is known as it stands, since it would never be asked;
    where forms from other regions have it, too (then somebody settles it who sees them all); and where somebody was
    quicker. What is approved keeps its match. If the work breaks off after the spelling was kept, the next sync goes
    on with it.
    """
    typed = typed.strip()[:TYPED_LENGTH]
    key = alias_key(kind, typed)
    if isinstance(meant, Enumerator) and meant.merged_into is not None:
        meant = meant.merged_into
    _check(round_, kind, key, typed, meant, by=by)
    with _one_at_a_time(round_):
        _refuse_other_regions(alike(_open_rows(round_), kind, {key}), kind, by=by)
        alias = _write(round_, kind, typed, key, meant, by=by)
        # Once more: a sync may have stored another way of writing it before the spelling was there.
        rows = _fixed(alike(_open_rows(round_), kind, {key}))
        lacking = {pk: str(kobo_id) for pk, kobo_id in _lacking(rows, kind).values_list("pk", "kobo_id")}
        count = _read_anew(rows)
        still = set(_lacking(rows, kind).values_list("pk", flat=True))
    matched = [kobo_id for pk, kobo_id in lacking.items() if pk not in still]
    title = _("“%(typed)s” means %(meant)s. Matched: %(count)s.")
    _note("spelling_settled", title % {"typed": typed, "meant": meant, "count": len(matched)}, matched, alias, by=by)
    return Settled(alias, count, len(matched))


def apply_again(round_: AssessmentRound, kind: str, typed: str, *, by: User) -> Settled:
    """For a spelling that is settled, and forms that were not read since: the work broke off, or they came late."""
    if not can_match(by):
        raise Refused(_("This is outside your places."), code="not_allowed")
    alias = MatchAlias.objects.filter(round=round_, kind=kind, key=alias_key(kind, typed)).first()
    if alias is None:
        raise Refused(_("Somebody took this back already."), code="gone")
    with _one_at_a_time(round_):
        rows = _fixed(alike(_open_rows(round_), kind, {alias.key}))
        before = _lacking(rows, kind).count()
        count = _read_anew(rows)
        return Settled(alias, count, before - _lacking(rows, kind).count())


def take_back(alias: MatchAlias, *, by: User) -> Settled:
    """Forget what the spelling means, and read anew every form that has it: they wait again, those approved aside."""
    if not can_settle(by, meant_by(alias)):
        raise Refused(_("This is outside your places."), code="not_allowed")
    with _one_at_a_time(alias.round):
        rows = _fixed(alike(_open_rows(alias.round), alias.kind, {alias.key}))
        before = set(_lacking(rows, alias.kind).values_list("pk", flat=True))
        with pghistory.context(user=by.pk, reason="spelling_taken_back"):
            gone, _rows = MatchAlias.objects.filter(pk=alias.pk).delete()
        if not gone:
            raise Refused(_("Somebody took this back already."), code="gone")
        count = _read_anew(rows)
        lost = dict(_lacking(rows, alias.kind).exclude(pk__in=before).values_list("pk", "kobo_id"))
    title = _("“%(typed)s” does not mean %(meant)s any more. Waiting again: %(count)s.")
    words = {"typed": alias.typed, "meant": meant_by(alias), "count": len(lost)}
    _note("spelling_taken_back", title % words, [str(one) for one in lost.values()], alias, by=by)
    return Settled(alias, count, len(lost))


def meant_by(alias: MatchAlias) -> Meant:
    found = alias.enumerator or alias.target or alias.focus_group
    if found is None:  # the database refuses it
        raise ValueError("a spelling that means nothing")
    return found


def _check(round_: AssessmentRound, kind: str, key: str, typed: str, meant: Meant, *, by: User) -> None:
    if not can_match(by) or not can_settle(by, meant):
        raise Refused(_("This is outside your places."), code="not_allowed")
    if not key:
        raise Refused(_("Nothing is typed here that could be settled: match each form by hand."), code="nothing_typed")
    if kind != _KINDS[type(meant)]:
        raise Refused(_("Choose what the form asks for."), code="other_kind")
    target = meant if isinstance(meant, RoundTarget) else getattr(meant, "target", None)
    if target is not None and target.round_id != round_.pk:
        raise Refused(_("This belongs to another round."), code="other_round")
    if _is_known(round_, key, typed, meant):
        raise Refused(
            _("“%(typed)s” is known as it stands: it would never be asked what it means.") % {"typed": typed},
            code="known",
        )


_KINDS: dict[type[Any], str] = {
    Enumerator: TypedKind.PERSON,
    RoundTarget: TypedKind.PLACE,
    FocusGroupSession: TypedKind.FOCUS_GROUP,
}


def _is_known(round_: AssessmentRound, key: str, typed: str, meant: Meant) -> bool:
    if isinstance(meant, Enumerator):
        return Enumerator.objects.filter(code__iexact=typed).exists()
    if isinstance(meant, RoundTarget):
        planned = RoundTarget.objects.filter(round=round_, form_kind=meant.form_kind_id)
        return planned.filter(unit__unit_id=typed).exists()
    groups = FocusGroupSession.objects.filter(target__round=round_, target__form_kind=meant.target.form_kind_id)
    return groups.filter(code=normalise_code(key)).exists()


def _open_rows(round_: AssessmentRound) -> KoboSubmissionQuerySet:
    return KoboSubmission.objects.present().filter(form__round=round_, approved_revision=None)


def _fixed(rows: KoboSubmissionQuerySet) -> KoboSubmissionQuerySet:
    """By key: read anew, a form may name something else (where it cannot be kept as it is, nothing)."""
    return KoboSubmission.objects.filter(pk__in=set(rows.order_by().values_list("pk", flat=True)))


def _lacking(rows: KoboSubmissionQuerySet, kind: str) -> KoboSubmissionQuerySet:
    if kind == TypedKind.PERSON:
        return rows.filter(enumerator=None)
    if kind == TypedKind.PLACE:
        return rows.filter(target=None)
    return rows.filter(focus_group=None)


def _refuse_other_regions(rows: KoboSubmissionQuerySet, kind: str, *, by: User) -> None:
    """The same word may mean another village elsewhere. What belongs to nobody yet hinders nobody."""
    seen = KoboSubmission.objects.visible_to(by).order_by().values("pk")
    somewhere = Q(unit__isnull=False) | Q(enumerator__isnull=False)
    if others := _lacking(rows, kind).filter(somewhere).exclude(pk__in=seen).count():
        raise Refused(
            _("%(count)s forms from other regions have this, too: ask an administrator to settle it for all.")
            % {"count": others},
            code="other_regions",
        )


def _write(round_: AssessmentRound, kind: str, typed: str, key: str, meant: Meant, *, by: User) -> MatchAlias:
    column = {TypedKind.PERSON: "enumerator", TypedKind.PLACE: "target"}.get(TypedKind(kind), "focus_group")
    try:
        with transaction.atomic(), pghistory.context(user=by.pk, reason="spelling_settled"):
            return MatchAlias.objects.create(
                round=round_, kind=kind, typed=typed, key=key, settled_by=by, **{column: meant}
            )
    except IntegrityError:
        settled = MatchAlias.objects.filter(round=round_, kind=kind, key=key).first()
        if settled is None:
            raise
        raise Refused(
            _("%(who)s has settled this already: %(alias)s.") % {"who": settled.settled_by, "alias": settled},
            code="settled_already",
        ) from None


def _read_anew(rows: KoboSubmissionQuerySet) -> int:
    """Returns how many there are."""
    keys = set(rows.order_by().values_list("form", flat=True))
    for form in KoboForm.objects.select_related("round", "form_kind").filter(pk__in=keys).order_by("pk"):
        reread(form, rows)
    return rows.count()


def _note(kind: str, title: str, kobo_ids: list[str], alias: MatchAlias, *, by: User) -> None:
    lines = [
        {"what": "submission", "row": kobo_id, "key": kobo_id, "done": str(alias)} for kobo_id in kobo_ids[:MOST_LINES]
    ]
    write_receipt(kind, title, lines, by=by, about=alias.round)


@contextmanager
def _one_at_a_time(round_: AssessmentRound) -> Iterator[None]:
    """Two who settle things of one round wait for each other: the forms say in the end what the spellings say."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_SPACE, round_.pk])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, round_.pk])
