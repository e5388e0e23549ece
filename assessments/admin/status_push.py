"""Decisions on their way to Kobo: what waits, what Kobo refused and why, and the way to send it again."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from assessments.admin.tones import PUSH
from assessments.enums import KoboStatus, PushState
from assessments.messages import push_message
from assessments.models import KoboForm, StatusPush
from assessments.permissions import can_push_statuses
from assessments.services.status_pushes import queue_again, retry_push
from dtm_ops.accounts.models import User
from dtm_ops.common.badges import badge
from dtm_ops.common.desk import AnyUser, DeskRights
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import has_desk


def _may_push(user: AnyUser, row: Any = None) -> bool:
    return can_push_statuses(user)


def _retry(push: StatusPush, *, user: User) -> None:
    retry_push(push)


def _can_be_retried(push: StatusPush) -> str:
    if push.state == PushState.FAILED or (push.state == PushState.PENDING and push.tries):
        return ""
    return _now("not possible while it is “%(status)s”") % {"status": PushState(push.state).label}


def _push_again(form: KoboForm, *, user: User) -> str:
    queued = queue_again(form)
    if not queued:
        return _now("Every decision is at Kobo or on its way.")
    words = ngettext("%(number)s decision is sent again.", "%(number)s decisions are sent again.", queued)
    return words % {"number": queued}


def _is_written_back(form: KoboForm) -> str:
    return "" if form.write_back else _now("decisions on this form are not written to Kobo")


PUSH_AGAIN = Verb(
    name="push_again",
    label=_("Send decisions again"),
    hint=_("Those that are not at Kobo as far as we know, and those that Kobo refused."),
    may=_may_push,
    act=_push_again,
    fits=_is_written_back,
    in_list=False,
)


@admin.register(StatusPush)
class StatusPushAdmin(VerbAdmin):
    desk_section = DeskSection.KOBO
    desk_order = 6
    rights = DeskRights(view=has_desk)
    seen_fields = ("state",)
    verbs = (
        Verb(
            name="retry",
            label=_("Try again"),
            hint=_("It is sent within a minute, and all tries begin anew."),
            may=_may_push,
            act=_retry,
            fits=_can_be_retried,
        ),
    )
    list_display = [
        "shown_id",
        "shown_form",
        "shown_wanted",
        "shown_state",
        "decided_at",
        "tries",
        "shown_error",
    ]
    list_filter = ["state", "submission__form"]
    list_select_related = ["submission__form"]
    search_fields = ["=submission__kobo_id"]
    search_help_text = _("Kobo id")
    date_hierarchy = "decided_at"
    list_per_page = 50
    fields = [
        "shown_submission", "shown_form", "shown_wanted", "shown_state", "decided_at", "tries", "next_try_at",
        "finished_at", "shown_error",
    ]  # fmt: skip
    readonly_fields = ["shown_submission", "shown_form", "shown_wanted", "shown_state", "shown_error"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("submission__form").defer("submission__form__mapping")

    def describe(self, row: StatusPush) -> str:
        return f"{row.submission.kobo_id}: {self.shown_wanted(row)}"

    @admin.display(description=_("submission"), ordering="submission__kobo_id")
    def shown_id(self, push: StatusPush) -> str:
        return f"{push.submission.kobo_id}"

    @admin.display(description=_("submission"))
    def shown_submission(self, push: StatusPush) -> SafeString | str:
        address = reverse("admin:assessments_kobosubmission_change", args=[push.submission_id])
        return format_html('<a href="{}">{}</a>', address, f"{push.submission.kobo_id}")

    @admin.display(description=_("form"), ordering="submission__form")
    def shown_form(self, push: StatusPush) -> str:
        return str(push.submission.form)

    @admin.display(description=_("status for Kobo"), ordering="wanted")
    def shown_wanted(self, push: StatusPush) -> str:
        return str(KoboStatus(push.wanted).label) if push.wanted else _now("none")

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, push: StatusPush) -> SafeString:
        state = PushState(push.state)
        return badge(state.label, PUSH[state])

    @admin.display(description=_("last error"))
    def shown_error(self, push: StatusPush) -> str:
        return push_message(push) or "–"


def pushes_section(form: KoboForm) -> dict[str, Any]:
    """For the template `pushes_section.html`: how many wait, how many Kobo refused, and the last trouble in words."""
    of_form = StatusPush.objects.filter(submission__form=form)
    failed, waiting = Q(state=PushState.FAILED), Q(state=PushState.PENDING)
    counts = of_form.open().aggregate(waiting=Count("pk", filter=waiting), failed=Count("pk", filter=failed))
    last = of_form.open().exclude(error_code="").select_related("submission").order_by("-decided_at", "-pk").first()
    address = reverse("admin:assessments_statuspush_changelist")
    return {
        **counts,
        "is_on": form.write_back,
        "trouble": push_message(last) if last else "",
        "address": f"{address}?submission__form__id__exact={form.pk}",
    }
