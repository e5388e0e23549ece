"""`/my/`: the enumerator's own page, light enough for a weak network. Whoever is no enumerator finds nothing here."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from assessments.kobo.errors import KoboError, KoboUnavailable
from assessments.messages import kobo_message
from assessments.models import KoboForm
from assessments.selectors import own_work
from assessments.services.kobo_editing import edit_address
from locations.permissions import is_enumerator
from training.models import Enumerator
from training.selectors.invitations import coming_trainings
from training.services.invitation_mails import invitation_path

SENT_A_PAGE = 10


@never_cache
@require_safe
def show_my_work(request: HttpRequest) -> HttpResponse:
    if not is_enumerator(request.user):
        raise Http404
    person = own_work.person_of(request.user)
    return render(request, "assessments/my.html", _work_of(person, request) if person else {})


@require_safe
def open_form(request: HttpRequest, code: str) -> HttpResponse:
    """To the Kobo form, with the focus group chosen."""
    person = _person_or_404(request)
    found = own_work.own_focus_group(person, code)
    page = web_page_of(found[1]) if found else ""
    if found is None or not page:
        raise Http404
    focus_group, form = found
    address = own_work.form_address(
        focus_group, form, person=person, page=page, **{"as": person.kobo_username, "lang": get_language() or ""}
    )
    return HttpResponseRedirect(address)


@never_cache
@require_safe
def edit_returned(request: HttpRequest, kobo_id: int) -> HttpResponse:
    """To the very form that came back, opened for correction at Kobo; what Kobo says instead is told in words."""
    submission = own_work.returned_form(_person_or_404(request), kobo_id)
    if submission is None:
        raise Http404
    try:
        return HttpResponseRedirect(edit_address(submission))
    except KoboError as error:
        status = 503 if isinstance(error, KoboUnavailable) else 502
        context = {"why": kobo_message(error.code, error.params), "is_passing": status == 503, "submission": submission}
        return render(request, "assessments/my_kobo_error.html", context, status=status)


def web_page_of(form: KoboForm) -> str:
    """The address of the form's page in a browser; "" where it is filled in KoboCollect alone.

    KoboToolbox hands out web form addresses one by one, so an administrator writes them down; the practice server's
    follow from the project.
    """
    if form.web_form_url:
        return form.web_form_url
    base_url = form.server.base_url.rstrip("/")
    is_practice = bool(settings.PRACTICE_KOBO_URL) and base_url == settings.PRACTICE_KOBO_URL.rstrip("/")
    return f"{base_url}/x/{form.asset_uid}" if is_practice else ""


def _person_or_404(request: HttpRequest) -> Enumerator:
    person = own_work.person_of(request.user)
    if person is None:
        raise Http404
    return person


def _work_of(person: Enumerator, request: HttpRequest) -> Mapping[str, Any]:
    groups = own_work.own_focus_groups(person)
    page = Paginator(own_work.sent_forms(person), SENT_A_PAGE).get_page(request.GET.get("page"))
    return {
        "person": person,
        "openable": {group.focus_group.code for group in groups if group.form and web_page_of(group.form)},
        "returned": own_work.returned_forms(person),
        "coming": [group for group in groups if not group.is_over],
        "to_send": [group for group in groups if group.is_over],
        "sent": own_work.with_places(page.object_list),
        "page": page,
        "trainings": [(row, invitation_path(row)) for row in coming_trainings(person, on=timezone.localdate())],
        "certificates": own_work.own_certificates(person),
        "tasks": own_work.own_tasks(person),
    }
