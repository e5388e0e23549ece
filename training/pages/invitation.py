"""`/training/invitation/<token>/`: one person's page about one training. Whoever has the link is the person."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from dtm_ops.common.errors import Refused
from dtm_ops.common.zones import utc_offset
from training.enums import SEATED, EnrolmentStatus
from training.models import Attendance, Enrolment
from training.selectors.attendance import half_day_at
from training.selectors.invitations import place_in_line
from training.services.attendance import EARLY, confirm_presence
from training.services.enrolment import reply
from training.services.invitation_mails import enrolment_of

# Classes of the pages' stylesheet.
_TONES: Final[dict[str, str]] = {
    EnrolmentStatus.ENROLLED: "info",
    EnrolmentStatus.INVITED: "info",
    EnrolmentStatus.ACCEPTED: "ok",
    EnrolmentStatus.DECLINED: "quiet",
    EnrolmentStatus.WAITING: "warn",
}


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_invitation(request: HttpRequest, token: str) -> HttpResponse:
    enrolment = enrolment_of(token)
    if enrolment is None:
        raise Http404
    context: dict[str, Any] = {}
    if request.method == "POST":
        try:
            messages.success(request, _act(enrolment, request.POST.get("answer", ""), request.POST.get("note", "")))
            return HttpResponseRedirect(request.path)
        except Refused as refused:
            enrolment.refresh_from_db()
            context = {"refusal": str(refused), "typed": request.POST.get("note", "")}
    return render(request, "training/invitation.html", {**_describe(enrolment), **context})


def _act(enrolment: Enrolment, answer: str, note: str) -> str:
    """What to tell the person."""
    if answer == "here":
        half_day = half_day_at(list(enrolment.training_session.half_days.all()), timezone.now(), early=EARLY)
        if half_day is None:
            raise Refused(_("No half-day of this training goes on now."), code="no_half_day")
        recorded = confirm_presence(half_day, enrolment.enumerator)
        return _("You are recorded: %(state)s.") % {"state": recorded.get_state_display()}
    if answer not in ("accept", "decline"):
        raise Refused(_("Choose one of the answers."), code="no_answer")
    after = reply(enrolment, accepts=answer == "accept", note=note)
    return {
        EnrolmentStatus.ACCEPTED: _("Thank you. Your seat is kept for you."),
        EnrolmentStatus.WAITING: _(
            "All seats are taken. You are on the waiting list, and hear from us when one is free."
        ),
        EnrolmentStatus.DECLINED: _("Thank you for telling us. Your seat goes to somebody else."),
    }[EnrolmentStatus(after.status)]


def _describe(enrolment: Enrolment) -> dict[str, Any]:
    training, now = enrolment.training_session, timezone.now()
    half_days = list(training.half_days.prefetch_related("blocks"))
    recorded = {one.half_day_id: one for one in Attendance.objects.filter(enrolment=enrolment)}
    begins = min((one.opens_at for one in half_days), default=None)
    ends = max((one.closes_at for one in half_days), default=None)
    going = half_day_at(half_days, now, early=EARLY) if enrolment.status in SEATED else None
    return {
        "enrolment": enrolment,
        "person": enrolment.enumerator,
        "training": training,
        "half_days": [(one, recorded.get(one.pk)) for one in half_days],
        "offset": utc_offset(begins),
        "status_tone": _TONES[enrolment.status],
        "may_answer": begins is not None and now < begins,
        "is_over": ends is not None and now >= ends,
        "place_in_line": place_in_line(enrolment),
        "typed": enrolment.reply_note,
        "going": going,
        "is_recorded": going is not None and going.pk in recorded,
    }
