from pathlib import Path

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LocationsConfig(AppConfig):
    name = "locations"
    verbose_name = _("Places")

    # The shipped gazetteer: down to rural okrugs, what is inhabited below them, and other spellings and old names.
    # Another mission names its own file to the command.
    GAZETTEER = Path(__file__).resolve().parent / "data" / "kz_admin_units.csv"
    SETTLEMENTS = GAZETTEER.with_name("kz_settlements.csv")
    ALIASES = GAZETTEER.with_name("kz_aliases.csv")
