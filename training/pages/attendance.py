"""Attendance on a phone: the trainer's list, and the page behind the QR code in the room."""

from pathlib import Path
from typing import Any, Final

from axes.helpers import get_client_ip_address
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from dtm_ops.common.errors import Refused
from dtm_ops.common.qr import qr_svg
from dtm_ops.common.typesetting import render_pdf
from dtm_ops.common.zones import utc_offset
from training.enums import AttendanceState
from training.forms import PresenceForm
from training.models import Enumerator, TrainingHalfDay, TrainingSession
from training.permissions import can_run_training
from training.selectors.attendance import AttendanceSheet, attendance_sheet, half_day_to_show, paper_sheet
from training.services.attendance import EARLY, can_be_recorded, confirm_presence, not_begun_yet, record_attendance
from training.services.presence_links import find_attendee, half_day_of, presence_path

SHEET: Final = Path(settings.BASE_DIR) / "templates" / "training" / "sheet.typ"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_attendance(request: HttpRequest, code: str) -> HttpResponse:
    """The list of the half-day that goes on, or of the one asked for; a button for each person and state."""
    sheet = attendance_sheet(_training_or_404(request, code), request.user)
    half_day = _chosen(sheet, request.GET.get("half_day", ""))
    if request.method == "POST" and half_day is not None:
        try:
            anchor = _mark(sheet, half_day, request)
        except Refused as refused:
            messages.error(request, str(refused))
            anchor = ""
        return HttpResponseRedirect(f"{request.path}?half_day={half_day.pk}{anchor}")
    return render(request, "training/attendance.html", _describe(sheet, half_day, request))


@never_cache
@require_safe
def print_sheet(request: HttpRequest, code: str) -> HttpResponse:
    """The sheet on paper: names down, half-days across, room for a letter and a signature."""
    sheet = attendance_sheet(_training_or_404(request, code), request.user)
    answer = HttpResponse(render_pdf(SHEET, paper_sheet(sheet)), content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="attendance-{code}.pdf"'
    return answer


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_here(request: HttpRequest, token: str) -> HttpResponse:
    """Behind the QR code. A logged-in enumerator confirms with one tap; others say who they are."""
    half_day = half_day_of(token)
    if half_day is None:
        raise Http404
    person = _person_of(request)
    form = None if person else PresenceForm(request.POST or None)
    context: dict[str, Any] = {"half_day": half_day, "training": half_day.training_session, "person": person,
                               "form": form, "offset": utc_offset(half_day.opens_at)}  # fmt: skip
    now = timezone.now()
    if not can_be_recorded(half_day, at=now):
        context["closed"] = not_begun_yet(half_day)
    elif now > half_day.closes_at:
        context["closed"] = _("This half-day is over. Ask the trainer to record you.")
    elif request.method == "POST" and (form is None or form.is_valid()):
        try:
            context |= _confirm(half_day, person, form, address=get_client_ip_address(request) or "")
        except Refused as refused:
            context["refusal"] = str(refused)
    return render(request, "training/here.html", context)


def _training_or_404(request: HttpRequest, code: str) -> TrainingSession:
    training = TrainingSession.objects.visible_to(request.user).filter(code=code).first()
    if training is None or not can_run_training(request.user):
        raise Http404
    return training


def _chosen(sheet: AttendanceSheet, key: str) -> TrainingHalfDay | None:
    asked = next((one for one in sheet.half_days if str(one.pk) == key), None)
    return asked or half_day_to_show(sheet.half_days, timezone.now(), early=EARLY)


def _mark(sheet: AttendanceSheet, half_day: TrainingHalfDay, request: HttpRequest) -> str:
    """One person, or all that are not recorded yet. Returns where on the page to go on."""
    by = request.user if request.user.is_authenticated else None
    if "rest" in request.POST:
        rest = [one for one in sheet.enrolments if sheet.of(one, half_day) is None]
        record_attendance(half_day, dict.fromkeys(rest, AttendanceState.PRESENT), by=by)
        words = ngettext("%(count)s person recorded as present.", "%(count)s people recorded as present.", len(rest))
        messages.success(request, words % {"count": len(rest)})
        return ""
    key = request.POST.get("enrolment", "")
    enrolment = next((one for one in [*sheet.enrolments, *sheet.without_seat] if str(one.pk) == key), None)
    if enrolment is None:
        raise Refused(_("This person is not on your list any more."), code="not_enrolled")
    reason = request.POST.get("reason", "")
    record_attendance(half_day, {enrolment: request.POST.get("state", "")}, reasons={enrolment: reason}, by=by)
    return f"#p{enrolment.pk}"


def _describe(sheet: AttendanceSheet, half_day: TrainingHalfDay | None, request: HttpRequest) -> dict[str, Any]:
    context: dict[str, Any] = {
        "training": sheet.training_session,
        "half_days": sheet.half_days,
        "half_day": half_day,
        "without_seat": sheet.without_seat,
        "desk": reverse("admin:training_trainingsession_attendance", args=[sheet.training_session.pk]),
    }
    if half_day is None:
        return context
    counts = sheet.counts(half_day)
    address = request.build_absolute_uri(presence_path(half_day))
    open_now = can_be_recorded(half_day)
    return {
        **context,
        "rows": [(enrolment, sheet.of(enrolment, half_day)) for enrolment in sheet.enrolments],
        "states": AttendanceState.choices,
        "counts": [(value, label, counts[value]) for value, label in AttendanceState.choices],
        "not_recorded": counts[""],
        "not_begun": "" if open_now else not_begun_yet(half_day),
        "is_going": open_now and timezone.now() <= half_day.closes_at,
        "offset": utc_offset(half_day.opens_at),
        "here": address,
        "qr": qr_svg(address, title=_("Scan to say that you are here")),
    }


def _person_of(request: HttpRequest) -> Enumerator | None:
    return Enumerator.objects.filter(user=request.user).first() if request.user.is_authenticated else None


def _confirm(
    half_day: TrainingHalfDay, person: Enumerator | None, form: PresenceForm | None, *, address: str
) -> dict[str, Any]:
    if person is None and form is not None:
        person = find_attendee(half_day, **form.cleaned_data, address=address)
    if person is None:
        return {}
    return {"recorded": confirm_presence(half_day, person), "attendee": person}
