"""Every spelling of a place, so that whoever types one finds it."""

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from locations.enums import AliasKind
from locations.models.admin_unit import AdminUnit
from locations.querysets import AdminUnitAliasQuerySet


@pghistory.track(exclude=["search_key", "skeleton", "words"])
class AdminUnitAlias(models.Model):
    """One spelling of one place. ``search_key``, ``skeleton`` and ``words`` are made from ``name`` by
    `dtm_ops.common.spelling`, and by nothing else; the kinds ``name`` and ``short`` follow the place's own names.
    """

    unit = models.ForeignKey(AdminUnit, on_delete=models.PROTECT, related_name="aliases", verbose_name=_("place"))
    name = models.CharField(_("spelling"), max_length=200)
    language = models.CharField(_("language"), max_length=3, blank=True)
    kind = models.CharField(_("kind"), max_length=8, choices=AliasKind.choices, default=AliasKind.OTHER)
    # NULL: in use, or not known.
    valid_to = models.DateField(_("last day in use"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=120, blank=True)
    search_key = models.CharField(_("search key"), max_length=200, editable=False)
    skeleton = models.CharField(_("skeleton"), max_length=200, editable=False)
    words = ArrayField(models.CharField(max_length=200), verbose_name=_("words"), default=list, editable=False)

    objects = AdminUnitAliasQuerySet.as_manager()

    class Meta:
        verbose_name = _("other spelling")
        verbose_name_plural = _("other spellings")
        ordering = ["unit", "kind", "language", "name"]
        indexes = [
            models.Index(fields=["search_key"], name="alias_search_key", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["skeleton"], name="alias_skeleton", opclasses=["varchar_pattern_ops"]),
            GinIndex(fields=["words"], name="alias_words"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "name", "language", "kind"],
                name="alias_once",
                violation_error_message=_("This place has this spelling already."),
            ),
            models.CheckConstraint(
                condition=~Q(name="") & Q(kind__in=AliasKind.values),
                name="alias_says_something",
                violation_error_message=_("A spelling is not blank, and its kind is one of the list."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
