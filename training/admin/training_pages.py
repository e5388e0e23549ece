"""Pages of one training session beside its form: attendance, its sheet, people and invitations, the agenda."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import modelformset_factory
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.common.exports import table_response
from dtm_ops.common.names import named
from dtm_ops.common.tables import MOST_BYTES, TableError, read_table
from dtm_ops.records.verbs import VerbAdmin
from training.enums import AttendanceState
from training.models import AgendaBlock, CourseBlock, Enrolment, Enumerator, TrainingHalfDay, TrainingSession
from training.permissions import can_run_training
from training.selectors.attendance import AttendanceSheet, attendance_sheet
from training.selectors.invitations import invitation_list
from training.services.attendance import can_be_recorded, not_begun_yet, record_attendance
from training.services.attendance_sheet import LETTERS, Mark, SheetReading, read_sheet, record_sheet, sheet_rows
from training.services.enrolment import reply
from training.services.invitation_mails import invitation_address

# Between the check of a file and the word to write it.
CHECK_HOLDS = 60 * 60  # seconds


class SheetFileForm(forms.Form):
    file = forms.FileField(label=_("File"))

    def clean_file(self) -> Any:
        chosen = self.cleaned_data["file"]
        if chosen.size > MOST_BYTES:
            raise forms.ValidationError(
                _now("The file is larger than %(most)s MB.") % {"most": MOST_BYTES // 1024 // 1024}
            )
        return chosen


class TrainingPages(VerbAdmin):
    def get_urls(self) -> list[URLPattern]:
        pages = (
            ("attendance/", self.attendance_view, "attendance"),
            ("attendance/sheet.xlsx", self.sheet_view, "attendance_sheet"),
            ("attendance/import/", self.import_view, "attendance_import"),
            ("people/", self.people_view, "people"),
            ("agenda/", self.agenda_view, "agenda"),
        )
        own = [
            path(f"<path:object_id>/{end}", self.admin_site.admin_view(view), name=f"training_trainingsession_{name}")
            for end, view, name in pages
        ]
        return [*own, *super().get_urls()]

    def attendance_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One sheet: people within reach down, half-days across. A cell that nobody filled stays not recorded."""
        drawn_at = _instant(timezone.now())
        training, by = self._open(request, object_id)
        sheet = attendance_sheet(training, request.user)
        if request.method == "POST":
            try:
                changed, left = _save_cells(sheet, request.POST, by=by)
            except Refused as refused:
                messages.error(request, str(refused))
            else:
                words = ngettext("%(count)s entry written.", "%(count)s entries written.", changed)
                messages.success(request, words % {"count": changed})
                if left:
                    told = _now("Somebody else wrote these meanwhile, and they stay as they are: %(cells)s.")
                    messages.warning(request, told % {"cells": "; ".join(left)})
            return HttpResponseRedirect(request.path)
        context = {
            "half_days": [(half_day, _closed(half_day)) for half_day in sheet.half_days],
            "rows": [
                (enrolment.enumerator, [_Cell(sheet, enrolment, half_day) for half_day in sheet.half_days])
                for enrolment in sheet.enrolments
            ],
            "without_seat": sheet.without_seat,
            "states": AttendanceState.choices,
            "drawn_at": drawn_at,
        }
        return self._page(request, training, "attendance", _("Attendance"), context)

    def sheet_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The sheet as a workbook, to fill in and bring back."""
        training, _by = self._open(request, object_id)
        header, rows = sheet_rows(attendance_sheet(training, request.user))
        return table_response("xlsx", name=f"attendance-{training.code}", header=header, rows=rows)

    def import_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """First a check that shows every fault and every change, then all of it or nothing."""
        training, by = self._open(request, object_id)
        sheet = attendance_sheet(training, request.user)
        if request.method == "POST" and "checked" in request.POST:
            return self._import_checked(request, training, sheet, by)
        form = SheetFileForm(request.POST or None, request.FILES or None)
        context: dict[str, Any] = {
            "form": form,
            "letters": [(code, list(row.values())) for code, row in LETTERS.items()],
        }
        if request.method == "POST" and form.is_valid():
            try:
                reading = read_sheet(read_table(form.cleaned_data["file"].read()), sheet)
            except TableError as error:
                form.add_error("file", str(error))
            else:
                context["reading"] = reading
                context["checked"] = "" if reading.faults else _pack(reading, training, sheet, by)
        return self._page(request, training, "attendance_import", _("Attendance from a sheet"), context)

    def people_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Who was asked and what they said. Who may write sees each own link, for who has no mailbox: whoever has it
        answers as that person.
        """
        training, by = self._open(request, object_id)
        if request.method == "POST":
            try:
                self._write_reply(request, training, by)
            except Refused as refused:
                messages.error(request, str(refused))
            return HttpResponseRedirect(request.path)
        may_write = can_run_training(request.user)
        people = [
            (one, invitation_address(one.enrolment) if may_write else "")
            for one in invitation_list(training, request.user)
        ]
        return self._page(request, training, "people", _("People and invitations"), {"people": people})

    def agenda_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        training, _by = self._open(request, object_id)
        blocks = AgendaBlock.objects.filter(half_day__training_session=training).order_by(
            "half_day__day", "half_day__part", "order", "pk"
        )
        formset_class = modelformset_factory(
            AgendaBlock, form=_agenda_form(training), extra=3, can_delete=can_run_training(request.user)
        )
        formset = formset_class(request.POST if request.method == "POST" else None, queryset=blocks)
        if request.method == "POST" and formset.is_valid():
            with transaction.atomic():
                formset.save()
            messages.success(request, _now("The agenda is saved."))
            return HttpResponseRedirect(request.path)
        context = {"formset": formset, "topics": _known_topics(training), "half_days": training.half_days.count()}
        return self._page(request, training, "agenda", _("Agenda"), context)

    def _open(self, request: HttpRequest, object_id: str) -> tuple[TrainingSession, User | None]:
        """404 out of reach, 403 for who may not write what they post."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        training: TrainingSession = self.get_object(request, unquote(object_id))
        if request.method == "POST" and not can_run_training(request.user):
            raise PermissionDenied
        return training, request.user if request.user.is_authenticated else None

    def _page(
        self, request: HttpRequest, training: TrainingSession, name: str, title: Promise | str, context: dict[str, Any]
    ) -> HttpResponse:
        whole = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": training,
            "title": title,
            "subtitle": str(training),
            "may_write": can_run_training(request.user),
            "back": reverse("admin:training_trainingsession_change", args=[training.pk]),
            **context,
        }
        return TemplateResponse(request, f"admin/training/trainingsession/{name}.html", whole)

    def _import_checked(
        self, request: HttpRequest, training: TrainingSession, sheet: AttendanceSheet, by: User | None
    ) -> HttpResponse:
        try:
            written = record_sheet(_unpack(request.POST["checked"], training, sheet, by), by=by)
        except Refused as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(request.path)
        words = ngettext("%(count)s entry written.", "%(count)s entries written.", written)
        messages.success(request, words % {"count": written})
        return HttpResponseRedirect(reverse("admin:training_trainingsession_attendance", args=[training.pk]))

    def _write_reply(self, request: HttpRequest, training: TrainingSession, by: User | None) -> None:
        own = Enumerator.objects.visible_to(request.user)
        key = request.POST.get("enrolment", "")
        rows = training.enrolments.filter(enumerator__in=own, pk=key if key.isdecimal() else None)
        enrolment = rows.select_related("training_session").first()
        answer = request.POST.get("answer")
        if enrolment is None or answer not in ("accept", "decline"):
            raise Refused(_now("This person is not on your list any more."), code="not_enrolled")
        after = reply(enrolment, accepts=answer == "accept", note=request.POST.get("note", ""), by=by)
        messages.success(request, f"{after.enumerator}: {after.get_status_display()}")


@dataclass
class _Cell:
    """One person in one half-day, for the template."""

    sheet: AttendanceSheet
    enrolment: Enrolment
    half_day: TrainingHalfDay

    @property
    def name(self) -> str:
        return _cell(self.enrolment, self.half_day)

    @property
    def recorded(self) -> Any:
        return self.sheet.of(self.enrolment, self.half_day)

    @property
    def closed(self) -> str:
        return _closed(self.half_day)


def _cell(enrolment: Enrolment, half_day: TrainingHalfDay) -> str:
    return f"{enrolment.pk}-{half_day.pk}"


def _closed(half_day: TrainingHalfDay) -> str:
    """Why its cells are greyed; "": they are not."""
    return "" if can_be_recorded(half_day) else not_begun_yet(half_day)


def _instant(moment: datetime) -> str:
    """Sorts by time as text; all are UTC."""
    return moment.isoformat(timespec="microseconds")


@transaction.atomic
def _save_cells(sheet: AttendanceSheet, posted: Any, *, by: User | None) -> tuple[int, list[str]]:
    """Writes the cells that differ from what is recorded. Returns how many, and in words those that were recorded after
    the page was drawn (on a phone, by a link): they are not overwritten by what the page still showed.
    """
    changed, left = 0, []
    drawn_at = posted.get("drawn_at") or _instant(timezone.now())
    for half_day in sheet.half_days:
        states, reasons = {}, {}
        for enrolment in sheet.enrolments:
            cell, recorded = _cell(enrolment, half_day), sheet.of(enrolment, half_day)
            state = posted.get(f"state-{cell}", "")
            reason = "" if state == AttendanceState.PRESENT else posted.get(f"reason-{cell}", "").strip()
            if not state or (recorded is not None and (state, reason) == (recorded.state, recorded.reason)):
                continue
            if recorded is not None and _instant(recorded.recorded_at) > drawn_at:
                left.append(f"{enrolment}, {half_day} ({recorded.get_state_display()})")
            else:
                states[enrolment], reasons[enrolment] = state, reason
        if states:
            record_attendance(half_day, states, reasons=reasons, by=by)
        changed += len(states)
    return changed, left


def _salt(training: TrainingSession, by: User | None) -> str:
    return f"training.attendance_sheet:{training.pk}:{by.pk if by else ''}"


def _pack(reading: SheetReading, training: TrainingSession, sheet: AttendanceSheet, by: User | None) -> str:
    """What the check found, carried by the page and signed: the file itself is not kept. Each with what it replaces."""
    rows = [
        [mark.enrolment.pk, mark.half_day.pk, mark.state, mark.reason, _recorded(sheet, mark.enrolment, mark.half_day)]
        for mark in reading.marks
    ]
    return signing.dumps(rows, salt=_salt(training, by), compress=True)


def _unpack(packed: str, training: TrainingSession, sheet: AttendanceSheet, by: User | None) -> list[Mark]:
    try:
        rows = signing.loads(packed, salt=_salt(training, by), max_age=CHECK_HOLDS)
    except signing.BadSignature:
        raise Refused(_now("The file was checked too long ago. Choose it again."), code="check_too_old") from None
    people = {one.pk: one for one in [*sheet.enrolments, *sheet.without_seat]}
    days = {one.pk: one for one in sheet.half_days}
    if any(
        row[0] not in people or row[1] not in days or _recorded(sheet, people[row[0]], days[row[1]]) != row[4]
        for row in rows
    ):
        raise Refused(
            _now("Something changed since the check: nothing was imported. Choose the file again to see what."),
            code="changed_meanwhile",
        )
    return [Mark(people[row[0]], days[row[1]], row[2], row[3], "") for row in rows]


def _recorded(sheet: AttendanceSheet, enrolment: Enrolment, half_day: TrainingHalfDay) -> list[str]:
    recorded = sheet.of(enrolment, half_day)
    return [recorded.state, recorded.reason] if recorded else []


def _agenda_form(training: TrainingSession) -> type["forms.ModelForm[AgendaBlock]"]:
    half_days = training.half_days.all()

    class AgendaForm(forms.ModelForm):
        half_day = forms.ModelChoiceField(label=_("Half-day"), queryset=half_days, empty_label=None)

        class Meta:
            model = AgendaBlock
            fields = ["half_day", "order", "minutes", "topic", "speaker"]
            widgets = {"topic": forms.TextInput({"list": "topics", "class": "vTextField", "autocomplete": "off"})}

        def has_changed(self) -> bool:
            """A new line always says a half-day and an order: it is blank until something else is typed."""
            changed = set(self.changed_data)
            return bool(changed if self.instance.pk else changed - {"half_day", "order"})

    return AgendaForm


def _known_topics(training: TrainingSession) -> list[str]:
    """Of all courses, in the training's language: to choose from while typing."""
    found = CourseBlock.objects.values_list("topics", flat=True)
    return sorted({named(topics, fallback="", language=training.language) for topics in found} - {""})
