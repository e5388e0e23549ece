"""Test attempts: read and imported here, corrected here with a reason; typed on the score sheet of a training."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.accounts.models import User
from dtm_ops.common.badges import BAD, GOOD, badge
from dtm_ops.common.desk import AnyUser, DeskRights
from dtm_ops.common.desk_import import TableAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import has_desk
from training.admin.filters import PersonRegionFilter
from training.forms import CorrectAttemptForm
from training.models import TestAttempt, TrainingSession
from training.permissions import can_change_roster, can_run_training
from training.resources import AttemptResource
from training.selectors.certification import percent_of
from training.services.attempts import correct_attempt

# The newest trainings; older ones are found by the search.
MOST_OFFERED = 30


def _may_correct(user: AnyUser, attempt: TestAttempt | None) -> bool:
    return can_change_roster(user, attempt.enumerator if attempt else None)


def _correct(
    attempt: TestAttempt, *, user: User, points: Decimal, out_of: Decimal, taken_on: date, note: str
) -> str | None:
    had_passed = attempt.passed
    correct_attempt(attempt, points=points, out_of=out_of, taken_on=taken_on, note=note, by=user)
    if had_passed and not attempt.passed:
        return _now("Corrected: the test is not passed any more. Look whether a certificate has to be revoked.")
    return None


def _of_training(attempt: TestAttempt) -> str:
    return _now("it is the check of a corrective task: record another") if attempt.corrective_task_id else ""


class ResultFilter(admin.SimpleListFilter):
    title = _("result")
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("passed", _("Passed")), ("not", _("Not passed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(passed=self.value() == "passed") if self.value() else queryset


class TrainingFilter(admin.SimpleListFilter):
    """Trainings within the user's reach that have a test."""

    title = _("training session")
    parameter_name = "training"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        has_test = Q(theory_pass_mark__isnull=False) | Q(practical_pass_mark__isnull=False)
        trainings = TrainingSession.objects.visible_to(request.user).filter(has_test)
        return [(one.code, f"{one.title} ({one.code})") for one in trainings[:MOST_OFFERED]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(training_session__code=self.value()) if self.value() else queryset


@admin.register(TestAttempt)
class TestAttemptAdmin(TableAdmin, VerbAdmin):
    desk_section = DeskSection.PEOPLE
    desk_order = 6
    rights = DeskRights(view=has_desk)
    resource_classes = [AttemptResource]
    may_import = staticmethod(can_run_training)
    seen_fields = ("points", "out_of", "taken_on")
    verbs = (
        Verb(
            name="correct",
            label=_("Correct"),
            hint=_("For what was typed wrongly. The pass mark stays as it was; the old values stay in the history."),
            may=_may_correct,
            act=_correct,
            form=CorrectAttemptForm,
            fits=_of_training,
            in_list=False,
        ),
    )
    fields = [
        "enumerator", "training_session", "corrective_task", "part", "number", "points", "out_of", "pass_mark",
        "shown_result", "taken_on", "examiner", "note", "recorded_by",
    ]  # fmt: skip
    list_display = ["enumerator", "shown_subject", "part", "number", "shown_points", "shown_result", "taken_on"]
    list_filter = [ResultFilter, "part", TrainingFilter, PersonRegionFilter]
    search_fields = ["enumerator__code", "enumerator__full_name", "training_session__code", "training_session__title"]
    search_help_text = _("Code or name of the person, or the training.")
    ordering = ["-taken_on", "enumerator__code", "part", "number"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related("enumerator__home_unit", "training_session", "corrective_task", "recorded_by")

    @admin.display(description=_("of"))
    def shown_subject(self, attempt: TestAttempt) -> str:
        return str(attempt.training_session or attempt.corrective_task)

    @admin.display(description=_("points"))
    def shown_points(self, attempt: TestAttempt) -> str:
        return f"{attempt.points.normalize():f} / {attempt.out_of.normalize():f} ({percent_of(attempt)})"

    @admin.display(description=_("result"), ordering="passed")
    def shown_result(self, attempt: TestAttempt) -> SafeString:
        if attempt.passed:
            return badge(_("passed"), GOOD)
        return badge(_("not passed"), BAD)
