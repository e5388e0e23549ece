"""Phones: of each person the last form, its version, whether the clock is right."""

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _now

from assessments.models import AssessmentRound
from assessments.selectors.desk import current_round
from assessments.selectors.phones import phones_of
from dtm_ops.records.verbs import VerbAdmin

PEOPLE_A_PAGE = 100


def phones_url(model_admin: VerbAdmin) -> URLPattern:
    """For `KoboSubmissionAdmin.get_urls`."""

    def view(request: HttpRequest) -> HttpResponse:
        return _show_phones(model_admin, request)

    return path("phones/", model_admin.admin_site.admin_view(view), name="assessments_kobosubmission_phones")


def _show_phones(model_admin: VerbAdmin, request: HttpRequest) -> HttpResponse:
    """Of the current round, of another that is chosen, or of all."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    rounds = list(AssessmentRound.objects.visible_to(request.user))
    code = request.GET.get("round")
    chosen = current_round(request.user) if code is None else next((one for one in rounds if one.code == code), None)
    found = phones_of(request.user, round_id=chosen.pk if chosen else None)
    page = Paginator(found, PEOPLE_A_PAGE).get_page(request.GET.get("page"))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _now("Phones"),
        "rounds": rounds,
        "chosen": chosen,
        "page": page,
        "phones": page.object_list,
    }
    return TemplateResponse(request, "admin/assessments/kobosubmission/phones.html", context)
