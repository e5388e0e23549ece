"""The admin site. Named by `dtm_ops.accounts.apps.AdminConfig`; it stands here because the door is opened by a role."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from locations.querysets import has_desk


class DeskAutocomplete(AutocompleteJsonView):
    """Shows what a row says about itself in a list (``choice_label``), for names that repeat."""

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        return {"id": str(getattr(obj, to_field_name)), "text": str(getattr(obj, "choice_label", obj))}


class DeskSite(AdminSite):
    """The coordinators' desk: opened by a role, whatever ``is_staff`` says."""

    site_header = "DTM Ops"
    site_title = "DTM Ops"
    index_title = _("The desk")
    site_url = "/"
    enable_nav_sidebar = True
    login_form = AuthenticationForm

    def has_permission(self, request: HttpRequest) -> bool:
        return has_desk(request.user)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = DeskAutocomplete.as_view(admin_site=self)(request)  # type: ignore[assignment]  # JSON
        return answer
