"""Who was known by what, on a day."""

from datetime import date

from training.enums import IdentityKind
from training.models import Enumerator, EnumeratorIdentity
from training.phones import normalise_phone


def person_known_as(kind: str, value: str, on: date) -> Enumerator | None:
    """The one person who was known by it that day. None: nobody, or (a shared phone) more than one.

    For a login ``value`` is the user name. An entry that was merged answers with the one it was merged into.
    """
    rows = EnumeratorIdentity.objects.filter(kind=kind).on(on)
    if kind == IdentityKind.LOGIN:
        rows = rows.filter(user__username=value)
    elif kind == IdentityKind.PHONE:
        try:
            rows = rows.filter(value=normalise_phone(value))
        except ValueError:
            return None
    elif kind == IdentityKind.EMAIL:
        rows = rows.filter(value__iexact=value.strip())
    else:
        rows = rows.filter(value=value.strip())
    people = {row.enumerator.merged_into or row.enumerator for row in rows.select_related("enumerator__merged_into")}
    return people.pop() if len(people) == 1 else None


def kobo_accounts() -> dict[str, list[tuple[date | None, date | None, int]]]:
    """By Kobo user name: first day, last day, key of the person. One query for all; for whoever reads many rows."""
    accounts: dict[str, list[tuple[date | None, date | None, int]]] = {}
    rows = EnumeratorIdentity.objects.filter(kind=IdentityKind.KOBO).order_by()
    for name, first, last, person, merged in rows.values_list(
        "value", "valid_from", "valid_to", "enumerator_id", "enumerator__merged_into_id"
    ):
        accounts.setdefault(name, []).append((first, last, merged or person))
    return accounts
