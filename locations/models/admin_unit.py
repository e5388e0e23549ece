"""The gazetteer itself."""

import zoneinfo
from typing import Any

import pghistory
import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Concat
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.names import named
from locations.enums import LEVELS, unit_type_name
from locations.querysets import AdminUnitQuerySet

UNIT_ID_PATTERN = r"^[0-9A-Za-z._~-]+$"


def path_of(unit_id: str, parent_path: str) -> str:
    """The one place where a path is made: the ids from the country down to the unit, each ended by "/"."""
    return f"{parent_path}{unit_id}/"


def validate_time_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(value)s” is not a time zone of the IANA list."), params={"value": value})


def _date_range() -> Func:
    # Both days count, so that a unit may begin on the day after its namesake ended.
    return Func(F("valid_from"), F("valid_to"), Value("[]"), function="daterange")


def _code_as_range() -> Func:
    # btree_gist is not everywhere: equality of text is asked as overlap of one-point ranges of its 64-bit hash.
    number = Func(F("code"), Value(0), function="hashtextextended", output_field=models.BigIntegerField())
    return Func(number, number, Value("[]"), function="int8range")


def _is_object(field: str) -> Exact:
    return Exact(Func(F(field), function="jsonb_typeof", output_field=models.TextField()), Value("object"))


@pghistory.track()
class AdminUnit(models.Model):
    """A place of the gazetteer. The code repeats over time; ``unit_id`` does not. A unit is never deleted, it closes.

    ``valid_from`` and ``valid_to`` NULL: not limited, or not known (the note says which where a source did).
    ``valid_to`` is the last day. ``names`` are ready for a screen ("Almaty region"), ``short_names`` bare ("Almaty").
    """

    code = models.CharField(_("code"), max_length=20, help_text=_("Of the national classifier; may be used again."))
    unit_id = models.CharField(
        _("unit id"),
        max_length=40,
        unique=True,
        validators=[RegexValidator(UNIT_ID_PATTERN, _("Only Latin letters, digits and . _ ~ - are possible here."))],
        error_messages={"unique": _("There is a unit with this id already.")},
    )
    level = models.PositiveSmallIntegerField(_("level"), choices=[(level, str(level)) for level in LEVELS])
    unit_type = models.CharField(_("kind of place"), max_length=40)
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("part of")
    )
    path = models.CharField(_("path"), max_length=400, editable=False)
    names = models.JSONField(_("names"), default=dict, help_text=_("By language, as shown on screens."))
    short_names = models.JSONField(
        _("short names"), default=dict, blank=True, help_text=_("By language, without the kind of place.")
    )
    pcode = models.CharField(_("P-code"), max_length=20, blank=True)
    iso_3166_2 = models.CharField(_("ISO 3166-2"), max_length=10, blank=True)
    iso_3166_2_former = models.CharField(_("former ISO 3166-2"), max_length=10, blank=True)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_to = models.DateField(_("valid to"), null=True, blank=True, help_text=_("The last day."))
    predecessors = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="successors", verbose_name=_("predecessors")
    )
    # A redirect: this row was found to be the same place as the other. It is closed, and stays for what points at it.
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="merged",
        verbose_name=_("merged into"),
    )  # fmt: skip
    latitude = models.DecimalField(_("latitude"), max_digits=7, decimal_places=5, null=True, blank=True)
    longitude = models.DecimalField(_("longitude"), max_digits=8, decimal_places=5, null=True, blank=True)
    coordinate_source = models.CharField(_("source of the point"), max_length=80, blank=True)
    time_zone = models.CharField(
        _("time zone"),
        max_length=40,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Blank: that of the place above."),
    )
    tile_column = models.PositiveSmallIntegerField(_("column on the tile map"), null=True, blank=True)
    tile_row = models.PositiveSmallIntegerField(_("row on the tile map"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True)

    objects = AdminUnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("place")
        verbose_name_plural = _("places")
        ordering = ["code", "unit_id"]
        indexes = [
            models.Index(fields=["code"], name="adminunit_code"),
            models.Index(fields=["path"], name="adminunit_path_prefix", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["level", "code"], name="adminunit_level"),
        ]
        constraints = [
            models.CheckConstraint(
                name="adminunit_level_known",
                condition=Q(level__in=list(LEVELS)),
                violation_error_message=_("A level is a number from 0 to 4."),
            ),
            models.CheckConstraint(
                name="adminunit_root_alone_has_no_parent",
                condition=Q(level=0, parent=None) | Q(level__gt=0, parent__isnull=False),
                violation_error_message=_("Every place but the country is part of another place."),
            ),
            models.CheckConstraint(
                name="adminunit_unit_id_letters",
                condition=Q(unit_id__regex=UNIT_ID_PATTERN),
                violation_error_message=_("Only Latin letters, digits and . _ ~ - are possible in a unit id."),
            ),
            models.CheckConstraint(
                name="adminunit_path_ends_with_itself",
                condition=Q(path__endswith=Concat(F("unit_id"), Value("/"))),
                violation_error_message=_("The path of a place ends with the place itself."),
            ),
            models.CheckConstraint(
                name="adminunit_names_by_language",
                condition=Q(_is_object("names")) & Q(_is_object("short_names")),
                violation_error_message=_("Names are given by language."),
            ),
            models.CheckConstraint(
                name="adminunit_dates_in_order",
                condition=Q(valid_from=None) | Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                violation_error_message=_("The last day of validity is before the first."),
            ),
            models.CheckConstraint(
                name="adminunit_merged_is_closed",
                condition=Q(merged_into=None) | (Q(valid_to__isnull=False) & ~Q(merged_into=F("id"))),
                violation_error_message=_("A place that is merged into another is closed."),
            ),
            models.CheckConstraint(
                name="adminunit_point_on_earth",
                condition=Q(latitude=None, longitude=None)
                | Q(
                    latitude__isnull=False,
                    longitude__isnull=False,
                    latitude__range=(-90, 90),
                    longitude__range=(-180, 180),
                ),
                violation_error_message=_("A point has a latitude from -90 to 90 and a longitude from -180 to 180."),
            ),
            models.CheckConstraint(
                name="adminunit_tile_both_or_none",
                condition=Q(tile_column=None, tile_row=None) | Q(tile_column__isnull=False, tile_row__isnull=False),
                violation_error_message=_("A tile has a column and a row."),
            ),
            ExclusionConstraint(
                name="adminunit_code_once_at_a_time",
                expressions=[
                    (_code_as_range(), RangeOperators.OVERLAPS),
                    (_date_range(), RangeOperators.OVERLAPS),
                ],
                # So that a file may move the dates of two units at once: the loader asks at its end.
                deferrable=models.Deferrable.IMMEDIATE,
                violation_error_message=_("Another unit has this code at the same time."),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="never_deleted",
                operation=pgtrigger.Delete,
                when=pgtrigger.Before,
                func="RAISE EXCEPTION 'a unit is never deleted, it closes';",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give a new unit its path. Moving a unit, with all below it, is for `load_gazetteer`."""
        if self._state.adding:
            self.path = path_of(self.unit_id, self.parent.path if self.parent else "")
        super().save(*args, **kwargs)

    def clean(self) -> None:
        # Told here and not by the constraint alone: PostgreSQL cannot even build the range that the exclusion compares.
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValidationError({"valid_to": _("The last day of validity is before the first.")})
        if self.parent and self.level <= self.parent.level:
            raise ValidationError({"parent": _("A place is part of a place of a higher level.")})

    @property
    def name(self) -> str:
        """In the reader's language; another language where it is missing; the code where there is no name at all."""
        return named(self.names, fallback=self.code)

    @property
    def short_name(self) -> str:
        return named(self.short_names, fallback=self.name)

    def name_in(self, language: str) -> str:
        return named(self.names, fallback=self.code, language=language)

    @property
    def choice_label(self) -> str:
        """Names repeat: in a list to choose from, the place above stands beside it. Reads the parent."""
        return f"{self.name} ({self.parent.name})" if self.parent else self.name

    @property
    def unit_type_name(self) -> str:
        return unit_type_name(self.unit_type)
