"""`/people/<code>/`: one person in one line of time, for the desk that reaches them and for the person."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from assessments.enums import TimelineKind
from assessments.pages.rounds import desk_address
from assessments.selectors.own_work import own_certificates, places_above
from assessments.selectors.phones import phone_of
from assessments.selectors.timeline import Event, receipts_of, timeline
from dtm_ops.records.models import Receipt
from training.enums import EnumeratorStatus
from training.models import Enumerator, TeamMembership
from training.permissions import can_change_roster

EVENTS_A_PAGE = 30
_LANGUAGES = dict(settings.LANGUAGES)
TONES = {EnumeratorStatus.ACTIVE: "ok", EnumeratorStatus.INACTIVE: "warn", EnumeratorStatus.LEFT: "bad"}


@never_cache
@require_safe
def show_person(request: HttpRequest, code: str) -> HttpResponse:
    person = _person_or_404(request, code)
    if person.merged_into is not None:
        return HttpResponseRedirect(reverse("person", args=[person.merged_into.code]))
    kind = request.GET.get("kind", "")
    if kind and kind not in TimelineKind.values:
        raise Http404
    page = Paginator(timeline(person, kind=kind), EVENTS_A_PAGE).get_page(request.GET.get("page"))
    today = timezone.localdate()
    memberships = TeamMembership.objects.on(today).filter(enumerator=person).select_related("team")
    certificates = own_certificates(person, on=today)
    context = {
        "person": person,
        "tone": TONES[EnumeratorStatus(person.status)],
        "places": places_above([person.home_unit])[person.home_unit_id],
        "languages": [_LANGUAGES.get(code, code) for code in person.languages],
        "contacts": person.user_id == request.user.pk or can_change_roster(request.user, person),
        "memberships": list(memberships),
        "certificates": sorted(
            {f"{one.certificate.form_kind} {one.certificate.major_version}" for one in certificates if one.is_valid}
        ),
        "phone": phone_of(person),
        "absence": person.absences.on(today).first(),
        "desk": desk_address(request, person),
        "kinds": _kinds(kind),
        "kind": kind,
        "page": page,
        "events": [(event, _address(request, person, event)) for event in page.object_list],
        "query": urlencode({"kind": kind}) if kind else "",
        "today": today,
    }
    return render(request, "assessments/person.html", context)


@never_cache
@require_safe
def show_receipt(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """What one act did to the person's rows, to be read and printed."""
    person = _person_or_404(request, code)
    people = [person.pk, *person.merged.values_list("pk", flat=True)]
    receipt = get_object_or_404(receipts_of(people).select_related("by"), pk=pk)
    return render(request, "assessments/person_receipt.html", {"person": person, "receipt": receipt})


def _person_or_404(request: HttpRequest, code: str) -> Enumerator:
    people = Enumerator.objects.visible_to(request.user).select_related("home_unit", "merged_into", "user")
    return get_object_or_404(people, code=code)


def _kinds(chosen: str) -> list[tuple[str, Any, bool]]:
    return [(kind.value, kind.label, kind == chosen) for kind in TimelineKind]


def _address(request: HttpRequest, person: Enumerator, event: Event) -> str:
    if isinstance(event.row, Receipt):
        return reverse("person_receipt", args=[person.code, event.row.pk])
    return desk_address(request, event.row)
