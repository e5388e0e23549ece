from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.names import named
from training.enums import Component


class FormKind(models.Model):
    """What a form is for. A table, since a mission may add its own kinds."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    component = models.CharField(_("component"), max_length=20, choices=Component.choices)
    names = models.JSONField(_("names"), default=dict, help_text=_("By language: en, ru, kk."))
    review_steps = models.PositiveSmallIntegerField(
        _("review steps"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(2)],
        help_text=_("With two, a manager gives the final approval after somebody else's first."),
    )
    one_per_target = models.BooleanField(
        _("one form a target"),
        default=False,
        help_text=_("At most one approved form counts for a place: the baseline kinds. Surveys have many."),
    )
    order = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("form kind")
        verbose_name_plural = _("form kinds")
        ordering = ["order", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(review_steps__in=[1, 2]),
                name="formkind_one_or_two_steps",
                violation_error_message=_("A form is reviewed in one step or in two."),
            ),
        ]

    def __str__(self) -> str:
        return named(self.names, fallback=self.code)
