"""The connection to KoboToolbox: servers and forms. Connecting is by command, which asks the server first."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, URLField
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from assessments.admin.assignment_list import SEND_LIST, list_section
from assessments.admin.hooks import notices_section, notices_url
from assessments.admin.mapping_editor import mapping_url
from assessments.admin.status_push import PUSH_AGAIN, pushes_section
from assessments.admin.sync_page import SYNC_VERBS, live_url, sync_sections
from assessments.admin.tones import SYNC_STATE
from assessments.admin.unreadable import READ_AGAIN
from assessments.enums import SyncOutcome, SyncState
from assessments.models import KoboForm, KoboServer, KoboSubmission
from assessments.permissions import can_connect_kobo
from assessments.selectors.sync_state import with_sync_state
from dtm_ops.common.badges import INFO, badge
from dtm_ops.common.desk import DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import VerbAdmin
from locations.permissions import has_desk


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


class WorstFirst(ChangeList):
    """Without another order chosen: first the forms that need somebody."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        found = list(super().get_ordering(request, queryset))
        return found if ORDER_VAR in self.params else ["sync_rank", *found]


@admin.register(KoboForm)
class KoboFormAdmin(VerbAdmin):
    desk_section = DeskSection.KOBO
    desk_order = 1
    rights = DeskRights(view=has_desk, change=lambda user, form: can_connect_kobo(user))
    seen_fields = ()
    change_form_template = "admin/assessments/koboform/change_form.html"
    verbs = (
        *SYNC_VERBS,
        SEND_LIST,
        PUSH_AGAIN,
        READ_AGAIN,
    )
    list_display = [
        "shown_name",
        "form_kind",
        "round",
        "shown_submissions",
        "shown_state",
        "shown_good",
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
        of_form = KoboSubmission.objects.filter(form=OuterRef("pk")).order_by().values("form")
        received = Subquery(of_form.annotate(number=Count("pk")).values("number"))
        return with_sync_state(super().get_queryset(request)).annotate(received=Coalesce(received, 0))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return WorstFirst

    def get_urls(self) -> list[URLPattern]:
        return [live_url(self), notices_url(self), mapping_url(self), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        form = self.get_object(request, unquote(object_id))
        context = {
            **sync_sections(form, request.user),
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

    @admin.display(description=_("sync"), ordering="sync_rank")
    def shown_state(self, form: Any) -> SafeString:
        if form.running_run and form.is_held:
            return badge(SyncOutcome.RUNNING.label, INFO)
        state = SyncState(form.sync_state)
        return badge(state.label, SYNC_STATE[state])

    @admin.display(description=_("last complete run"), ordering="good_at")
    def shown_good(self, form: Any) -> Any:
        return form.good_at
