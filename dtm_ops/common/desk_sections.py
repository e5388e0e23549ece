"""The parts of the desk, in the order of the work: what the index and the side bar are grouped by.

An admin page names its part with ``desk_section`` and its place in it with ``desk_order``.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DeskSection(models.TextChoices):
    PEOPLE = "people", _("People and training")
    FIELDWORK = "fieldwork", _("Rounds and focus groups")
    KOBO = "kobo", _("KoboToolbox")
    REVIEW = "review", _("Review")
    PLACES = "places", _("Places")
    RIGHTS = "rights", _("Users and rights")
    OTHER = "other", _("Other")
