"""Two entries of the roster turn out to be one person.

Everything that points at the entry that goes moves to the one that stays, in every app, found by the models themselves:
a new table that points at people is merged without a line here. What cannot move, because the one that stays has its
own, remains with the other, and is told. Nothing is deleted.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pghistory.models
from django.db import models, transaction
from django.db.utils import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt
from dtm_ops.records.receipts import write_receipt
from training.enums import SEATED, EnrolmentStatus, EnumeratorStatus
from training.models import Enumerator, TeamMembership
from training.selectors.duplicates import TWO_PEOPLE, two_people
from training.services.enrolment import reply
from training.services.roster import change_enumerator_status
from training.services.teams import leave_team

RECEIPT = "merge"

Line = dict[str, str]
Prepare = Callable[[Enumerator, Enumerator], Iterable[Line]]

# What the one that stays takes over where its own is blank.
FILLED = (
    "phone",
    "email",
    "organisation",
    "terms_of_reference",
    "kobo_username",
    "user",
    "contract_from",
    "contract_to",
)


@transaction.atomic
def merge_people(
    keep: Enumerator, drop: Enumerator, *, by: User, reason: str, prepare: Prepare | None = None
) -> Receipt:
    """``drop`` leaves as a redirect to ``keep``. Two who merge at one time: one is told.

    ``prepare`` is what a higher app does first with rows of its own that both have; it returns lines of the receipt.

    Refused: an entry with itself, one that was merged before, and into somebody who has left while the other has not.
    """
    # Without joins: a row that waited for its lock comes with its own columns of now, and what it points at of then.
    people = Enumerator.objects.select_for_update(no_key=True)
    locked = {one.pk: one for one in people.filter(pk__in=(keep.pk, drop.pk)).order_by("pk")}
    staying, going = locked[keep.pk], locked[drop.pk]
    _check(staying, going, reason)
    lines = [*(prepare(staying, going) if prepare else ()), *_end_what_both_have(staying, going, by=by)]
    lines += [line for relation in pointing_at_people() for line in _move(relation, going, staying)]
    # After the rows: what the one that goes was known by is the other's by now, and its columns only follow.
    lines += _fill(staying, going)
    words = _("Merged into %(code)s: %(reason)s") % {"code": staying.code, "reason": reason.strip()}
    if going.status != EnumeratorStatus.LEFT:
        change_enumerator_status(going, EnumeratorStatus.LEFT, by=by, reason=words)
    going.merged_into = staying
    going.save(update_fields=["merged_into"])
    keep.refresh_from_db()
    drop.refresh_from_db()
    title = _("%(drop)s was merged into %(keep)s: %(reason)s")
    told = title % {"drop": going, "keep": staying, "reason": reason.strip()}
    return write_receipt(RECEIPT, told, lines, by=by, about=staying)


@transaction.atomic
def note_two_people(one: Enumerator, other: Enumerator, *, by: User) -> None:
    """They are not suggested as one person again. Said twice changes nothing."""
    first, second = sorted((one, other), key=lambda person: person.pk)
    if first.pk == second.pk:
        raise Refused(_("That is one entry."), code="same_person")
    if (first.pk, second.pk) in two_people():
        return
    title = _("%(first)s and %(second)s are two people") % {"first": first, "second": second}
    line = _line(second, str(second), _("not suggested as one person again"))
    write_receipt(TWO_PEOPLE, title, [line], by=by, about=first)


def pointing_at_people() -> list[tuple[type[models.Model], str]]:
    """Every column of every app that points at a person; the tables of history aside, which tell what was."""
    relations = [
        (relation.related_model, relation.field.name)
        for relation in Enumerator._meta.get_fields(include_hidden=True)
        if isinstance(relation, models.ForeignObjectRel)
        and isinstance(relation.related_model, type)
        and not issubclass(relation.related_model, pghistory.models.Event)
    ]
    return sorted(relations, key=lambda one: (one[0]._meta.label, one[1]))


def _check(keep: Enumerator, drop: Enumerator, reason: str) -> None:
    if not reason.strip():
        raise Refused(_("Say why they are one person."), code="reason_missing")
    if keep.pk == drop.pk:
        raise Refused(_("That is one entry."), code="same_person")
    for one in (keep, drop):
        if one.merged_into is not None:
            raise Refused(
                _("%(person)s was merged into %(other)s already.") % {"person": one, "other": one.merged_into},
                code="merged_already",
            )
    if keep.status == EnumeratorStatus.LEFT and drop.status != EnumeratorStatus.LEFT:
        raise Refused(
            _("%(person)s has left: keep the other entry, or take them back first.") % {"person": keep}, code="left"
        )


def _end_what_both_have(keep: Enumerator, drop: Enumerator, *, by: User) -> Iterator[Line]:
    """One person takes one seat, and is in one team: the second seat is freed, the second membership ends."""
    seats = drop.enrolments.filter(status__in=(*SEATED, EnrolmentStatus.WAITING), attendances=None)
    for row in seats.filter(training_session__enrolments__enumerator=keep).select_related("training_session"):
        reply(row, accepts=False, note=_("entered twice"), by=by)
        yield _line(row, str(row.training_session), _("the second seat of the same person is free"))
    today = timezone.localdate()
    if TeamMembership.objects.on(today).filter(enumerator=keep).exists():
        for member in TeamMembership.objects.on(today).filter(enumerator=drop, valid_to=None).select_related("team"):
            leave_team(member, on=today)
            yield _line(member, str(member.team), _("the second membership ends today"))


def _line(row: models.Model, words: str, done: str) -> Line:
    return {"what": str(row._meta.verbose_name), "row": words, "key": str(row.pk), "done": done}


def _move(relation: tuple[type[models.Model], str], drop: Enumerator, keep: Enumerator) -> Iterator[Line]:
    """All at once; where the database refuses, row by row, and what stays behind is told with its words."""
    model, column = relation
    rows = model._base_manager.filter(**{column: drop})
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    moved, stayed = keys, []
    if keys and not _try(rows, column, keep):
        moved = [key for key in keys if _try(rows.filter(pk=key), column, keep)]
        stayed = [key for key in keys if key not in set(moved)]
    name = str(model._meta.verbose_name_plural)
    if moved:
        told = ", ".join(str(key) for key in moved)
        count = _("%(count)s rows") % {"count": len(moved)}
        yield {"what": name, "row": count, "key": told, "done": _("now %(code)s's") % {"code": keep.code}}
    for row in model._base_manager.filter(pk__in=stayed).order_by("pk"):
        done = _("stays with %(drop)s: %(keep)s has one of their own there") % {"drop": drop.code, "keep": keep.code}
        yield _line(row, str(row), done)


def _try(rows: models.QuerySet[Any], column: str, keep: Enumerator) -> bool:
    try:
        with transaction.atomic():
            rows.update(**{column: keep})
    except IntegrityError:
        return False
    return True


def _fill(keep: Enumerator, drop: Enumerator) -> list[Line]:
    """The columns. Of contacts that both have, the kept one's stay; the other's remain among the identities."""
    taken = {name: getattr(drop, name) for name in FILLED if getattr(drop, name) and not getattr(keep, name)}
    if keep.contract_from or keep.contract_to:
        taken = {name: value for name, value in taken.items() if not name.startswith("contract_")}
    second_login = drop.user if drop.user is not None and keep.user is not None else None
    drop.kobo_username, drop.user = "", None
    drop.save(update_fields=["kobo_username", "user"])
    names = [name for name in (drop.full_name, *drop.other_names) if name != keep.full_name]
    for name, value in taken.items():
        setattr(keep, name, value)
    keep.other_names = list(dict.fromkeys([*keep.other_names, *names]))
    keep.languages = list(dict.fromkeys([*keep.languages, *drop.languages]))
    keep.has_vehicle = keep.has_vehicle or drop.has_vehicle
    keep.save(update_fields=[*taken, "other_names", "languages", "has_vehicle"])
    what = str(Enumerator._meta.verbose_name)
    lines = [
        {
            "what": what,
            "row": str(getattr(Enumerator._meta.get_field(name), "verbose_name", name)),
            "key": name,
            "done": _("taken over: %(value)s") % {"value": value},
        }
        for name, value in taken.items()
    ]
    if second_login is not None:
        done = _("a second login of the same person, still on: an administrator decides")
        lines.append({"what": _("login"), "row": str(second_login), "key": str(second_login.pk), "done": done})
    return lines
