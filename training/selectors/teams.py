"""Who belonged to a team, and who led it, on a day or in a period."""

from datetime import date

from django.db.models import Q

from locations.models import AdminUnit
from training.models import Enumerator, Team, TeamMembership


def team_lead(where: Team | AdminUnit, on: date) -> Enumerator | None:
    """Who led the team, or the team that works for the place (the nearest place above, if it has none), on that day."""
    found = team_leads(where, first=on, last=on)
    return found[0].enumerator if found else None


def team_leads(where: Team | AdminUnit, *, first: date, last: date) -> list[TeamMembership]:
    """Everybody who led in those days (both count), the earliest first: "who led Turkistan in Q2"."""
    rows = TeamMembership.objects.filter(
        Q(valid_to=None) | Q(valid_to__gte=first), valid_from__lte=last, is_lead=True
    ).select_related("enumerator", "team__unit")
    if isinstance(where, Team):
        return list(rows.filter(team=where).order_by("valid_from"))
    way = where.path.rstrip("/").split("/")
    found = list(rows.filter(team__unit__unit_id__in=way).order_by("valid_from", "team__code"))
    nearest = max((row.team.unit.level for row in found), default=None)
    return [row for row in found if row.team.unit.level == nearest]
