"""The score sheet of a training: people down, tests across, one screen to type what stands on paper."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dtm_ops.common.desk import AnyUser
from training.admin.training_pages import TrainingPages
from training.enums import SEATED, TestPart
from training.models import Enrolment, Enumerator, TestAttempt, TrainingSession
from training.selectors.certification import pass_marks_of, percent_of, why_not_certified
from training.services.attempts import Score, ScoresRefused, faults_of, open_book, record_attempts


class SheetForm(forms.Form):
    """What is the same for the whole sheet."""

    taken_on = forms.DateField(label=_("Taken on"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    examiner = forms.CharField(label=_("Examiner"), max_length=160, required=False)
    out_of_theory = forms.DecimalField(label=_("Theory: out of"), min_value=0, max_digits=6, decimal_places=2)
    out_of_practical = forms.DecimalField(label=_("Practical: out of"), min_value=0, max_digits=6, decimal_places=2)

    def __init__(self, data: Any = None, *, parts: list[str], taken_on: date, examiner: str) -> None:
        hundred = Decimal(100)
        initial = {"taken_on": taken_on, "examiner": examiner, "out_of_theory": hundred, "out_of_practical": hundred}
        super().__init__(data, initial=initial)
        for part in set(TestPart.values) - set(parts):
            del self.fields[f"out_of_{part}"]


@dataclass(slots=True)
class Cell:
    """``name`` tells which attempt it would be: who typed the same meanwhile is told, not doubled."""

    name: str
    part: str
    number: int
    attempts: list[TestAttempt]
    typed: str = ""
    fault: str = ""

    @property
    def so_far(self) -> str:
        return ", ".join(percent_of(one) for one in self.attempts)

    @property
    def has_passed(self) -> bool:
        return any(one.passed for one in self.attempts)


@dataclass(slots=True)
class ScoreSheet:
    """The people with a seat within the user's reach, and the tests that the training has."""

    training_session: TrainingSession
    user: AnyUser
    parts: list[str] = field(init=False)
    rows: list[tuple[Enumerator, list[Cell]]] = field(init=False)
    missing: dict[Enumerator, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = [part for part, mark in pass_marks_of(self.training_session).items() if mark is not None]
        own = Enumerator.objects.visible_to(self.user)
        seats = self.training_session.enrolments.filter(enumerator__in=own, status__in=SEATED)
        enrolments = list(seats.select_related("enumerator").order_by("enumerator__code"))
        taken: dict[tuple[int, str], list[TestAttempt]] = {}
        for attempt in TestAttempt.objects.filter(training_session=self.training_session).order_by("number"):
            taken.setdefault((attempt.enumerator_id, attempt.part), []).append(attempt)
        self.rows = [
            (one.enumerator, [_cell(one, part, taken.get((one.enumerator_id, part), [])) for part in self.parts])
            for one in enrolments
        ]
        self.missing = why_not_certified(self.training_session)

    @property
    def shown_rows(self) -> list[tuple[Enumerator, list[Cell], list[str]]]:
        """Each person with the cells, and what is missing for a certificate."""
        return [(person, cells, self.missing.get(person, [])) for person, cells in self.rows]

    @property
    def usual_day(self) -> date:
        """The last day of the training, unless that is still to come."""
        last = self.training_session.half_days.order_by("-day").values_list("day", flat=True).first()
        return min(last or timezone.localdate(), timezone.localdate())

    def read(self, posted: Mapping[str, str], shared: Mapping[str, Any]) -> list[tuple[Cell, Score]]:
        """What was typed, cell by cell; a cell that is no number keeps its text and says so."""
        found = []
        for person, cells in self.rows:
            for cell in cells:
                cell.typed, number = _typed(posted, cell)
                if not cell.typed:
                    continue
                try:
                    points = Decimal(cell.typed.replace(",", "."))
                except InvalidOperation:
                    cell.fault = _now("“%(value)s” is not a number") % {"value": cell.typed}
                    continue
                out_of = shared[f"out_of_{cell.part}"]
                score = Score(
                    person, cell.part, points, shared["taken_on"], out_of=out_of, examiner=shared["examiner"],
                    number=number,
                )  # fmt: skip
                found.append((cell, score))
        return found

    @property
    def has_faults(self) -> bool:
        return any(cell.fault for _person, cells in self.rows for cell in cells)


class ScoreSheetPage(TrainingPages):
    """One page more for training sessions."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.scores_view)
        return [path("<path:object_id>/scores/", view, name="training_trainingsession_scores"), *super().get_urls()]

    def scores_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A filled cell is one more attempt. All are written, or none, and every fault stands at its cell."""
        training_session, _by = self._open(request, object_id)
        sheet = ScoreSheet(training_session, request.user)
        data = request.POST if request.method == "POST" else None
        form = SheetForm(data, parts=sheet.parts, taken_on=sheet.usual_day, examiner=training_session.trainer)
        if data is not None:
            written = self._write(request, sheet, form)
            if written is not None:
                words = ngettext("%(count)s result written.", "%(count)s results written.", written)
                messages.success(request, words % {"count": written})
                return HttpResponseRedirect(request.path)
        context = {
            "sheet": sheet,
            "form": form,
            "heads": [(TestPart(part).label, pass_marks_of(training_session)[part]) for part in sheet.parts],
            "from_file": reverse("admin:training_testattempt_import"),
        }
        return self._page(request, training_session, "scores", _("Test scores"), context)

    def _write(self, request: Any, sheet: ScoreSheet, form: SheetForm) -> int | None:
        """How many results were written; None: something is wrong, and said."""
        if not form.is_valid():
            # What was typed into the cells stays.
            for _person, cells in sheet.rows:
                for cell in cells:
                    cell.typed = _typed(request.POST, cell)[0]
            return None
        scores = sheet.read(request.POST, form.cleaned_data)
        if sheet.has_faults:
            book = open_book(sheet.training_session)
            for cell, score in scores:
                cell.fault = " ".join(faults_of(score, book).values())
            return None
        try:
            return len(record_attempts(sheet.training_session, [score for _cell, score in scores], by=request.user))
        except ScoresRefused as refused:
            for place, fault in refused.faults.items():
                scores[place][0].fault = fault
            return None


def _cell(enrolment: Enrolment, part: str, attempts: list[TestAttempt]) -> Cell:
    number = attempts[-1].number + 1 if attempts else 1
    return Cell(f"points-{enrolment.pk}-{part}", part, number, attempts)


def _typed(posted: Mapping[str, str], cell: Cell) -> tuple[str, int]:
    """The text of the cell, and the number of the attempt that the page was drawn for."""
    number = posted.get(f"{cell.name}-number", "")
    return posted.get(cell.name, "").strip(), int(number) if number.isdecimal() else cell.number
