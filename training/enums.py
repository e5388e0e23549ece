"""States of the roster, with the steps that are allowed between them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EnumeratorStatus(models.TextChoices):
    ACTIVE = "active", _("active")
    INACTIVE = "inactive", _("temporarily inactive")
    LEFT = "left", _("left")


ENUMERATOR_STEPS: dict[str, frozenset[str]] = {
    EnumeratorStatus.ACTIVE: frozenset({EnumeratorStatus.INACTIVE, EnumeratorStatus.LEFT}),
    EnumeratorStatus.INACTIVE: frozenset({EnumeratorStatus.ACTIVE, EnumeratorStatus.LEFT}),
    EnumeratorStatus.LEFT: frozenset({EnumeratorStatus.ACTIVE}),
}


class Sex(models.TextChoices):
    FEMALE = "female", _("female")
    MALE = "male", _("male")


class Component(models.TextChoices):
    """The four standard components of DTM."""

    MOBILITY_TRACKING = "mobility_tracking", _("Mobility Tracking")
    FLOW_MONITORING = "flow_monitoring", _("Flow Monitoring")
    REGISTRATION = "registration", _("Registration")
    SURVEY = "survey", _("Surveys")


class HalfDayPart(models.TextChoices):
    MORNING = "am", _("morning")
    AFTERNOON = "pm", _("afternoon")


class AttendanceState(models.TextChoices):
    PRESENT = "present", _("present")
    LATE = "late", _("late")
    ABSENT = "absent", _("absent")


# Who came late was there; who was absent missed the half-day.
ATTENDED = (AttendanceState.PRESENT, AttendanceState.LATE)
