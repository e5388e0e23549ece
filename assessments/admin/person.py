"""People of the roster with the work that hangs on them. The plain page is `training.admin.enumerator`; work is known
here, so this one takes its place on the desk.
"""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.forms import LeaveForm, field_of
from assessments.selectors.open_work import HeldRow, open_work
from assessments.services.leaving import LeavingRefused, leave, preview_leave
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt
from dtm_ops.records.verbs import Verb
from training.admin.enumerator import EnumeratorAdmin, status_fits
from training.enums import EnumeratorStatus
from training.models import Enumerator
from training.permissions import can_change_roster

# What hangs on each person is shown for as many at once.
MOST_EFFECTS = 10


def _by_wizard(person: Enumerator, **asked: Any) -> None:
    """It has a page of its own: `EnumeratorWithWorkAdmin.leave_page`."""
    raise Refused(_now("Let one person go at a time, on the page of the person."), code="wizard")


LEAVE = Verb(
    name="leave",
    label=_("Let go"),
    hint=_(
        "The person leaves. Everything they hold is handed over, withdrawn or ended in one step, and a receipt says"
        " what became of each row."
    ),
    may=can_change_roster,
    act=_by_wizard,
    form=LeaveForm,
    fits=status_fits(EnumeratorStatus.LEFT),
    in_list=False,
    tone="danger",
)

admin.site.unregister(Enumerator)


@admin.register(Enumerator)
class EnumeratorWithWorkAdmin(EnumeratorAdmin):
    verbs = (*(verb for verb in EnumeratorAdmin.verbs if verb.name != "let_go"), LEAVE)

    def ask_or_act(
        self, request: HttpRequest, verb: Verb, rows: list[Any], *, back: str, in_list: bool = False
    ) -> HttpResponse:
        """What hangs on the people is shown before their status moves."""
        if verb is LEAVE:
            return self.leave_page(request, rows[0], back=back)
        answer = super().ask_or_act(request, verb, rows, back=back, in_list=in_list)
        if isinstance(answer, TemplateResponse) and answer.context_data is not None and verb.name == "set_aside":
            answer.template_name = "admin/training/enumerator/verb.html"
            answer.context_data |= self._effects(rows)
        return answer

    def leave_page(self, request: HttpRequest, person: Enumerator, *, back: str) -> HttpResponse:
        """GET asks; POST checks and shows what would become of each row, then does it."""
        form, outcome = LeaveForm(request.POST or None, rows=[person], user=request.user), {}
        obstacle = LEAVE.fits(person)
        if not obstacle and form.is_bound and form.is_valid():
            try:
                receipt = self._leave(request, person, form)
            except LeavingRefused as refused:
                form.add_refusals(refused.rows)
            except Refused as refused:
                form.add_error(None, str(refused))
            else:
                if receipt.pk and request.POST.get("step") == "go":
                    messages.success(request, receipt.title)
                    return HttpResponseRedirect(reverse("person_receipt", args=[person.code, receipt.pk]))
                outcome = {line["key"]: line["done"] for line in receipt.lines}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("%(person)s leaves") % {"person": person.full_name},
            "verb": LEAVE,
            "person": person,
            "form": form,
            "media": self.media,
            "head": [form[name] for name in ("on", "reason", "to")],
            "groups": [(kind, _lines(form, rows, outcome)) for kind, rows in form.work.by_kind],
            "seen": self.seen_as(request, person),
            "back": back,
            "obstacle": obstacle,
            "checked": len(outcome),
        }
        return TemplateResponse(request, "admin/training/enumerator/leave.html", context)

    def _leave(self, request: HttpRequest, person: Enumerator, form: LeaveForm) -> Receipt:
        self._check(request, LEAVE, person)
        act = leave if request.POST.get("step") == "go" else preview_leave
        asked = form.cleaned_data
        user: Any = request.user
        receipt = act(person, on=asked["on"], reason=asked["reason"], by=user, choices=form.choices())
        if act is leave:
            self.log_change(request, person, str(LEAVE.label))
        return receipt

    def _effects(self, people: list[Enumerator]) -> dict[str, Any]:
        if len(people) > MOST_EFFECTS:
            return {"effects_left_out": True}
        today = timezone.localdate()
        return {"effects": [(person, open_work(person, today).work) for person in people]}


def _lines(form: LeaveForm, rows: list[HeldRow], outcome: dict[str, str]) -> list[tuple[HeldRow, Any, str]]:
    """Each row with its field (None: nothing to choose) and with what the check says would become of it."""
    return [(row, form[field_of(row.key)] if row.passes_on else None, outcome.get(row.key, "")) for row in rows]
