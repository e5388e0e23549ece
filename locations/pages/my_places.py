"""`/my/places/`: who works in the field says what has changed about a place, and reads what became of it.

Three steps without a script: the place is found by its name, what has changed is chosen, the form asks the rest.
"""

from typing import Any, Final

from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from dtm_ops.common.errors import Refused
from locations.enums import LEVELS, UnitChangeKind, unit_type_name
from locations.forms import FieldProposalForm
from locations.models import AdminUnit, UnitChange
from locations.permissions import can_propose_change
from locations.querysets import AdminUnitQuerySet
from locations.selectors import search_units
from locations.services.field_proposals import FIELD_KINDS, PHOTO_KINDS, propose_field_change

ROWS_A_PAGE: Final = 20
FOUND: Final = 15


@never_cache
@require_safe
def show_my_places(request: HttpRequest) -> HttpResponse:
    _refuse_without_role(request)
    own = UnitChange.objects.filter(raised_by=request.user.pk, update=None).order_by("-raised_at", "-pk")
    rows = own.select_related("unit__parent", "parent", "duplicate_of__parent")
    page = Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "locations/my_places.html", {"page": page})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def propose_place(request: HttpRequest) -> HttpResponse:
    _refuse_without_role(request)
    unit = _chosen(request, "unit")
    if unit is None:
        return render(request, "locations/find_place.html", _search(request))
    kind = request.GET.get("kind", "")
    if kind not in _kinds(unit):
        return render(request, "locations/choose_change.html", {"unit": unit, "kinds": _kinds(unit)})
    other = _chosen(request, "other")
    if kind == UnitChangeKind.DUPLICATE and other in (None, unit):
        return render(request, "locations/find_place.html", {**_search(request), "duplicate": unit})
    return _ask_or_propose(request, kind, unit, other)


@require_safe
def show_photo(request: HttpRequest, pk: int) -> HttpResponse | FileResponse:
    """By the right on the proposal alone; never by the name of the file."""
    change = get_object_or_404(UnitChange.objects.visible_to(request.user), pk=pk)
    ending = (change.photo.name or "").rpartition(".")[2]
    if ending not in PHOTO_KINDS:
        raise Http404
    try:
        content = change.photo.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    answer = FileResponse(content, content_type=PHOTO_KINDS[ending], filename=f"place-{change.pk}.{ending}")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


def _refuse_without_role(request: HttpRequest) -> None:
    if not can_propose_change(request.user):
        raise Http404


def _places(request: HttpRequest) -> AdminUnitQuerySet:
    return AdminUnit.objects.readable_by(request.user).units_on(timezone.localdate()).filter(merged_into=None)


def _chosen(request: HttpRequest, name: str) -> AdminUnit | None:
    """Out of reach is not found."""
    unit_id = request.GET.get(name, "").replace("\x00", "")
    return get_object_or_404(_places(request).select_related("parent__parent"), unit_id=unit_id) if unit_id else None


def _search(request: HttpRequest) -> dict[str, Any]:
    asked = request.GET.get("q", "").strip()[:100]
    found = search_units(asked, units=_places(request), limit=FOUND) if asked else []
    return {"asked": asked, "found": found}


def _kinds(unit: AdminUnit) -> dict[str, str]:
    """What can be said about the place, in the words of the page."""
    words = {
        UnitChangeKind.ADDED: _("A new place lies in it"),
        UnitChangeKind.RENAMED: _("It has another name"),
        UnitChangeKind.CLOSED: _("It is not there any more"),
        UnitChangeKind.DUPLICATE: _("It stands in the list twice"),
    }
    return {kind.value: words[kind] for kind in FIELD_KINDS if kind != UnitChangeKind.ADDED or unit.level + 1 in LEVELS}


def _ask_or_propose(request: HttpRequest, kind: str, unit: AdminUnit, other: AdminUnit | None) -> HttpResponse:
    given = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = FieldProposalForm(*given, kind=kind, unit=unit, unit_types=_unit_types(unit))
    if request.method == "POST" and form.is_valid() and _propose(request, form, unit, other):
        return HttpResponseRedirect(f"{reverse('my_places')}?sent=1")
    context = {"form": form, "unit": unit, "other": other, "kind": kind, "words": _kinds(unit)[kind]}
    return render(request, "locations/propose_change.html", context)


def _propose(request: HttpRequest, form: FieldProposalForm, unit: AdminUnit, other: AdminUnit | None) -> bool:
    is_new = form.kind == UnitChangeKind.ADDED
    user: Any = request.user  # nobody without a role came so far
    try:
        propose_field_change(
            form.kind,
            by=user,
            reason=form.cleaned_data["reason"],
            unit=None if is_new else unit,
            parent=unit if is_new else None,
            duplicate_of=other,
            after=form.columns,
            photo=form.cleaned_data["photo"],
            point=form.point,
            accuracy=form.cleaned_data["accuracy"],
        )
    except Refused as refused:
        form.add_refusal(str(refused), code=refused.code)
        return False
    return True


def _unit_types(unit: AdminUnit) -> list[tuple[str, str]]:
    """Kinds that places of that level have."""
    known = AdminUnit.objects.level(unit.level + 1).order_by("unit_type").values_list("unit_type", flat=True).distinct()
    return [(code, unit_type_name(code)) for code in [*(code for code in known if code != "other"), "other"]]
