"""Corrective tasks: raised here, checked here, cancelled and opened again with a reason."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dtm_ops.accounts.models import User
from dtm_ops.common.badges import BAD, GOOD, INFO, QUIET, badge
from dtm_ops.common.desk import AnyUser, DeskRights
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import ReasonForm, Verb, VerbAdmin, step_fits
from locations.permissions import has_desk
from training.admin.filters import PersonRegionFilter
from training.enums import CORRECTIVE_STEPS, CorrectiveStatus
from training.forms import CheckForm, ReopenTaskForm, TaskForm
from training.models import CorrectiveTask
from training.permissions import can_change_roster
from training.selectors.certification import percent_of
from training.services.attempts import record_attempt
from training.services.corrective import cancel_task, raise_task, reopen_task


def _may_change(user: AnyUser, task: CorrectiveTask | None) -> bool:
    return can_change_roster(user, task.enumerator if task else None)


def _check(
    task: CorrectiveTask,
    *,
    user: User,
    part: str,
    points: Decimal,
    out_of: Decimal,
    taken_on: date,
    examiner: str,
    note: str,
) -> str:
    attempt = record_attempt(
        task.enumerator, corrective_task=task, part=part, points=points, out_of=out_of, taken_on=taken_on, by=user,
        examiner=examiner, note=note,
    )  # fmt: skip
    task.refresh_from_db()
    if attempt.passed:
        return _now("Passed with %(share)s: the task is done.") % {"share": percent_of(attempt)}
    return _now("Not passed, %(share)s of %(mark)s: the task stays open.") % {
        "share": percent_of(attempt),
        "mark": f"{attempt.pass_mark}\N{NO-BREAK SPACE}%",
    }


def _cancel(task: CorrectiveTask, *, user: User, reason: str) -> None:
    cancel_task(task, by=user, reason=reason)


def _reopen(task: CorrectiveTask, *, user: User, reason: str, due_on: date) -> None:
    reopen_task(task, by=user, reason=reason, due_on=due_on)


def _is_open(task: CorrectiveTask) -> str:
    if task.status == CorrectiveStatus.OPEN:
        return ""
    return _now("not possible while it is “%(status)s”") % {"status": task.get_status_display()}


class DueFilter(admin.SimpleListFilter):
    title = _("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("overdue", _("Overdue")), ("week", _("Within a week"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        today = timezone.localdate()
        if self.value() == "overdue":
            return queryset.filter(status=CorrectiveStatus.OPEN, due_on__lt=today)
        if self.value() == "week":
            until = today + timedelta(days=7)
            return queryset.filter(status=CorrectiveStatus.OPEN, due_on__range=(today, until))
        return queryset


@admin.register(CorrectiveTask)
class CorrectiveTaskAdmin(VerbAdmin):
    desk_section = DeskSection.PEOPLE
    desk_order = 8
    rights = DeskRights(view=has_desk, add=can_change_roster)
    form = TaskForm
    verbs = (
        Verb(
            name="check",
            label=_("Record a check"),
            hint=_("A passed check closes the task. A failed one is counted, and the task stays open."),
            may=_may_change,
            act=_check,
            form=CheckForm,
            fits=_is_open,
            in_list=False,
        ),
        Verb(
            name="cancel",
            label=_("Cancel the task"),
            hint=_("The task is not needed any more. It stays in the list, with the reason."),
            may=_may_change,
            act=_cancel,
            form=ReasonForm,
            fits=_is_open,
            tone="danger",
        ),
        Verb(
            name="reopen",
            label=_("Open again"),
            hint=_("Until a new day. The checks so far stay."),
            may=_may_change,
            act=_reopen,
            form=ReopenTaskForm,
            fits=step_fits(CORRECTIVE_STEPS, CorrectiveStatus.OPEN),
        ),
    )
    fields = ["enumerator", "what", "reason", "form_kind", "due_on", "pass_mark"]
    autocomplete_fields = ["enumerator"]
    list_display = ["what", "enumerator", "form_kind", "due_on", "shown_standing", "shown_checks"]
    list_filter = ["status", DueFilter, "form_kind", PersonRegionFilter]
    list_select_related = ["enumerator__home_unit", "form_kind"]
    search_fields = ["what", "reason", "enumerator__code", "enumerator__full_name"]
    search_help_text = _("What, why, or code or name of the person.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("enumerator__home_unit", "form_kind", "raised_by")
        return rows.annotate(checked=Count("checks"))

    def get_fields(self, request: HttpRequest, obj: CorrectiveTask | None = None) -> Any:
        return [*self.fields, "shown_standing", "shown_attempts", "raised_by", "raised_at"] if obj else self.fields

    def save_model(self, request: Any, obj: CorrectiveTask, form: Any, change: bool) -> None:
        """Only raised here; everything after that is a verb."""
        asked = {name: form.cleaned_data[name] for name in ("what", "reason", "due_on", "form_kind", "pass_mark")}
        task = raise_task(form.cleaned_data["enumerator"], by=request.user, **asked)
        obj.__dict__.update(task.__dict__)

    @admin.display(description=_("status"), ordering="status")
    def shown_standing(self, task: CorrectiveTask) -> SafeString:
        if task.status == CorrectiveStatus.OPEN and task.due_on < timezone.localdate():
            return badge(_("overdue"), BAD)
        tones = {CorrectiveStatus.OPEN: INFO, CorrectiveStatus.DONE: GOOD, CorrectiveStatus.CANCELLED: QUIET}
        return badge(task.get_status_display(), tones[CorrectiveStatus(task.status)])

    @admin.display(description=_("checks"), ordering="checked")
    def shown_checks(self, task: Any) -> int:
        return int(task.checked)

    @admin.display(description=_("checks"))
    def shown_attempts(self, task: CorrectiveTask) -> str:
        attempts = list(task.checks.order_by("number"))
        if not attempts:
            return _now("none yet")
        shown = (
            f"{one.number}: {percent_of(one)} ({date_format(one.taken_on, 'SHORT_DATE_FORMAT')})" for one in attempts
        )
        words = ngettext("%(count)s check", "%(count)s checks", len(attempts)) % {"count": len(attempts)}
        return f"{words} – {'; '.join(shown)}"
