"""Roles, and the names of the kinds of place that we know. Other kinds are shown by their code: they are data."""

from typing import Final

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

LEVELS: Final = range(5)
REGION_LEVEL: Final = 1


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator", _("administrator")
    MANAGER = "manager", _("manager")
    COORDINATOR = "coordinator", _("coordinator")
    ENUMERATOR = "enumerator", _("enumerator")


UNIT_TYPES: Final[dict[str, Promise]] = {
    "country": _("country"),
    "region": _("region"),
    "city_republican": _("city of republican significance"),
    "district": _("district"),
    "city_regional": _("city of regional significance"),
    "city_district": _("district of a city"),
    "city": _("city"),
    "rural_okrug": _("rural okrug"),
    "village_admin": _("village administration"),
    "settlement_admin": _("settlement administration"),
    "town_admin": _("town administration"),
    "town": _("town"),
    "settlement": _("settlement"),
    "village": _("village"),
}


def unit_type_name(code: str) -> str:
    return str(UNIT_TYPES.get(code, code))
