"""`/`: leads each role to its work. Every number opens the rows behind it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from assessments.messages import run_message
from assessments.permissions import can_approve_finally, can_connect_kobo, can_match, can_plan, can_review
from assessments.selectors import desk
from assessments.selectors.desk import FormSync, Waiting
from locations.permissions import can_change_gazetteer, has_desk, is_enumerator

LABELS: Mapping[str, Promise] = {
    "received": _("Forms to review"),
    "approved_first": _("Waiting for the final approval"),
    "changed": _("Changed after approval"),
    "returned": _("Returned, not corrected yet"),
    "to_match": _("Forms to match"),
    "unreadable": _("Forms that cannot be read"),
    "overdue": _("Overdue focus groups"),
    "this_week": _("Focus groups in the next seven days"),
    "no_date": _("Focus groups without a date"),
}

# Those with a page of their own; the others open the list.
PAGES: Mapping[str, str] = {
    "to_match": "admin:assessments_kobosubmission_to_match",
    "unreadable": "admin:assessments_kobosubmission_unreadable",
}


@dataclass(frozen=True, slots=True)
class Tile:
    label: Promise
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class SyncLine:
    sync: FormSync
    says: str


@dataclass(frozen=True, slots=True)
class SyncAlert:
    """``since``: when the first of them went wrong; None: not known."""

    count: int
    since: datetime | None
    address: str


@never_cache
@require_safe
def show_home(request: HttpRequest) -> HttpResponse:
    """An enumerator alone has one page; whoever has no role is told whom to ask."""
    user = request.user
    if not has_desk(user):
        return redirect("my_work") if is_enumerator(user) else render(request, "assessments/home_no_role.html")
    syncs = desk.forms_in_sync(user)
    context = {
        "alert": _alert(syncs),
        "forms": _tiles(desk.waiting_forms(user), "kobosubmission", _review_codes(user)),
        "focus_groups": _tiles(desk.waiting_focus_groups(user), "focusgroupsession", _plan_codes(user)),
        "rounds": desk.rounds_in_view(user),
        "syncs": [SyncLine(one, run_message(one.run) if one.run else "") for one in syncs],
        "is_enumerator": is_enumerator(user),
        "connects_kobo": can_connect_kobo(user),
        "gives_rights": can_change_gazetteer(user),
    }
    return render(request, "assessments/home.html", context)


def _alert(syncs: Sequence[FormSync]) -> SyncAlert | None:
    """Forms whose copy here is not known to be whole, or is late; None: all is well."""
    bad = [one for one in syncs if one.needs_somebody]
    if not bad:
        return None
    forms = "admin:assessments_koboform"
    one_alone = len(bad) == 1
    page = reverse(f"{forms}_change", args=[bad[0].form.pk]) if one_alone else reverse(f"{forms}_changelist")
    return SyncAlert(len(bad), min((one.since for one in bad if one.since), default=None), page)


@require_safe
def show_current_round(request: HttpRequest, page: str) -> HttpResponse:
    """`/coverage/` and `/reports/`: on to the round that is meant; where there is none yet, home says so."""
    if not has_desk(request.user):
        raise Http404
    found = desk.current_round(request.user)
    return redirect(page, found.code) if found else redirect("home")


def _review_codes(user: Any) -> tuple[str, ...]:
    if can_approve_finally(user):
        return ("received", "approved_first", "changed", "returned", "to_match", "unreadable")
    if can_review(user):
        return ("received", "changed", "returned", "to_match", "unreadable")
    return ("to_match", "unreadable") if can_match(user) else ()


def _plan_codes(user: Any) -> tuple[str, ...]:
    return ("overdue", "this_week", "no_date") if can_plan(user) else ("overdue", "this_week")


def _tiles(found: Mapping[str, Waiting], rows: str, codes: Iterable[str]) -> list[Tile]:
    return [Tile(LABELS[code], found[code].count, _address(found[code], rows)) for code in codes]


def _address(waiting: Waiting, rows: str) -> str:
    if waiting.code in PAGES:
        return reverse(PAGES[waiting.code])
    return f"{reverse('admin:index')}assessments/{rows}/?{urlencode(_as_text(waiting.lookups))}"


def _as_text(lookups: Mapping[str, Any]) -> dict[str, str]:
    """As the admin's list reads them from an address."""
    return {name: _value(value) for name, value in lookups.items()}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime) else str(value)
