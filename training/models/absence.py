import pghistory
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from training.enums import AbsenceKind
from training.models.enumerator import Enumerator
from training.models.periods import never_twice
from training.querysets import AbsenceQuerySet


@pghistory.track()
class Absence(models.Model):
    """Days on which a person cannot be sent out. Both days count."""

    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="absences", verbose_name=_("enumerator")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=AbsenceKind.choices, default=AbsenceKind.LEAVE)
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    note = models.CharField(_("note"), max_length=160, blank=True)

    objects = AbsenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("absence")
        verbose_name_plural = _("absences")
        ordering = ["-first_day", "enumerator__code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="absence_days_in_order",
                violation_error_message=_("The last day is before the first."),
            ),
            models.CheckConstraint(
                condition=Q(kind__in=AbsenceKind.values),
                name="absence_kind_known",
                violation_error_message=_("Choose a kind of absence from the list."),
            ),
            never_twice(
                "absence_once_a_day", "enumerator", first="first_day", last="last_day",
                message=_("This person is absent on some of these days already."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.enumerator}: {self.get_kind_display()}"
