"""What would change in the gazetteer: a new edition of the classifier, or what somebody saw in the field."""

import pghistory
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.names import named
from locations.enums import UnitChangeKind, UnitChangeStatus
from locations.models.admin_unit import AdminUnit
from locations.querysets import UnitChangeQuerySet


class GazetteerUpdate(models.Model):
    """A file of a newer classifier, laid beside the gazetteer. Its rows are decided one by one."""

    title = models.CharField(_("title"), max_length=120)
    source = models.CharField(_("source"), max_length=240, blank=True)
    file_name = models.CharField(_("file"), max_length=240, blank=True)
    effective_on = models.DateField(
        _("in force from"), help_text=_("The first day of the new state; what closes, closes on the day before.")
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("by")
    )
    made_at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("classifier update")
        verbose_name_plural = _("classifier updates")
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return self.title


@pghistory.track()
class UnitChange(models.Model):
    """One change of one place, waiting for a decision or decided. ``unit`` NULL: a new place, not yet accepted.

    ``before`` and ``after`` hold the differing columns by name, as a gazetteer's file writes them; ``taken`` names the
    columns that were accepted. ``undo`` is what the acceptance itself needs to be taken back. ``update`` NULL: somebody
    in the field saw it.
    """

    update = models.ForeignKey(
        GazetteerUpdate, on_delete=models.PROTECT, null=True, related_name="changes", verbose_name=_("update")
    )
    kind = models.CharField(_("kind of change"), max_length=12, choices=UnitChangeKind.choices)
    unit = models.ForeignKey(
        AdminUnit, on_delete=models.PROTECT, null=True, related_name="changes", verbose_name=_("place")
    )
    # Where the new place lies, or would lie; for the others the place above, so that one filter reaches all rows.
    parent = models.ForeignKey(
        AdminUnit, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("part of")
    )
    duplicate_of = models.ForeignKey(
        AdminUnit, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("duplicate of")
    )
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    taken = ArrayField(models.CharField(max_length=40), verbose_name=_("accepted"), default=list, blank=True)
    undo = models.JSONField(_("undo"), default=dict, editable=False)
    effective_on = models.DateField(_("in force from"))
    status = models.CharField(
        _("status"), max_length=10, choices=UnitChangeStatus.choices, default=UnitChangeStatus.OPEN, editable=False
    )
    raised_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("raised by")
    )
    raised_at = models.DateTimeField(_("raised at"), default=timezone.now)
    reason = models.TextField(_("what was seen"), blank=True, max_length=2000)
    photo = models.FileField(_("photo"), upload_to="places/%Y/%m/", blank=True)
    latitude = models.DecimalField(_("latitude"), max_digits=7, decimal_places=5, null=True, blank=True)
    longitude = models.DecimalField(_("longitude"), max_digits=8, decimal_places=5, null=True, blank=True)
    accuracy = models.PositiveIntegerField(
        _("accuracy, metres"), null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(100_000)]
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decision_note = models.CharField(_("why"), max_length=240, blank=True)

    objects = UnitChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("proposed change of a place")
        verbose_name_plural = _("proposed changes of places")
        ordering = ["status", "-raised_at", "pk"]
        indexes = [models.Index(fields=["status", "kind"], name="unitchange_status")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=UnitChangeKind.values) & Q(status__in=UnitChangeStatus.values),
                name="unitchange_words_known",
                violation_error_message=_("Choose a kind of change from the list."),
            ),
            models.CheckConstraint(
                condition=Q(unit__isnull=False) | Q(kind=UnitChangeKind.ADDED),
                name="unitchange_of_a_place",
                violation_error_message=_("Only a new place is not there yet."),
            ),
            models.CheckConstraint(
                condition=~Q(kind=UnitChangeKind.DUPLICATE) | Q(duplicate_of__isnull=False),
                name="unitchange_duplicate_of_what",
                violation_error_message=_("Name the place that this one is a duplicate of."),
            ),
            models.CheckConstraint(
                condition=Q(latitude=None, longitude=None)
                | Q(latitude__isnull=False, longitude__isnull=False, latitude__range=(-90, 90),
                    longitude__range=(-180, 180)),
                name="unitchange_point_on_earth",
                violation_error_message=_("A point has a latitude from -90 to 90 and a longitude from -180 to 180."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.place_name}"

    @property
    def place_name(self) -> str:
        """The place's, or that which a new place would have. Reads the place."""
        if self.unit:
            return self.unit.name
        names = {column.removeprefix("name_"): text for column, text in self.after.items() if column[:5] == "name_"}
        return named(names, fallback=self.after.get("code", ""))
