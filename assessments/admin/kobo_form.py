"""The connection to KoboToolbox: servers and forms. Connecting is by command, which asks the server first."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, URLField
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError

from assessments.admin.assignment_list import SEND_LIST, list_section
from assessments.admin.hooks import notices_section, notices_url
from assessments.admin.mapping_editor import mapping_url
from assessments.admin.status_push import PUSH_AGAIN, pushes_section
from assessments.admin.tones import SYNC
from assessments.enums import SyncOutcome, SyncTrigger
from assessments.messages import run_message
from assessments.models import KoboForm, KoboServer, SyncRun
from assessments.permissions import can_connect_kobo, can_start_sync
from assessments.tasks import sync_kobo_form
from dtm_ops.accounts.models import User
from dtm_ops.common.badges import QUIET, badge
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import has_desk

LAST_RUNS = 10


def _may_sync(user: AnyUser, form: Any = None) -> bool:
    return can_start_sync(user)


def _queue_sync(form: KoboForm, *, user: User) -> str:
    try:
        sync_kobo_form.delay_on_commit(form.pk, trigger=SyncTrigger.BUTTON, user_id=user.pk)
    except OperationalError:
        raise Refused(
            _now("The queue of background work does not answer: nothing was started. Tell your administrator."),
            code="broker_down",
        ) from None
    return _now("The sync of %(form)s is queued; its run appears here in a moment.") % {"form": form}


def _is_synchronised(form: KoboForm) -> str:
    return "" if form.is_active else _now("the form is not synchronised: switch it on first")


@admin.register(KoboServer)
class KoboServerAdmin(UnscopedAdmin):
    """The token is not even in a form: `connect_kobo` takes it and keeps it encrypted."""

    desk_section = DeskSection.KOBO
    desk_order = 3
    rights = DeskRights(view=has_desk)
    list_display = ["name", "base_url", "username", "shown_forms", "shown_contact"]
    search_fields = ["name", "base_url"]
    fields = ["name", "base_url", "username", "shown_forms", "shown_contact"]
    readonly_fields = ["shown_forms", "shown_contact"]
    formfield_overrides = {URLField: {"assume_scheme": "https"}}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        contact = Max("forms__runs__finished_at")
        return super().get_queryset(request).annotate(connected=Count("forms", distinct=True), contact=contact)

    @admin.display(description=_("forms"), ordering="connected")
    def shown_forms(self, server: Any) -> int:
        return int(server.connected)

    @admin.display(description=_("last run"), ordering="contact")
    def shown_contact(self, server: Any) -> Any:
        return server.contact


@admin.register(KoboForm)
class KoboFormAdmin(VerbAdmin):
    desk_section = DeskSection.KOBO
    desk_order = 1
    rights = DeskRights(view=has_desk, change=lambda user, form: can_connect_kobo(user))
    seen_fields = ()
    change_form_template = "admin/assessments/koboform/change_form.html"
    verbs = (
        Verb(
            name="sync",
            label=_("Sync now"),
            may=_may_sync,
            act=_queue_sync,
            fits=_is_synchronised,
            # Queued at once, so that a queue that does not answer is told here.
            is_atomic=False,
        ),
        SEND_LIST,
        PUSH_AGAIN,
    )
    list_display = [
        "shown_name",
        "form_kind",
        "round",
        "shown_submissions",
        "shown_outcome",
        "next_sync_at",
        "is_active",
    ]
    list_filter = ["round", "form_kind", "is_active", "server"]
    list_select_related = ["form_kind", "round", "server"]
    search_fields = ["name", "asset_uid"]
    fields = [
        "name", "asset_uid", "server", "form_kind", "round", "major_version", "is_active", "sync_every", "fetch_media",
        "write_back", "next_sync_at",
    ]  # fmt: skip
    readonly_fields = ["name", "asset_uid", "server", "form_kind", "round", "major_version", "next_sync_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        last = SyncRun.objects.filter(form=OuterRef("pk")).order_by("-started_at", "-pk")
        return (
            super()
            .get_queryset(request)
            .annotate(
                received=Count("submissions"),
                last_outcome=Subquery(last.values("outcome")[:1]),
                last_at=Subquery(last.values("started_at")[:1]),
            )
        )

    def get_urls(self) -> list[URLPattern]:
        return [notices_url(self), mapping_url(self), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        form = self.get_object(request, unquote(object_id))
        runs = SyncRun.objects.filter(form=form).select_related("form", "by")
        shown = [(run, run_message(run), SYNC[SyncOutcome(run.outcome)]) for run in runs[:LAST_RUNS]]
        context = {
            "runs": shown,
            "notices": notices_section(form, request.user),
            "focus_groups": list_section(form),
        }
        context["pushes"] = pushes_section(form)
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @admin.display(description=_("name"), ordering="name")
    def shown_name(self, form: KoboForm) -> str:
        return str(form)

    @admin.display(description=_("submissions"), ordering="received")
    def shown_submissions(self, form: Any) -> SafeString:
        address = reverse("admin:assessments_kobosubmission_changelist")
        return format_html('<a href="{}?form__id__exact={}&review=all">{}</a>', address, form.pk, form.received)

    @admin.display(description=_("last run"), ordering="last_at")
    def shown_outcome(self, form: Any) -> SafeString:
        if form.last_outcome is None:
            return badge(_("none yet"), QUIET)
        outcome = SyncOutcome(form.last_outcome)
        return badge(outcome.label, SYNC[outcome])
