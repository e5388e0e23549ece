from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assessments.enums import IndicatorBase
from assessments.models.kobo_submission import SubmissionRevision
from dtm_ops.common.names import named


class Indicator(models.Model):
    """Something that is counted. ``base`` says what its categories add up to; a table, since a mission counts other
    things.
    """

    code = models.SlugField(_("code"), max_length=40, unique=True)
    names = models.JSONField(_("names"), default=dict, help_text=_("By language: en, ru, kk."))
    base = models.CharField(_("adds up to"), max_length=16, choices=IndicatorBase.choices)
    order = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("indicator")
        verbose_name_plural = _("indicators")
        ordering = ["order", "code"]

    def __str__(self) -> str:
        return named(self.names, fallback=self.code)


class Category(models.Model):
    """One value that an indicator's breakdown can take."""

    indicator = models.ForeignKey(
        Indicator, on_delete=models.PROTECT, related_name="categories", verbose_name=_("indicator")
    )
    code = models.CharField(_("code"), max_length=40)
    names = models.JSONField(_("names"), default=dict, help_text=_("By language: en, ru, kk."))
    order = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["indicator", "order", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["indicator", "code"],
                name="category_once_an_indicator",
                violation_error_message=_("This indicator has a category with this code already."),
            ),
        ]

    def __str__(self) -> str:
        return named(self.names, fallback=self.code)


class Figure(models.Model):
    """One number of a revision, written when the revision is approved: what never was approved has no figure to count.

    ``value`` NULL is "don't know"; what was not asked has no row; 0 is a value. ``category`` NULL is the indicator's
    total.
    """

    revision = models.ForeignKey(
        SubmissionRevision, on_delete=models.PROTECT, related_name="figures", verbose_name=_("revision")
    )
    unit = models.ForeignKey("locations.AdminUnit", on_delete=models.PROTECT, related_name="+", verbose_name=_("place"))
    indicator = models.ForeignKey(Indicator, on_delete=models.PROTECT, related_name="+", verbose_name=_("indicator"))
    category = models.ForeignKey(
        Category, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("category")
    )
    value = models.BigIntegerField(_("value"), null=True)

    class Meta:
        verbose_name = _("figure")
        verbose_name_plural = _("figures")
        ordering = ["revision", "indicator", "category"]
        constraints = [
            models.UniqueConstraint(
                fields=["revision", "unit", "indicator", "category"],
                name="figure_once_a_revision",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(value=None) | Q(value__gte=0), name="figure_not_negative"),
        ]

    def __str__(self) -> str:
        return "-" if self.value is None else f"{self.value}"
