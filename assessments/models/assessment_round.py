import pghistory
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from assessments.enums import RoundStatus, TargetStatus
from assessments.querysets import RoundQuerySet, RoundTargetQuerySet
from dtm_ops.common.names import named
from training.enums import Component
from training.models import FormKind


@pghistory.track()
class AssessmentRound(models.Model):
    """One round of a DTM component over a list of places. Its four dates differ, and none follows from another."""

    code = models.CharField(
        _("code"),
        max_length=24,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9-]*$", _("Latin letters, digits and hyphens only."))],
        help_text=_("Like 2022-Q4. It stands in addresses and in the form."),
    )
    component = models.CharField(
        _("component"), max_length=20, choices=Component.choices, default=Component.MOBILITY_TRACKING
    )
    number = models.PositiveSmallIntegerField(_("number"), default=1)
    names = models.JSONField(_("names"), default=dict, blank=True, help_text=_("By language: en, ru, kk."))
    reporting_from = models.DateField(_("reporting period from"))
    reporting_to = models.DateField(_("reporting period to"))
    fieldwork_from = models.DateField(_("fieldwork from"))
    fieldwork_to = models.DateField(_("fieldwork to"))
    reference_date = models.DateField(_("reference date"), help_text=_("The day that the figures speak of."))
    counted_since = models.DateField(
        _("counted since"), help_text=_("Arrivals from this day on are counted as present migrant workers.")
    )
    reference_year = models.PositiveSmallIntegerField(
        _("reference year"), help_text=_("Reasons and types of migration are asked about the arrivals of this year.")
    )
    status = models.CharField(
        _("status"), max_length=10, choices=RoundStatus.choices, default=RoundStatus.PLANNED, editable=False
    )
    is_demo = models.BooleanField(_("demonstration"), default=False, editable=False)
    remarks = models.JSONField(
        _("remarks"), default=dict, blank=True, help_text=_("Notes on the data, by language; shown beside the figures.")
    )

    objects = RoundQuerySet.as_manager()

    class Meta:
        verbose_name = _("assessment round")
        verbose_name_plural = _("assessment rounds")
        ordering = ["-reporting_from", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reporting_to__gte=F("reporting_from")),
                name="round_reporting_in_order",
                violation_error_message=_("The reporting period ends before it begins."),
            ),
            models.CheckConstraint(
                condition=Q(fieldwork_to__gte=F("fieldwork_from")),
                name="round_fieldwork_in_order",
                violation_error_message=_("The fieldwork ends before it begins."),
            ),
            models.CheckConstraint(
                condition=Q(counted_since__lte=F("reference_date")),
                name="round_counted_before_reference",
                violation_error_message=_("The reference date lies before the day from which arrivals are counted."),
            ),
            models.CheckConstraint(condition=Q(status__in=RoundStatus.values), name="round_status_known"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def name(self) -> str:
        return named(self.names, fallback=self.code)

    @property
    def remark(self) -> str:
        return named(self.remarks, fallback="")


class RoundRegion(models.Model):
    """A region that a round speaks of, with what must be said about it wherever its figure is shown."""

    round = models.ForeignKey(
        AssessmentRound, on_delete=models.CASCADE, related_name="regions", verbose_name=_("round")
    )
    unit = models.ForeignKey("locations.AdminUnit", on_delete=models.PROTECT, verbose_name=_("region"))
    remarks = models.JSONField(_("remarks"), default=dict, blank=True, help_text=_("By language: en, ru, kk."))

    class Meta:
        verbose_name = _("region of the round")
        verbose_name_plural = _("regions of the round")
        ordering = ["unit__code"]
        constraints = [
            models.UniqueConstraint(
                fields=["round", "unit"],
                name="roundregion_once",
                violation_error_message=_("The region is already in the round."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit}"

    @property
    def remark(self) -> str:
        return named(self.remarks, fallback="")


@pghistory.track()
class RoundTarget(models.Model):
    """One place of a round that has to be covered by a form kind."""

    round = models.ForeignKey(
        AssessmentRound, on_delete=models.PROTECT, related_name="targets", verbose_name=_("round")
    )
    unit = models.ForeignKey(
        "locations.AdminUnit", on_delete=models.PROTECT, related_name="targets", verbose_name=_("place")
    )
    form_kind = models.ForeignKey(
        FormKind, on_delete=models.PROTECT, related_name="targets", verbose_name=_("form kind")
    )
    # The district target whose form named this village; NULL: listed without one.
    parent_target = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("named by")
    )
    minimum_informants = models.PositiveSmallIntegerField(_("key informants at least"), default=2)
    source = models.CharField(
        _("source"), max_length=160, blank=True, help_text=_("Where the place was taken from: a list, a district form.")
    )
    status = models.CharField(
        _("status"), max_length=12, choices=TargetStatus.choices, default=TargetStatus.OPEN, editable=False
    )
    status_reason = models.CharField(_("reason"), max_length=240, blank=True, editable=False)
    # For ``inaccessible``: the last day on which that holds; NULL: until somebody says otherwise.
    status_until = models.DateField(_("until"), null=True, blank=True, editable=False)

    objects = RoundTargetQuerySet.as_manager()

    class Meta:
        verbose_name = _("target")
        verbose_name_plural = _("targets")
        ordering = ["round", "unit__path", "form_kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["round", "unit", "form_kind"],
                name="target_once_a_round",
                violation_error_message=_("This place is already a target of the round for this form kind."),
            ),
            models.CheckConstraint(
                condition=Q(status=TargetStatus.OPEN) | ~Q(status_reason=""),
                name="target_status_says_why",
                violation_error_message=_("Say why the place is not covered."),
            ),
            models.CheckConstraint(condition=Q(status__in=TargetStatus.values), name="target_status_known"),
            models.CheckConstraint(
                condition=~Q(parent_target=F("id")),
                name="target_not_its_own_parent",
                violation_error_message=_("A target cannot be named by itself."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit}, {self.form_kind}"
