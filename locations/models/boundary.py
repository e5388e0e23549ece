from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from locations.models.admin_unit import AdminUnit
from locations.querysets import BoundaryQuerySet


class Boundary(models.Model):
    """The polygon of one place, as a source drew it. No endorsement: source and licence stand under each map.

    A place keeps its code while its border moves, so it may have several: ``drawn_for`` is the last day that the source
    drew, NULL: the border of now. `BoundaryQuerySet.as_of` picks the one for a day.
    ``geometry`` is a GeoJSON geometry (Polygon or MultiPolygon, WGS 84, longitude first). ``west`` .. ``north`` are its
    box in degrees, so that a point asks few polygons.
    """

    unit = models.ForeignKey(AdminUnit, on_delete=models.PROTECT, related_name="boundaries", verbose_name=_("place"))
    drawn_for = models.DateField(_("as it was until"), null=True, blank=True, help_text=_("Blank: the border of now."))
    geometry = models.JSONField(_("geometry"))
    west = models.FloatField(_("west"), editable=False)
    south = models.FloatField(_("south"), editable=False)
    east = models.FloatField(_("east"), editable=False)
    north = models.FloatField(_("north"), editable=False)
    source = models.CharField(_("source"), max_length=240)
    licence = models.CharField(_("licence"), max_length=120)
    imported_at = models.DateTimeField(_("imported at"))

    objects = BoundaryQuerySet.as_manager()

    class Meta:
        verbose_name = _("boundary")
        verbose_name_plural = _("boundaries")
        ordering = ["unit", "drawn_for"]
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "drawn_for"],
                nulls_distinct=False,
                name="boundary_once_for_a_day",
                violation_error_message=_("The place has a polygon for that day."),
            ),
            models.CheckConstraint(
                condition=Q(west__lte=F("east"), south__lte=F("north")), name="boundary_box_in_order"
            ),
            models.CheckConstraint(
                condition=~Q(source="") & ~Q(licence=""),
                name="boundary_says_whose",
                violation_error_message=_("A boundary has a source and a licence."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit}"
