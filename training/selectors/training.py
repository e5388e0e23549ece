"""Questions about the roster."""

from datetime import date

from django.db.models import Exists, OuterRef

from locations.models import AdminUnit
from training.enums import ATTENDED
from training.models import Attendance, Certificate, Enumerator, FormKind, TrainingHalfDay, TrainingSession
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


def who_missed(training_session: TrainingSession) -> dict[Enumerator, list[TrainingHalfDay]]:
    """The enrolled people who get no certificate, by code, each with the half-days that they missed.

    Not recorded counts as missed: the certificate stands on the record.
    """
    half_days = list(training_session.half_days.all())
    there = set(
        Attendance.objects.filter(enrolment__training_session=training_session, state__in=ATTENDED).values_list(
            "enrolment__enumerator_id", "half_day_id"
        )
    )
    people = Enumerator.objects.filter(enrolments__training_session=training_session).order_by("code")
    missed = {person: [day for day in half_days if (person.pk, day.pk) not in there] for person in people}
    return {person: days for person, days in missed.items() if days}
