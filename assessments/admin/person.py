"""People of the roster with the work that hangs on them. The plain page is `training.admin.enumerator`; work is known
here, so this one takes its place on the desk.
"""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.forms import LeaveForm, MergeForm, field_of
from assessments.selectors.open_work import HeldRow, open_work
from assessments.services.leaving import LeavingRefused, leave, preview_leave
from assessments.services.merging import merge_with_work
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt
from dtm_ops.records.verbs import Verb
from training.admin.enumerator import EnumeratorAdmin, status_fits
from training.enums import EnumeratorStatus
from training.models import Enumerator
from training.permissions import can_change_roster
from training.selectors.duplicates import suggest_duplicates
from training.services.merging import note_two_people

# What hangs on each person is shown for as many at once.
MOST_EFFECTS = 10
PAIRS_A_PAGE = 25


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


def _merge(person: Enumerator, *, user: User, drop: Enumerator, reason: str) -> str:
    if not can_change_roster(user, drop):
        raise Refused(_now("outside what you may decide"), code="not_allowed")
    return merge_with_work(person, drop, by=user, reason=reason).title


def _can_keep(person: Enumerator) -> str:
    return _now("merged into %(person)s") % {"person": person.merged_into} if person.merged_into else ""


MERGE = Verb(
    name="merge",
    label=_("Merge with another entry"),
    hint=_(
        "Both are one person: this entry stays, and everything that hangs on the other moves here. The other leads here"
        " from then on. Nothing is lost: what both have in the same place stays where it is, and the receipt tells it."
    ),
    may=can_change_roster,
    act=_merge,
    form=MergeForm,
    fits=_can_keep,
    in_list=False,
)

admin.site.unregister(Enumerator)


@admin.register(Enumerator)
class EnumeratorWithWorkAdmin(EnumeratorAdmin):
    verbs = (*(verb for verb in EnumeratorAdmin.verbs if verb.name != "let_go"), LEAVE, MERGE)
    import_export_change_list_template = "admin/training/enumerator/change_list.html"
    change_form_template = "admin/training/enumerator/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.duplicates_view)
        return [path("duplicates/", view, name="training_enumerator_duplicates"), *super().get_urls()]

    def duplicates_view(self, request: HttpRequest) -> HttpResponse:
        """Entries that may be one person. POST: somebody knows that a pair is two people."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        may = can_change_roster(request.user)
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            self._note_two_people(request)
            return HttpResponseRedirect(request.get_full_path())
        page = Paginator(suggest_duplicates(request.user), PAIRS_A_PAGE).get_page(request.GET.get("page"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Possibly the same person"),
            "page": page,
            "pairs": page.object_list,
            "may": may,
        }
        return TemplateResponse(request, "admin/training/enumerator/duplicates.html", context)

    def _note_two_people(self, request: HttpRequest) -> None:
        keys = [key for key in request.POST.getlist("pair") if key.isdecimal()]
        if not keys:
            messages.error(request, _now("Choose a pair."))
            return
        people = [one for one in self.get_queryset(request).filter(pk__in=keys) if can_change_roster(request.user, one)]
        if len(people) != 2:
            raise Http404
        user: Any = request.user
        note_two_people(*people, by=user)
        messages.success(
            request, _now("%(first)s and %(second)s are two people.") % {"first": people[0], "second": people[1]}
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An entry that was merged leads to the one it was merged into."""
        person = self.get_object(request, unquote(object_id))
        if person.merged_into is not None:
            told = _now("%(person)s was merged into this entry.") % {"person": person}
            messages.info(request, told)
            return HttpResponseRedirect(reverse("admin:training_enumerator_change", args=[person.merged_into_id]))
        return super().change_view(request, object_id, form_url, extra_context)

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
        if isinstance(answer, TemplateResponse) and answer.context_data is not None and verb is MERGE:
            # Led here from the list of pairs, which names the other entry.
            answer.context_data["form"].initial = {"drop": request.GET.get("with", "")}
            answer.context_data["media"] = self.media
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
