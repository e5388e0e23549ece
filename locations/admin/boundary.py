"""Polygons of places on the desk: whose they are, which are missing, and a file of new ones, tried before it counts."""

import secrets
import zlib
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, F, Func, IntegerField, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from dtm_ops.common.desk import DeskRights, ScopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from locations.admin.place_map import PlaceMap, draw_boundary
from locations.enums import LEVELS
from locations.models import Boundary
from locations.permissions import can_change_gazetteer, can_view_gazetteer
from locations.selectors.boundaries import units_without_boundary
from locations.services.boundaries import LONGEST, BoundaryImport, import_boundaries
from locations.services.boundary_file import MOST_BYTES, BoundariesRefused, FeatureProblem, read_collection

KEPT_FOR: Final = 60 * 60
PAGE_SIZE: Final = 100
MOST_SHOWN: Final = 200


class BoundaryOptions(forms.Form):
    """What is said beside the file; blank: the file says it."""

    source = forms.CharField(
        max_length=LONGEST["source"],
        required=False,
        label=gettext_lazy("Source"),
        help_text=gettext_lazy("Whose polygons these are. It stands under each map. Blank: as the file says."),
    )
    licence = forms.CharField(
        max_length=LONGEST["licence"],
        required=False,
        label=gettext_lazy("Licence"),
        help_text=gettext_lazy("As “CC BY 4.0”. Blank: as the file says."),
    )
    on = forms.DateField(
        required=False,
        label=gettext_lazy("Codes and borders of"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Blank: today. A day that is over keeps the polygons of today beside these."),
    )
    property = forms.CharField(
        max_length=80,
        required=False,
        label=gettext_lazy("Property with the code"),
        help_text=gettext_lazy("Blank: the one that names most places."),
    )
    skip_unknown = forms.BooleanField(required=False, label=gettext_lazy("Leave out features whose code no place has"))

    def options(self) -> dict[str, Any]:
        return {**self.cleaned_data, "property": self.cleaned_data["property"] or None}


class BoundaryFileForm(BoundaryOptions):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "A GeoJSON FeatureCollection in degrees of WGS 84, its features with KATO, P-code or ISO."
        ),
    )
    field_order = ["file"]

    def read(self) -> bytes:
        """One byte more than is taken, so that the reader can say that it is too large."""
        content: bytes = self.cleaned_data["file"].read(MOST_BYTES + 1)
        return content


@admin.register(Boundary)
class BoundaryAdmin(ScopedAdmin):
    desk_section = DeskSection.PLACES
    desk_order = 4
    rights = DeskRights(view=can_view_gazetteer, delete=lambda user, row: can_change_gazetteer(user))
    list_display = ["shown_unit", "shown_level", "drawn_for", "source", "licence", "shown_points", "imported_at"]
    list_filter = ["unit__level", "licence", "drawn_for"]
    list_select_related = ["unit__parent"]
    search_fields = ["unit__code", "unit__unit_id", "unit__names__en", "unit__names__ru", "unit__names__kk", "source"]
    fields = ["unit", "drawn_for", "source", "licence", "shown_points", "imported_at"]
    readonly_fields = ["unit", "drawn_for", "source", "licence", "shown_points", "imported_at"]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Numbers of a polygon come in pairs, whatever its parts.
        points = Func(
            F("geometry"),
            template="jsonb_array_length(jsonb_path_query_array(%(expressions)s, '$.coordinates.**{last}')) / 2",
            output_field=IntegerField(),
        )
        return super().get_queryset(request).annotate(points=points).defer("geometry")

    @admin.display(description=gettext_lazy("place"), ordering="unit")
    def shown_unit(self, boundary: Boundary) -> str:
        return boundary.unit.choice_label

    @admin.display(description=gettext_lazy("level"), ordering="unit__level")
    def shown_level(self, boundary: Boundary) -> int:
        return boundary.unit.level

    @admin.display(description=gettext_lazy("points"), ordering="points")
    def shown_points(self, boundary: Any) -> int:
        points: int = boundary.points
        return points

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        boundary = context.get("original")
        drawn: PlaceMap | None = draw_boundary(boundary) if boundary else None
        return super().render_change_form(request, {**context, "map": drawn}, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        may = {"may_import": can_change_gazetteer(request.user)}
        return super().changelist_view(request, {**may, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "import/", view(require_http_methods(["GET", "HEAD", "POST"])(self.import_view)), name=_name("import")
            ),
            path("missing/", view(require_safe(self.missing_view)), name=_name("missing")),
            *super().get_urls(),
        ]

    def missing_view(self, request: HttpRequest) -> HttpResponse:
        """Places in force today that nobody has drawn, by level."""
        units = units_without_boundary(timezone.localdate()).visible_to(request.user)
        counts = dict(units.order_by().values_list("level").annotate(Count("pk")))
        asked = request.GET.get("level", "")
        level = int(asked) if asked in map(str, LEVELS) else min(counts, default=0)
        page = Paginator(units.level(level).select_related("parent"), PAGE_SIZE).get_page(request.GET.get("page"))
        context = {
            "title": _("Places without a polygon"),
            "counts": [(one, counts.get(one, 0), one == level) for one in LEVELS],
            "level": level,
            "page": page,
        }
        return self._page(request, "missing", context)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """A file is checked and tried; what it would do is shown, and done when it is confirmed."""
        if not can_change_gazetteer(request.user):
            raise PermissionDenied
        if "token" in request.POST:
            return self._import(request)
        form = BoundaryFileForm(request.POST or None, request.FILES or None)
        context: dict[str, Any] = {"form": form}
        if form.is_valid():
            content = form.read()
            options = {name: value for name, value in form.options().items() if name != "file"}
            try:
                tried = import_boundaries(read_collection(content), **options, dry_run=True)
            except BoundariesRefused as refused:
                context["problems"] = _tell_problems(form, refused.problems)
            else:
                context = {"tried": tried, "token": _keep(request, content), "kept": _hidden(form)}
        return self._page(request, "import", {"title": _("Import polygons"), **context})

    def _import(self, request: HttpRequest) -> HttpResponse:
        form = BoundaryOptions(request.POST)
        kept = cache.get(_key(request, request.POST["token"]))
        again = HttpResponseRedirect(reverse(f"admin:{_name('import')}"))
        if kept is None or not form.is_valid():
            messages.error(request, _("The file was chosen too long ago. Choose it again."))
            return again
        try:
            done = import_boundaries(read_collection(zlib.decompress(kept)), **form.options())
        except BoundariesRefused as refused:
            messages.error(request, _("Something changed since the check: nothing was imported.") + f" {refused}")
            return again
        cache.delete(_key(request, request.POST["token"]))
        messages.success(request, _say(done))
        return HttpResponseRedirect(reverse("admin:locations_boundary_changelist"))

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/locations/boundary/{name}.html", whole)


def _name(page: str) -> str:
    return f"locations_boundary_{page}"


def _key(request: HttpRequest, token: str) -> str:
    return f"boundaries:{request.user.pk}:{token}"


def _keep(request: HttpRequest, content: bytes) -> str:
    """Where every web host finds it; a country's polygons are a fifth of their text."""
    token = secrets.token_urlsafe(16)
    cache.set(_key(request, token), zlib.compress(content), KEPT_FOR)
    return token


def _hidden(form: BoundaryOptions) -> list[tuple[str, str]]:
    return [(name, form.data[name]) for name in BoundaryOptions.base_fields if form.data.get(name)]


def _tell_problems(form: forms.Form, problems: list[FeatureProblem]) -> list[FeatureProblem]:
    """What a field can mend stands beside it; the rest is returned."""
    for problem in problems:
        if problem.part:
            form.add_error(problem.part, problem.message)
    return [problem for problem in problems if not problem.part][:MOST_SHOWN]


def _say(done: BoundaryImport) -> str:
    words = _("%(added)s polygons added, %(changed)s changed, %(unchanged)s unchanged.")
    return words % {"added": done.added, "changed": done.changed, "unchanged": done.unchanged}
