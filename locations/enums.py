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


class AliasKind(models.TextChoices):
    """Where a spelling comes from. The first two follow the place's own names; the others are kept by people."""

    NAME = "name", _("name")
    SHORT = "short", _("short name")
    OLD = "old", _("old name")
    OTHER = "other", _("other spelling")


class UnitChangeKind(models.TextChoices):
    ADDED = "added", _("new place")
    RENAMED = "renamed", _("renamed")
    MOVED = "moved", _("moved to another place")
    CLOSED = "closed", _("closed")
    CODE_REUSED = "code_reused", _("code used again")
    CORRECTED = "corrected", _("corrected")
    DUPLICATE = "duplicate", _("duplicate of another place")


class UnitChangeStatus(models.TextChoices):
    OPEN = "open", _("to decide")
    ACCEPTED = "accepted", _("accepted")
    REFUSED = "refused", _("refused")
    UNDONE = "undone", _("accepted and undone")


UNIT_CHANGE_STEPS: Final[dict[str, frozenset[str]]] = {
    UnitChangeStatus.OPEN: frozenset({UnitChangeStatus.ACCEPTED, UnitChangeStatus.REFUSED}),
    UnitChangeStatus.ACCEPTED: frozenset({UnitChangeStatus.UNDONE}),
    UnitChangeStatus.REFUSED: frozenset({UnitChangeStatus.OPEN}),
    UnitChangeStatus.UNDONE: frozenset({UnitChangeStatus.OPEN}),
}


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
    "station": _("railway station"),
    "rail_siding": _("railway siding"),
    "winter_camp": _("winter camp"),
    "other": _("other inhabited point"),
}


# What people write beside a name to say what it is, as patterns over small letters, and the kinds of place that it may
# mean; the first pattern that fits counts. Words that are as often part of a name (қала, ауыл, аул) are not here.
KIND_WORDS: Final[dict[str, frozenset[str]]] = {
    r"[сапкгқ]\. ?[аә]\.": frozenset({"village_admin", "settlement_admin", "town_admin"}),
    r"респ(?:\.|ублик[аи]сы|ублика)|republic(?: of)?": frozenset({"country"}),
    r"област(?:ь|и|ной)|обл\.?|облысы|oblys[yı]|oblast[’ʹ']?|region|province": frozenset({"region"}),
    r"район[аы]?|р[-–]?о?н[аеы]?\.?|ауданы|аудан|a[uwý]dan[yı]|rayon|raion|district|distr\.": frozenset(
        {"district", "city_district"}
    ),
    r"город[ае]?|гор\.|г\.?|қаласы|қ\.?|[qk]alas[yı]|[qg]\.|gorod|city(?: of)?": frozenset(
        {"city_republican", "city_regional", "city", "town", "town_admin"}
    ),
    r"сельск(?:ий|ого) (?:округа?|окр\.?)|с\. ?о\.?|с/о|ауылдық округ[іи]?|а\. ?о\.?|rural okrug|okrug"
    r"|a[uwý][yı]ld[yı][qk] okrugi?": frozenset({"rural_okrug"}),
    r"село|сел[еау]|с\.?|ауылы|а\.|village(?: of)?|selo|a[uwý][yı]l[yı]": frozenset({"village", "village_admin"}),
    r"пос[её]л(?:ок|ка|ке)|пос\.|пгт\.?|п\.?|кенті|к\.|settlement|pos[ey]olok|kenti|town": frozenset(
        {"settlement", "settlement_admin", "town", "town_admin"}
    ),
    r"станци[яи]|ст\.|station": frozenset({"station"}),
    r"разъезд|рзд\.?|siding": frozenset({"rail_siding"}),
    r"зимовк[аи]|қыстауы|winter camp": frozenset({"winter_camp"}),
    r"уч\.|участок|имени|им\.|атын(?:дағы|\.)|imeni": frozenset(),
}


def unit_type_name(code: str) -> str:
    return str(UNIT_TYPES.get(code, code))
