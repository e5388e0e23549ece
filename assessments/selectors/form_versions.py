"""Who still uses a version of a form that has been replaced."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Max, Min
from django.utils import timezone

from assessments.models import KoboFormVersion, KoboSubmission
from locations.permissions import AnyUser
from training.models import Enumerator


@dataclass(frozen=True, slots=True)
class LateUser:
    """``person`` None: nobody of the roster; ``submitted_by``: Kobo's account then, or "". Days are of the forms."""

    person: Enumerator | None
    submitted_by: str
    forms: int
    first_day: date
    last_day: date


def outdated_after(version: KoboFormVersion) -> date | None:
    """The last day on which the version was the right one: as an administrator says, else that of its successor's
    deployment. None: it is in the field.
    """
    if version.last_accepted_on is not None:
        return version.last_accepted_on
    if version.deployed_at is None:
        return None
    later = KoboFormVersion.objects.filter(form_id=version.form_id, deployed_at__gt=version.deployed_at)
    deployed = later.aggregate(first=Min("deployed_at"))["first"]
    return timezone.localtime(deployed).date() if deployed else None


def late_users(version: KoboFormVersion, *, user: AnyUser) -> list[LateUser]:
    """Who has filled how many forms with it since, most forms first; of those within the reader's reach."""
    last_day = outdated_after(version)
    if last_day is None:
        return []
    late: Any = KoboSubmission.objects.present().filter(
        form_id=version.form_id, current_revision__form_version=version, day__gte=last_day + timedelta(days=1)
    )
    rows = list(
        late.visible_to(user)
        .order_by()
        .values("enumerator", "submitted_by")
        .annotate(forms=Count("pk"), first_day=Min("day"), last_day=Max("day"))
    )
    people = Enumerator.objects.in_bulk({row["enumerator"] for row in rows if row["enumerator"]})
    found: dict[Any, LateUser] = {}
    for row in rows:
        person = people.get(row["enumerator"])
        account = "" if person else row["submitted_by"]
        one = LateUser(person, account, row["forms"], row["first_day"], row["last_day"])
        before = found.get(person or account)
        found[person or account] = _together(before, one) if before else one
    return sorted(found.values(), key=lambda one: (-one.forms, str(one.person or one.submitted_by)))


def _together(one: LateUser, other: LateUser) -> LateUser:
    """Somebody who sent by several accounts."""
    return LateUser(
        one.person,
        one.submitted_by,
        one.forms + other.forms,
        min(one.first_day, other.first_day),
        max(one.last_day, other.last_day),
    )
