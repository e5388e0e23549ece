"""Forms to match: what found no target or no person, one line for all that is typed alike, each suggestion a button."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _now
from django.utils.translation import ngettext

from assessments.enums import MatchProblem, TypedKind
from assessments.models import AssessmentRound, FocusGroupSession, MatchAlias, RoundTarget
from assessments.permissions import can_change_rounds, can_match
from assessments.selectors.match_queue import NO_PERSON, Line, choices, match_queue, waiting, with_suggestions
from assessments.services.settling import Meant, Settled, apply_again, settle, take_back
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import VerbAdmin
from training.models import Enumerator

LINES_A_PAGE = 20


def queue_url(model_admin: VerbAdmin) -> URLPattern:
    """For `KoboSubmissionAdmin.get_urls`."""

    def view(request: HttpRequest) -> HttpResponse:
        return _show_queue(model_admin, request)

    return path("to-match/", model_admin.admin_site.admin_view(view), name="assessments_kobosubmission_to_match")


def _show_queue(model_admin: VerbAdmin, request: HttpRequest) -> HttpResponse:
    """All lines, or by ``round``, ``kind`` and ``key`` one, with a search for what else it may mean."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        if not can_match(request.user):
            raise PermissionDenied
        return _act(request)
    is_one = "key" in request.GET
    lines = _one_line(request) if is_one else match_queue(request.user)
    page = Paginator(lines, LINES_A_PAGE).get_page(request.GET.get("page"))
    asked = request.GET.get("q", "").strip()[:100] if is_one else ""
    may = can_match(request.user)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _now("Forms to match"),
        "page": page,
        "lines": [_shown(line, request) for line in with_suggestions(list(page.object_list), request.user)],
        "waiting": waiting(request.user).count(),
        "is_one": is_one,
        "asked": asked,
        "found": choices(lines[0], asked, request.user) if is_one and asked and lines else [],
        "may": may,
        "here": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/assessments/kobosubmission/to_match.html", context)


def _one_line(request: HttpRequest) -> list[Line]:
    """Of several kinds of form with the same word, the first; what is settled once holds for all of them."""
    number = request.GET.get("round", "")
    if not number.isdecimal() or len(number) > 18:
        raise Http404
    lines = match_queue(
        request.user, round_id=int(number), kind=request.GET.get("kind", ""), key=request.GET.get("key", "")
    )
    form_kind = request.GET.get("form_kind", "")
    return [line for line in lines if not form_kind or line.form_kind.code == form_kind][:1]


def _shown(line: Line, request: HttpRequest) -> dict[str, Any]:
    here = {"round": line.round.pk, "kind": line.kind, "key": line.key, "form_kind": line.form_kind.code}
    add = ""
    if line.cause == MatchProblem.NOT_PLANNED and line.place and can_change_rounds(request.user):
        wanted = {"round": line.round.pk, "unit": line.place.pk, "form_kind": line.form_kind.pk}
        add = f"{reverse('admin:assessments_roundtarget_add')}?{urlencode(wanted)}"
    return {
        "line": line,
        "alone": f"{reverse('admin:assessments_kobosubmission_to_match')}?{urlencode(here)}",
        "add_target": add,
        "asks_what": _QUESTIONS.get(line.kind, _no_name if line.cause == NO_PERSON else _by_hand)(),
    }


def _by_hand() -> str:
    return _now("Nothing is typed that could be settled for all. Open each form and match it by hand.")


def _no_name() -> str:
    return _now("The form names nobody, and no account sent it. Open it and say who filled it in.")


_QUESTIONS = {
    TypedKind.PERSON.value: lambda: _now("Who is meant?"),
    TypedKind.PLACE.value: lambda: _now("Which place of the plan is meant?"),
    TypedKind.FOCUS_GROUP.value: lambda: _now("Which focus group is meant?"),
}


def _act(request: HttpRequest) -> HttpResponse:
    """To the list, where the next line waits; back to the line where nothing came of it."""
    user: Any = request.user
    try:
        settled = _do(request, user)
    except Refused as refused:
        messages.error(request, str(refused))
        return HttpResponseRedirect(request.get_full_path())
    words = ngettext(
        "%(alias)s. %(count)s form was matched.", "%(alias)s. %(count)s forms were matched.", settled.matched
    )
    messages.success(request, words % {"alias": settled.alias, "count": settled.matched})
    return HttpResponseRedirect(reverse("admin:assessments_kobosubmission_to_match"))


def _do(request: HttpRequest, user: User) -> Settled:
    round_ = AssessmentRound.objects.visible_to(user).filter(pk=_key(request, "round")).first()
    if round_ is None:
        raise Refused(_now("Choose what is meant."), code="incomplete")
    kind, typed = request.POST.get("kind", ""), request.POST.get("typed", "")
    if "again" in request.POST:
        return apply_again(round_, kind, typed, by=user)
    meant = _meant(kind, _key(request, "meant"), user)
    if meant is None:
        raise Refused(_now("Choose what is meant."), code="incomplete")
    return settle(round_, kind, typed, meant, by=user)


def _key(request: HttpRequest, name: str) -> int:
    """0: none that could be one."""
    text = request.POST.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _meant(kind: str, key: int, user: User) -> Meant | None:
    """Within the user's reach."""
    if kind == TypedKind.PERSON:
        people = Enumerator.objects.visible_to(user).select_related("home_unit", "merged_into")
        return people.filter(pk=key).first()
    if kind == TypedKind.PLACE:
        targets = RoundTarget.objects.visible_to(user).select_related("unit", "form_kind")
        return targets.filter(pk=key).first()
    groups = FocusGroupSession.objects.visible_to(user).select_related("target__unit")
    return groups.filter(pk=key).first() if kind == TypedKind.FOCUS_GROUP else None


def take_back_words(alias: MatchAlias, *, user: User) -> str:
    """For the verb of the list of settled spellings."""
    back = take_back(alias, by=user)
    words = ngettext(
        "“%(typed)s” is open again. %(count)s form waits again.",
        "“%(typed)s” is open again. %(count)s forms wait again.",
        back.matched,
    )
    return words % {"typed": alias.typed, "count": back.matched}
