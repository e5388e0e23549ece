"""What people are known by: other numbers, and better dates, by hand. Those in use now the database keeps itself."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from training.enums import OWN_IDENTITIES, IdentityKind
from training.models import Enumerator, EnumeratorIdentity
from training.phones import normalise_phone
from training.services.periods import check_order, period_words, write_or_refuse

# The column of the person that holds the identity in use now.
COLUMN_OF = {
    IdentityKind.PHONE: "phone",
    IdentityKind.EMAIL: "email",
    IdentityKind.KOBO: "kobo_username",
    IdentityKind.LOGIN: "user",
}


@transaction.atomic
def attach_identity(
    enumerator: Enumerator,
    *,
    kind: str,
    value: str = "",
    user: User | None = None,
    valid_from: date | None = None,
    valid_to: date | None = None,
    note: str = "",
) -> EnumeratorIdentity:
    """Say by what else a person was or is known. The columns of the person stay as they are.

    Refused in words: a login or a Kobo user name that is another person's, or this one's already, on some of the days.
    """
    check_order(valid_from, valid_to)
    row = EnumeratorIdentity(
        enumerator=enumerator,
        kind=kind,
        value=clean_value(kind, value),
        user=user if kind == IdentityKind.LOGIN else None,
        valid_from=valid_from,
        valid_to=valid_to,
        note=note.strip(),
    )
    if kind == IdentityKind.LOGIN and user is None:
        raise Refused(_("A login names a user; everything else has a value."), code="no_user")
    if other := holder_at_the_same_time(row):
        raise taken(other)
    write_or_refuse(
        row.save, refusals={"identity_of_one_person_at_a_time": lambda: taken(holder_at_the_same_time(row))}
    )
    return row


@transaction.atomic
def end_identity(identity: EnumeratorIdentity, *, on: date) -> None:
    """``on`` is the last day. What is in use now ends with its column blank, so its last day is no day to come.

    One that would have begun later never began: the row goes (its history stays).
    """
    if identity.valid_to is not None and identity.valid_to <= on:
        raise Refused(_("It has ended already."), code="ended")
    column = COLUMN_OF[IdentityKind(identity.kind)]
    person = Enumerator.objects.select_for_update(no_key=True).get(pk=identity.enumerator_id)
    is_current = is_in_use(identity)
    if is_current and on > timezone.localdate():
        raise Refused(_("That day is still to come: end it on its day."), code="day_to_come")
    if identity.valid_from is not None and identity.valid_from > on:
        identity.delete()
    else:
        identity.valid_to = on
        identity.save(update_fields=["valid_to"])
    if is_current:
        # After the row: the database closes only what is still open.
        setattr(person, column, None if column == "user" else "")
        person.save(update_fields=[column])


def is_in_use(identity: EnumeratorIdentity) -> bool:
    """Whether it is the one in the person's column, which the database keeps."""
    column = COLUMN_OF[IdentityKind(identity.kind)]
    now = getattr(identity.enumerator, column)
    return identity.valid_to is None and now == (identity.user if column == "user" else identity.value)


def reopen_identities(people: Iterable[Enumerator]) -> int:
    """Before columns are filled again: what the same person gave up so lately that no day lies between goes on.

    Without this the database would see the same account twice on the day of the change. Returns how many were reopened.
    """
    now = {(one.pk, *used) for one in people for used in ((one.kobo_username, None), ("", one.user_id))}
    ended = EnumeratorIdentity.objects.filter(
        kind__in=OWN_IDENTITIES, enumerator__in={pk for pk, _name, _user in now}, valid_to__gte=day_in_the_database()
    )
    again = [row.pk for row in ended if (row.enumerator_id, row.value, row.user_id) in now]
    return EnumeratorIdentity.objects.filter(pk__in=again).update(valid_to=None) if again else 0


def day_in_the_database() -> date:
    """The first day of what comes into use now. There a day is UTC's: early in the morning the desk has another."""
    return datetime.now(UTC).date()


def clean_value(kind: str, value: str) -> str:
    """As we keep it; refuses in words what is no phone, no e-mail, or nothing."""
    if kind == IdentityKind.LOGIN:
        return ""
    if not value.strip():
        raise Refused(_("Write what the person is known by."), code="no_value")
    try:
        if kind == IdentityKind.PHONE:
            return normalise_phone(value)
        if kind == IdentityKind.EMAIL:
            validate_email(value.strip())
    except ValueError as error:
        raise Refused(str(error), code="wrong_value") from None
    except ValidationError as error:
        raise Refused(" ".join(error.messages), code="wrong_value") from None
    return value.strip()


def holder_at_the_same_time(row: EnumeratorIdentity) -> EnumeratorIdentity | None:
    """Another row of the same login or Kobo user name that shares a day with this one. Phones may be shared."""
    if row.kind not in OWN_IDENTITIES:
        return None
    others = EnumeratorIdentity.objects.filter(kind=row.kind, value=row.value, user=row.user).exclude(pk=row.pk)
    if row.valid_from:
        others = others.filter(Q(valid_to=None) | Q(valid_to__gte=row.valid_from))
    if row.valid_to:
        others = others.filter(Q(valid_from=None) | Q(valid_from__lte=row.valid_to))
    return others.select_related("enumerator").first()


def taken(other: EnumeratorIdentity | None) -> Refused:
    if other is None:  # gone again between the refusal and the look at it
        return Refused(_("This is another person's at the same time."), code="taken")
    return Refused(
        _("It is %(person)s's at the same time: %(period)s.")
        % {"person": other.enumerator, "period": period_words(other.valid_from, other.valid_to)},
        code="taken",
    )
