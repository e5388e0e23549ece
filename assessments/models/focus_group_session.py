from typing import Any

import pghistory
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from assessments.enums import AssignmentRole, FocusGroupStatus
from assessments.models.assessment_round import RoundTarget
from assessments.querysets import FocusGroupQuerySet, SessionAssignmentQuerySet
from training.models import Enumerator


@pghistory.track()
class FocusGroupSession(models.Model):
    """A planned meeting with key informants for one target. On a screen: "focus group", never "session" alone."""

    target = models.ForeignKey(
        RoundTarget, on_delete=models.PROTECT, related_name="focus_groups", verbose_name=_("target")
    )
    # Short, unambiguous, with a check character: it is read out over the phone and typed into the form.
    code = models.CharField(_("code"), max_length=12, unique=True)
    # Both NULL: no date yet.
    starts_at = models.DateTimeField(_("starts at"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    travel_minutes = models.PositiveSmallIntegerField(
        _("minutes of travel before"), default=0, help_text=_("Kept free before the start for everybody assigned.")
    )
    venue = models.CharField(_("venue"), max_length=200, blank=True)
    language = models.CharField(_("language"), max_length=8, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=FocusGroupStatus.choices, default=FocusGroupStatus.PLANNED, editable=False
    )

    objects = FocusGroupQuerySet.as_manager()

    class Meta:
        verbose_name = _("focus group")
        verbose_name_plural = _("focus groups")
        ordering = ["starts_at", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at=None, ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="focusgroup_ends_after_start",
                violation_error_message=_("Give a start and an end, the end after the start, or neither."),
            ),
            models.CheckConstraint(
                condition=~Q(status=FocusGroupStatus.HELD) | Q(starts_at__isnull=False),
                name="focusgroup_held_has_date",
                violation_error_message=_("A focus group that was held has a date."),
            ),
            models.CheckConstraint(condition=Q(status__in=FocusGroupStatus.values), name="focusgroup_status_known"),
        ]
        indexes = [models.Index(fields=["status", "ends_at"], name="focusgroup_status_end")]

    def __str__(self) -> str:
        return f"{self.code} {self.target.unit}"


class _PointRange(Func):
    """``int8range(id, id, '[]')``: lets an exclusion compare a number without the btree_gist extension."""

    function = "int8range"

    def __init__(self, field: str, **extra: Any) -> None:
        super().__init__(F(field), F(field), Value("[]"), **extra)


class _TimeRange(Func):
    """``tstzrange(a, b)``: half open, so that one meeting may begin when another ends."""

    function = "tstzrange"


@pghistory.track()
class SessionAssignment(models.Model):
    """A person with a role in a focus group. The database refuses two at one time for one person.

    ``busy_from`` and ``busy_until`` are copied from the focus group by the one service that moves it, with the travel
    before the start; NULL while there is no date. A withdrawn assignment stays as history and binds nobody.
    """

    focus_group = models.ForeignKey(
        FocusGroupSession, on_delete=models.PROTECT, related_name="assignments", verbose_name=_("focus group")
    )
    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="assignments", verbose_name=_("enumerator")
    )
    role = models.CharField(_("role"), max_length=12, choices=AssignmentRole.choices, default=AssignmentRole.MODERATOR)
    busy_from = models.DateTimeField(_("busy from"), null=True, editable=False)
    busy_until = models.DateTimeField(_("busy until"), null=True, editable=False)
    assigned_at = models.DateTimeField(_("assigned at"), auto_now_add=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, editable=False)

    objects = SessionAssignmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering = ["focus_group", "role"]
        constraints = [
            ExclusionConstraint(
                name="assignment_no_double_booking",
                expressions=[
                    (_PointRange("enumerator_id"), RangeOperators.OVERLAPS),
                    (_TimeRange("busy_from", "busy_until"), RangeOperators.OVERLAPS),
                ],
                condition=Q(withdrawn_at=None, busy_from__isnull=False),
                violation_error_message=_("This person is already in another focus group at that time."),
            ),
            models.UniqueConstraint(
                fields=["focus_group", "enumerator"],
                condition=Q(withdrawn_at=None),
                name="assignment_once_a_focus_group",
                violation_error_message=_("This person is already in this focus group."),
            ),
            models.CheckConstraint(
                condition=Q(busy_from=None, busy_until=None) | Q(busy_until__gt=F("busy_from")),
                name="assignment_busy_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.enumerator}: {self.focus_group}"
