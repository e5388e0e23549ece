"""Questions about the roster."""

from datetime import date

from django.db.models import Exists, OuterRef

from locations.models import AdminUnit
from training.models import Certificate, Enumerator, FormKind
from training.querysets import EnumeratorQuerySet


def certified_enumerators(
    form_kind: FormKind, version: int, on_date: date, unit: AdminUnit | None = None
) -> EnumeratorQuerySet:
    """Who may be sent out with a form: active, with a certificate for its major version that holds on that day.

    ``unit`` narrows to people at home in the unit's region (level 1).
    """
    proof = Certificate.objects.valid_on(on_date).filter(
        enumerator=OuterRef("pk"), form_kind=form_kind, major_version=version
    )
    people = Enumerator.objects.active().filter(Exists(proof))
    if unit is not None:
        region = "".join(f"{part}/" for part in unit.path.split("/")[:2])
        people = people.filter(home_unit__path__startswith=region)
    return people
