"""Which round a page of the desk speaks of, and which others one may go to."""

from django.contrib import admin
from django.db.models import Model
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from assessments.models import AssessmentRound
from locations.permissions import has_desk


def round_at_desk(request: HttpRequest, code: str) -> AssessmentRound:
    """404 for who has no desk (an enumerator's own work is at /my/), as for a round that does not exist."""
    if not has_desk(request.user):
        raise Http404
    return get_object_or_404(AssessmentRound.objects.visible_to(request.user), code=code)


def other_rounds(request: HttpRequest, current: AssessmentRound, *, page: str) -> list[tuple[AssessmentRound, str]]:
    """The rounds beside ``current``, newest first, with the address of the same page about each."""
    rounds = AssessmentRound.objects.visible_to(request.user).exclude(pk=current.pk)
    return [(one, reverse(page, args=[one.code])) for one in rounds]


def desk_address(request: HttpRequest, row: Model | None) -> str:
    """The admin's page of a row for those who may open it; blank: no such page, or not for them."""
    if row is None or not getattr(request.user, "is_staff", False) or not admin.site.is_registered(type(row)):
        return ""
    if not admin.site.get_model_admin(type(row)).has_view_permission(request):
        return ""
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
