"""Days on which people cannot be sent out."""

from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from training.enums import AbsenceKind
from training.models import Absence, Enumerator
from training.services.periods import check_order, period_words, write_or_refuse


@transaction.atomic
def note_absence(
    enumerator: Enumerator, *, first_day: date, last_day: date, kind: str = AbsenceKind.LEAVE, note: str = ""
) -> Absence:
    """Both days count. Refused in words: days on which the person is absent already."""
    check_order(first_day, last_day)
    row = Absence(enumerator=enumerator, kind=kind, first_day=first_day, last_day=last_day, note=note.strip())
    if refused := overlap(row):
        raise refused
    write_or_refuse(row.save, refusals={"absence_once_a_day": lambda: overlap(row) or _twice(row)})
    return row


@transaction.atomic
def cut_absence(absence: Absence, *, on: date) -> None:
    """``on`` is the last day that counts. An absence that begins later goes."""
    if absence.last_day <= on:
        raise Refused(_("This absence has ended already."), code="ended")
    if absence.first_day > on:
        absence.delete()
        return
    absence.last_day = on
    absence.save(update_fields=["last_day"])


def overlap(row: Absence) -> Refused | None:
    other = (
        Absence.objects.filter(enumerator=row.enumerator, first_day__lte=row.last_day, last_day__gte=row.first_day)
        .exclude(pk=row.pk)
        .first()
    )
    if other is None:
        return None
    return Refused(
        _("%(person)s is absent on some of these days already: %(period)s.")
        % {"person": row.enumerator, "period": period_words(other.first_day, other.last_day)},
        code="absent_already",
    )


def _twice(row: Absence) -> Refused:
    return Refused(_("This person is absent on some of these days already."), code="absent_already")
