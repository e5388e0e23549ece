"""States of the roster, with the steps that are allowed between them."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class EnumeratorStatus(models.TextChoices):
    ACTIVE = "active", _("active")
    INACTIVE = "inactive", _("temporarily inactive")
    LEFT = "left", _("left")


ENUMERATOR_STEPS: dict[str, frozenset[str]] = {
    EnumeratorStatus.ACTIVE: frozenset({EnumeratorStatus.INACTIVE, EnumeratorStatus.LEFT}),
    EnumeratorStatus.INACTIVE: frozenset({EnumeratorStatus.ACTIVE, EnumeratorStatus.LEFT}),
    EnumeratorStatus.LEFT: frozenset({EnumeratorStatus.ACTIVE}),
}


class IdentityKind(models.TextChoices):
    LOGIN = "login", _("login")
    KOBO = "kobo", _("Kobo user name")
    PHONE = "phone", _("phone")
    EMAIL = "email", _("e-mail")


# These name one person at a time; a phone or a mailbox may be shared.
OWN_IDENTITIES = (IdentityKind.LOGIN, IdentityKind.KOBO)


class AbsenceKind(models.TextChoices):
    LEAVE = "leave", _("leave")
    SICKNESS = "sickness", _("sickness")
    OTHER_WORK = "other_work", _("other work")
    OTHER = "other", _("other")


class EnrolmentStatus(models.TextChoices):
    ENROLLED = "enrolled", _("enrolled")
    INVITED = "invited", _("invited")
    ACCEPTED = "accepted", _("accepted")
    DECLINED = "declined", _("declined")
    WAITING = "waiting", _("on the waiting list")


ENROLMENT_STEPS: dict[str, frozenset[str]] = {
    EnrolmentStatus.ENROLLED: frozenset(
        {EnrolmentStatus.INVITED, EnrolmentStatus.ACCEPTED, EnrolmentStatus.DECLINED, EnrolmentStatus.WAITING}
    ),
    EnrolmentStatus.INVITED: frozenset({EnrolmentStatus.ACCEPTED, EnrolmentStatus.DECLINED, EnrolmentStatus.WAITING}),
    EnrolmentStatus.ACCEPTED: frozenset({EnrolmentStatus.DECLINED}),
    EnrolmentStatus.DECLINED: frozenset({EnrolmentStatus.ACCEPTED, EnrolmentStatus.INVITED, EnrolmentStatus.WAITING}),
    EnrolmentStatus.WAITING: frozenset({EnrolmentStatus.ENROLLED, EnrolmentStatus.INVITED, EnrolmentStatus.DECLINED}),
}

# Who takes a seat.
SEATED = (EnrolmentStatus.ENROLLED, EnrolmentStatus.INVITED, EnrolmentStatus.ACCEPTED)


class AttendanceHow(models.TextChoices):
    DESK = "desk", _("by hand")
    SHEET = "sheet", _("from a sheet")
    LINK = "link", _("by the person's own link")


class TestPart(models.TextChoices):
    THEORY = "theory", _("theory")
    PRACTICAL = "practical", _("practical")

    __test__ = False  # not for pytest


class CorrectiveStatus(models.TextChoices):
    OPEN = "open", _("open")
    DONE = "done", _("done")
    CANCELLED = "cancelled", pgettext_lazy("corrective task", "cancelled")


CORRECTIVE_STEPS: dict[str, frozenset[str]] = {
    CorrectiveStatus.OPEN: frozenset({CorrectiveStatus.DONE, CorrectiveStatus.CANCELLED}),
    CorrectiveStatus.DONE: frozenset({CorrectiveStatus.OPEN}),
    CorrectiveStatus.CANCELLED: frozenset({CorrectiveStatus.OPEN}),
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
