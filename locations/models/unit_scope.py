"""The rights that hang on places."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from locations.enums import Role
from locations.models.admin_unit import AdminUnit
from locations.querysets import UnitScopeQuerySet


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class UnitScope(models.Model):
    """The one place where rights live: what a user is, and for which place. No row: no rights.

    An administrator and a manager see everything, whatever the unit. Each change is kept by the database.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="unit_scopes", verbose_name=_("user")
    )
    unit = models.ForeignKey(AdminUnit, on_delete=models.PROTECT, related_name="scopes", verbose_name=_("place"))
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)

    objects = UnitScopeQuerySet.as_manager()

    class Meta:
        verbose_name = _("right")
        verbose_name_plural = _("rights")
        ordering = ["user", "role", "unit"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "unit", "role"],
                name="unitscope_once",
                violation_error_message=_("This user has this role for this place already."),
            ),
            models.CheckConstraint(
                name="unitscope_role_known",
                condition=Q(role__in=Role.values),
                violation_error_message=_("This role does not exist."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()} · {self.unit}"
