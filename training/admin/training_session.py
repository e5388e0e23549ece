"""Training sessions: half-days, forms covered, who is enrolled; the attendance sheet; giving certificates."""

from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet, URLField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dtm_ops.accounts.models import User
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedTabularInline
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import has_desk
from locations.querysets import scope_of
from training.enums import AttendanceState
from training.forms import CertifyForm
from training.models import Attendance, Enrolment, Enumerator, TrainedForm, TrainingHalfDay, TrainingSession
from training.permissions import can_run_training
from training.selectors import why_not_certified
from training.services.attendance import record_attendance
from training.services.certification import certify_attendees


def _may_run(user: AnyUser, training_session: Any = None) -> bool:
    return can_run_training(user)


_INLINE_RIGHTS = DeskRights(view=has_desk, add=can_run_training, change=_may_run)


def _certify(training_session: TrainingSession, *, user: User, issued_on: date, expires_on: date | None) -> str:
    """For every form that the training covers. Says how many got one, and who did not and what they missed."""
    covered = list(training_session.trained_forms.select_related("form_kind"))
    if not covered:
        raise Refused(_now("This training covers no forms: name them first."), code="form_not_covered")
    told = []
    for form in covered:
        given = certify_attendees(
            training_session,
            form_kind=form.form_kind,
            major_version=form.major_version,
            issued_on=issued_on,
            expires_on=expires_on,
        )
        count = ngettext("%(count)s certificate", "%(count)s certificates", len(given)) % {"count": len(given)}
        told.append(f"{form}: {count}")
    return f"{'; '.join(told)}. {_left_out_in_words(training_session, on=issued_on)}"


def _left_out_in_words(training_session: TrainingSession, *, on: date) -> str:
    left_out = why_not_certified(training_session, on=on)
    if not left_out:
        return _now("Everybody meets the rule.")
    people = "; ".join(f"{person} – {', '.join(reasons)}" for person, reasons in left_out.items())
    return _now("Without a certificate: %(people)s.") % {"people": people}


class HalfDays(UnscopedTabularInline):
    rights = _INLINE_RIGHTS
    model = TrainingHalfDay


class FormsCovered(UnscopedTabularInline):
    rights = _INLINE_RIGHTS
    model = TrainedForm


class Enrolments(UnscopedTabularInline):
    """The people within the reader's reach; others may be enrolled as well."""

    rights = _INLINE_RIGHTS
    model = Enrolment
    autocomplete_fields = ["enumerator"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrolment]:
        own = Enumerator.objects.visible_to(request.user)
        return super().get_queryset(request).filter(enumerator__in=own).select_related("enumerator")

    def get_min_num(self, request: HttpRequest, obj: TrainingSession | None = None, **kwargs: Any) -> int:
        """A coordinator sees a training by own people in it: one without any would be lost from sight."""
        return 0 if obj or scope_of(request.user).everywhere else 1

    def get_formset(self, request: HttpRequest, obj: TrainingSession | None = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, validate_min=True, **kwargs)


@admin.register(TrainingSession)
class TrainingSessionAdmin(VerbAdmin):
    desk_section = DeskSection.PEOPLE
    desk_order = 2
    rights = DeskRights(view=has_desk, add=can_run_training, change=_may_run)
    seen_fields = ()
    change_form_template = "admin/training/trainingsession/change_form.html"
    verbs = (
        Verb(
            name="certify",
            label=_("Give certificates"),
            hint=_(
                "Everybody who was there in every half-day, and passed every test of the training, gets one for each form"
                " covered. Nobody gets a second one."
            ),
            may=_may_run,
            act=_certify,
            form=CertifyForm,
            in_list=False,
        ),
    )
    list_display = ["title", "code", "shown_days", "shown_enrolled", "shown_certificates", "language", "trainer"]
    list_filter = ["language", "trained_forms__form_kind"]
    search_fields = ["code", "title", "venue", "trainer"]
    inlines = [HalfDays, FormsCovered, Enrolments]
    formfield_overrides = {URLField: {"assume_scheme": "https"}}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                first_day=Min("half_days__day"),
                last_day=Max("half_days__day"),
                enrolled=Count("enrolments", distinct=True),
                certified=Count("certificates__enumerator", distinct=True),
            )
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.attendance_view)
        return [
            path("<path:object_id>/attendance/", view, name="training_trainingsession_attendance"),
            *super().get_urls(),
        ]

    def attendance_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One sheet: people within reach down, half-days across. A cell that nobody filled stays not recorded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        training_session = self.get_object(request, unquote(object_id))
        sheet = _Sheet(training_session, request.user)
        may_write = can_run_training(request.user)
        if request.method == "POST":
            if not may_write:
                raise PermissionDenied
            try:
                changed = sheet.save(request.POST)
            except Refused as refused:
                messages.error(request, str(refused))
            else:
                words = ngettext("%(count)s entry written.", "%(count)s entries written.", changed)
                messages.success(request, words % {"count": changed})
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": training_session,
            "title": _("Attendance"),
            "subtitle": str(training_session),
            "half_days": sheet.half_days,
            "rows": sheet.rows,
            "states": AttendanceState.choices,
            "may_write": may_write,
            "back": reverse("admin:training_trainingsession_change", args=[training_session.pk]),
        }
        return TemplateResponse(request, "admin/training/trainingsession/attendance.html", context)

    @admin.display(description=_("days"), ordering="first_day")
    def shown_days(self, row: Any) -> str:
        if row.first_day is None:
            return "–"
        days = [date_format(row.first_day, "SHORT_DATE_FORMAT"), date_format(row.last_day, "SHORT_DATE_FORMAT")]
        return " – ".join(dict.fromkeys(days))

    @admin.display(description=_("enrolled"), ordering="enrolled")
    def shown_enrolled(self, row: Any) -> SafeString:
        address = reverse("admin:training_trainingsession_attendance", args=[row.pk])
        return format_html('<a href="{}">{}</a>', address, row.enrolled)

    @admin.display(description=_("people certified"), ordering="certified")
    def shown_certificates(self, row: Any) -> int:
        return int(row.certified)


class _Sheet:
    """The attendance of a training session, as far as the user reaches."""

    def __init__(self, training_session: TrainingSession, user: AnyUser) -> None:
        self.half_days = list(training_session.half_days.all())
        own = Enumerator.objects.visible_to(user)
        self.enrolments = list(training_session.enrolments.filter(enumerator__in=own).select_related("enumerator"))
        self.written = {
            (one.enrolment_id, one.half_day_id): one.state
            for one in Attendance.objects.filter(enrolment__in=self.enrolments)
        }

    @property
    def rows(self) -> list[tuple[Enumerator, list[tuple[str, TrainingHalfDay, str]]]]:
        return [
            (
                enrolment.enumerator,
                [
                    (_cell(enrolment, half_day), half_day, self.written.get((enrolment.pk, half_day.pk), ""))
                    for half_day in self.half_days
                ],
            )
            for enrolment in self.enrolments
        ]

    @transaction.atomic
    def save(self, posted: Any) -> int:
        """Writes the cells that differ from what is recorded. Returns how many."""
        changed = 0
        for half_day in self.half_days:
            states = {
                enrolment: state
                for enrolment in self.enrolments
                if (state := posted.get(_cell(enrolment, half_day), ""))
                and state != self.written.get((enrolment.pk, half_day.pk))
            }
            if states:
                record_attendance(half_day, states)
            changed += len(states)
        return changed


def _cell(enrolment: Enrolment, half_day: TrainingHalfDay) -> str:
    return f"state-{enrolment.pk}-{half_day.pk}"
