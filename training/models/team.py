import pghistory
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from training.models.enumerator import Enumerator
from training.models.periods import never_twice
from training.querysets import TeamMembershipQuerySet, TeamQuerySet


@pghistory.track()
class Team(models.Model):
    """People who work together for a place. Who belonged to it, and who led it, is asked with a day."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    unit = models.ForeignKey(
        "locations.AdminUnit", on_delete=models.PROTECT, related_name="teams", verbose_name=_("works for")
    )
    closed_on = models.DateField(_("closed on"), null=True, blank=True)

    objects = TeamQuerySet.as_manager()

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


@pghistory.track()
class TeamMembership(models.Model):
    """A person in a team, from a day to a day (both count; no last day: still)."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="memberships", verbose_name=_("team"))
    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="memberships", verbose_name=_("enumerator")
    )
    is_lead = models.BooleanField(_("leads"), default=False)
    valid_from = models.DateField(_("first day"))
    valid_to = models.DateField(_("last day"), null=True, blank=True)

    objects = TeamMembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        ordering = ["team__code", "-valid_from", "enumerator__code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="membership_days_in_order",
                violation_error_message=_("The last day is before the first."),
            ),
            never_twice(
                "membership_one_team_at_a_time", "enumerator", first="valid_from", last="valid_to",
                message=_("This person is in a team on some of these days already."),
            ),
            never_twice(
                "membership_one_lead_at_a_time", "team", first="valid_from", last="valid_to",
                message=_("This team has a lead on some of these days already."), condition=Q(is_lead=True),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.enumerator}, {self.team}"
