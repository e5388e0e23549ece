"""The admin site. Named by `dtm_ops.accounts.apps.AdminConfig`; it stands here because the door is opened by a role."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.desk_sections import DeskSection
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
    # The lists need the width of the screen; the way back to the desk is the path above them.
    enable_nav_sidebar = False
    login_form = AuthenticationForm

    def has_permission(self, request: HttpRequest) -> bool:
        return has_desk(request.user)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """The index and the side bar follow the work, not the apps: each page says where it stands (DeskSection)."""
        apps: list[dict[str, Any]] = super().get_app_list(request, app_label)
        if app_label:
            return apps
        placed: dict[str, list[tuple[int, dict[str, Any]]]] = {section: [] for section in DeskSection.values}
        for row in (row for app in apps for row in app["models"]):
            page = self._registry[row["model"]]
            section = getattr(page, "desk_section", DeskSection.OTHER)
            placed[section].append((getattr(page, "desk_order", 99), row))
        return [
            {
                "name": section.label,
                "app_label": section.value,
                "app_url": f"{reverse('admin:index', current_app=self.name)}#{section.value}",
                "has_module_perms": True,
                "models": [row for _order, row in sorted(placed[section], key=lambda entry: entry[0])],
            }
            for section in DeskSection
            if placed[section]
        ]

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = DeskAutocomplete.as_view(admin_site=self)(request)  # type: ignore[assignment]  # JSON
        return answer
