"""Who belongs to a team, and who leads it, each with days. Nothing is overwritten: who led then is asked later."""

from datetime import date

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from training.enums import EnumeratorStatus
from training.models import Enumerator, Team, TeamMembership
from training.querysets import TeamMembershipQuerySet
from training.services.periods import ONE_DAY, check_order, period_words, write_or_refuse


@transaction.atomic
def join_team(
    team: Team, enumerator: Enumerator, *, valid_from: date, valid_to: date | None = None, is_lead: bool = False
) -> TeamMembership:
    """Both days count. Refused: who is in a team on some of these days, a second lead, a closed team, who has left."""
    check_order(valid_from, valid_to)
    if team.closed_on is not None and (valid_to is None or valid_to > team.closed_on):
        raise Refused(_("%(team)s was closed.") % {"team": team}, code="team_closed")
    if enumerator.status == EnumeratorStatus.LEFT and valid_to is None:
        raise Refused(_("%(person)s has left.") % {"person": enumerator}, code="left")
    row = TeamMembership(team=team, enumerator=enumerator, is_lead=is_lead, valid_from=valid_from, valid_to=valid_to)
    if refused := overlap(row):
        raise refused
    return _write(row)


@transaction.atomic
def leave_team(membership: TeamMembership, *, on: date) -> None:
    """``on`` is the last day. A membership that would have begun later never began: its row goes."""
    if membership.valid_to is not None and membership.valid_to <= on:
        raise Refused(_("This membership has ended already."), code="ended")
    if membership.valid_from > on:
        membership.delete()
        return
    membership.valid_to = on
    membership.save(update_fields=["valid_to"])


@transaction.atomic
def hand_over_lead(team: Team, *, to: Enumerator, on: date) -> TeamMembership:
    """From ``on`` the team has another lead. The old one stays a member; who was no member joins."""
    now = list(team.memberships.select_for_update().on(on).select_related("enumerator"))
    old = next((row for row in now if row.is_lead), None)
    if old is not None and old.enumerator_id == to.pk:
        raise Refused(_("%(person)s leads this team already.") % {"person": to}, code="leads_already")
    if old is not None:
        _split(old, on=on, is_lead=False)
    member = next((row for row in now if row.enumerator_id == to.pk), None)
    return _split(member, on=on, is_lead=True) if member else join_team(team, to, valid_from=on, is_lead=True)


def overlap(row: TeamMembership) -> Refused | None:
    """What the database would refuse, in words: the person in a team, or the team with a lead, on some of the days."""
    others = _sharing_days(row).select_related("team", "enumerator")
    own = others.filter(enumerator=row.enumerator).first()
    if own is not None:
        return Refused(
            _("%(person)s is in %(team)s on some of these days: %(period)s.")
            % {"person": row.enumerator, "team": own.team, "period": period_words(own.valid_from, own.valid_to)},
            code="in_a_team",
        )
    lead = others.filter(team=row.team, is_lead=True).first() if row.is_lead else None
    if lead is not None:
        return Refused(
            _("%(person)s leads %(team)s on some of these days: %(period)s.")
            % {"person": lead.enumerator, "team": row.team, "period": period_words(lead.valid_from, lead.valid_to)},
            code="has_a_lead",
        )
    return None


def _split(row: TeamMembership, *, on: date, is_lead: bool) -> TeamMembership:
    """The same membership from ``on`` with another part in it; days before stay as they were."""
    if row.valid_from == on:
        row.is_lead = is_lead
        return _write(row)
    rest = TeamMembership(
        team=row.team, enumerator=row.enumerator, is_lead=is_lead, valid_from=on, valid_to=row.valid_to
    )
    row.valid_to = on - ONE_DAY
    row.save(update_fields=["valid_to"])
    return _write(rest)


def _sharing_days(row: TeamMembership) -> TeamMembershipQuerySet:
    others: TeamMembershipQuerySet = TeamMembership.objects.exclude(pk=row.pk)
    others = others.filter(Q(valid_to=None) | Q(valid_to__gte=row.valid_from))
    return others.filter(valid_from__lte=row.valid_to) if row.valid_to else others


def _write(row: TeamMembership) -> TeamMembership:
    def say() -> Refused:
        return overlap(row) or Refused(_("This person is in a team on some of these days already."), code="in_a_team")

    write_or_refuse(row.save, refusals={"membership_one_team_at_a_time": say, "membership_one_lead_at_a_time": say})
    return row
