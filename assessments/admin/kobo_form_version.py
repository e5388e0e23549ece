"""Versions of forms: since when, how many submissions, until when they are accepted, and who still uses them."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from assessments.admin.mapping_editor import editor_address
from assessments.models import KoboFormVersion, KoboSubmission
from assessments.permissions import can_connect_kobo
from assessments.selectors.form_versions import late_users, outdated_after
from assessments.services.kobo_versions import set_last_accepted
from dtm_ops.common.desk import DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from locations.permissions import has_desk


@admin.register(KoboFormVersion)
class KoboFormVersionAdmin(UnscopedAdmin):
    desk_section = DeskSection.KOBO
    desk_order = 4
    rights = DeskRights(view=has_desk, change=lambda user, version: can_connect_kobo(user))
    change_form_template = "admin/assessments/koboformversion/change_form.html"
    list_display = [
        "uid", "form", "deployed_at", "first_seen_at", "shown_submissions", "last_accepted_on", "shown_mapping",
    ]  # fmt: skip
    list_filter = ["form"]
    list_select_related = ["form"]
    search_fields = ["uid"]
    fields = [
        "uid", "form", "deployed_at", "first_seen_at", "shown_submissions", "shown_mapping", "last_accepted_on",
    ]  # fmt: skip
    readonly_fields = ["uid", "form", "deployed_at", "first_seen_at", "shown_submissions", "shown_mapping"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # The newest content of each submission tells its version, as on the form's page.
        rows = KoboSubmission.objects.present().filter(current_revision__form_version=OuterRef("pk")).order_by()
        counted = rows.values("current_revision__form_version").annotate(count=Count("pk")).values("count")
        return super().get_queryset(request).defer("content").annotate(received=Coalesce(Subquery(counted), 0))

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        set_last_accepted(obj, obj.last_accepted_on, by=request.user)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        version = self.get_object(request, unquote(object_id))
        context = {"outdated_after": outdated_after(version), "late": late_users(version, user=request.user)}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @admin.display(description=_("submissions"), ordering="received")
    def shown_submissions(self, version: Any) -> int:
        return int(version.received)

    @admin.display(description=_("mapping"))
    def shown_mapping(self, version: KoboFormVersion) -> SafeString:
        words = _("the form's own") if version.mapping is None else _("its own")
        return format_html('<a href="{}">{}</a>', editor_address(version), words)
