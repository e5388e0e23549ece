"""Verbs of the desk: what can be done to a row beside typing into it.

A verb is declared once and becomes a button on the row's page and an action of the list. Both ask what the verb's form
asks, say beforehand for which rows it is possible and why not for the others, call one service function a row and
report in numbers. A page that is out of date decides nothing: it carries what it showed (``seen``), and a row that
differs by then is left alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dtm_ops.common.desk import AnyUser, ScopedAdmin
from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import StatusChange

# A page that asks about more rows than this shows too much to be read before it is confirmed.
MOST_ROWS = 500


class VerbForm(forms.Form):
    """What a verb asks before it acts: nothing. ``rows`` are those that it would act on."""

    def __init__(self, data: Any = None, *, rows: Sequence[Any], user: AnyUser) -> None:
        super().__init__(data)
        self.rows, self.user = rows, user


class ReasonForm(VerbForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=240, widget=forms.Textarea({"rows": 3, "class": "vLargeTextField"})
    )


def always(row: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Verb:
    """``may`` is asked with None for "any row at all?". ``fits`` says in words why a row cannot take it; "": it can.

    ``act`` gets the row, the user and the cleaned form as keywords, and may return a sentence to show.
    """

    name: str
    label: Promise
    may: Callable[[AnyUser, Any], bool]
    act: Callable[..., str | None]
    form: type[VerbForm] = VerbForm
    fits: Callable[[Any], str] = always
    hint: Promise | str = ""
    in_list: bool = True
    # False: the row's page has a place of its own for it.
    in_bar: bool = True
    is_atomic: bool = True
    tone: str = ""


@dataclass(slots=True)
class Tally:
    """What became of the rows: how many were done, why the others were not, and what the verb has to say."""

    done: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    @property
    def all(self) -> int:
        return self.done + self.skipped.total()


def step_fits(steps: Mapping[str, frozenset[str]], new: str, *, field: str = "status") -> Callable[[models.Model], str]:
    """The ``fits`` of a verb that moves a status along a table of steps."""

    def fits(row: models.Model) -> str:
        if new in steps.get(getattr(row, field), frozenset()):
            return ""
        return _("not possible while it is “%(status)s”") % {"status": status_label(row, field)}

    return fits


def status_label(row: models.Model, field: str = "status") -> str:
    return str(getattr(row, f"get_{field}_display")())


class VerbAdmin(ScopedAdmin):
    """An admin page whose rows have verbs. ``seen_fields``: what must still be as the page showed it."""

    verbs: tuple[Verb, ...] = ()
    seen_fields: tuple[str, ...] = ("status",)
    change_form_template = "admin/change_form_verbs.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.verb_view)
        return [path("<path:object_id>/do/<slug:name>/", view, name=self._verb_address()), *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        for verb in self.verbs:
            if verb.in_list and verb.may(request.user, None):
                actions[verb.name] = (partial(_act_in_list, verb=verb), verb.name, verb.label)
        return actions

    def verb_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """One row. GET asks, POST acts: at once where the verb asks nothing and the row's page was the question."""
        verb = next((verb for verb in self.verbs if verb.name == name), None)
        if verb is None or not self.has_view_permission(request):
            raise Http404
        row = self.get_object(request, unquote(object_id))
        if not verb.may(request.user, row):
            raise PermissionDenied
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
        return self.ask_or_act(request, verb, [row], back=back)

    def act_in_list(self, request: HttpRequest, queryset: models.QuerySet[Any], verb: Verb) -> HttpResponse:
        """Many rows. Confirmed: those that the page listed, also where they have left the list's filter since."""
        rows = queryset
        if "confirmed" in request.POST:
            chosen = [key for key in request.POST.getlist("_selected_action") if key.isdigit()]
            rows = self.get_queryset(request).filter(pk__in=chosen)
        found = list(rows[: MOST_ROWS + 1])
        if len(found) > MOST_ROWS:
            messages.error(request, _("Choose at most %(most)s rows at once.") % {"most": MOST_ROWS})
            return HttpResponseRedirect(request.get_full_path())
        return self.ask_or_act(request, verb, found, back=request.get_full_path(), in_list=True)

    def ask_or_act(
        self, request: HttpRequest, verb: Verb, rows: list[Any], *, back: str, in_list: bool = False
    ) -> HttpResponse:
        confirmed = request.method == "POST" and "confirmed" in request.POST
        form = verb.form(request.POST if confirmed else None, rows=rows, user=request.user)
        if confirmed and form.is_valid():
            tally = self.act_on_rows(request, verb, rows, form.cleaned_data)
            if in_list or tally.done or not form.fields:
                tell(request, verb, tally)
                return HttpResponseRedirect(back)
            # One row and something typed: what was typed stays, with the reason why nothing came of it.
            form.add_error(None, list(tally.skipped))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": verb.label,
            "verb": verb,
            "form": form,
            "media": self.media + form.media,
            "rows": [(str(row.pk), self.describe(row), self.seen_as(request, row)) for row in rows],
            "single": None if in_list else self.describe(rows[0]),
            "back": back,
            "in_list": in_list,
            "possible": sum(1 for row in rows if not why_not(verb, row, request.user)),
            "obstacles": sorted(Counter(filter(None, (why_not(verb, row, request.user) for row in rows))).items()),
        }
        return TemplateResponse(request, "admin/verb.html", context)

    def act_on_rows(self, request: HttpRequest, verb: Verb, rows: Iterable[Any], asked: dict[str, Any]) -> Tally:
        tally = Tally()
        for row in rows:
            try:
                with transaction.atomic() if verb.is_atomic else nullcontext():
                    self._check(request, verb, row)
                    said = verb.act(row, user=request.user, **asked)
            except Refused as refused:
                tally.skipped[_in_words(refused)] += 1
                continue
            tally.done += 1
            tally.said += [said] if said else []
            self.log_change(request, row, str(verb.label))
        return tally

    def describe(self, row: Any) -> str:
        """The row where it stands in a list to decide on."""
        return str(row)

    def seen_as(self, request: HttpRequest, row: Any) -> str:
        """What the page shows of the row: carried from the page before, else the row as it is now."""
        carried = request.POST.get(f"seen-{row.pk}") or request.GET.get("seen")
        return carried or self.fingerprint(row)

    def fingerprint(self, row: Any) -> str:
        return ":".join(f"{getattr(row, name)}" for name in self.seen_fields)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        mine = [verb for verb in self.verbs if verb.in_bar and verb.may(request.user, row)]
        context = {
            "buttons": [verb for verb in mine if not verb.fits(row)],
            "obstacles": [(verb.label, why) for verb in mine if (why := verb.fits(row))],
            "asks": {verb.name for verb in mine if verb.form is not VerbForm},
            "seen": self.fingerprint(row),
            "row_key": str(row.pk),
            "steps": self.get_steps(row),
        }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def get_steps(self, row: Any) -> list[tuple[StatusChange, str, str]]:
        """The row's status changes with the words for both statuses, newest first."""
        changes = StatusChange.objects.about(row).select_related("by").order_by("-at", "-pk")
        return [(one, _choice(row, one.field, one.old), _choice(row, one.field, one.new)) for one in changes]

    def _check(self, request: HttpRequest, verb: Verb, row: Any) -> None:
        if not verb.may(request.user, row):
            raise Refused(_("outside what you may decide"), code="not_allowed")
        if self.seen_as(request, row) != self.fingerprint(row):
            old = getattr(row, self.seen_fields[0]) if self.seen_fields else ""
            raise TransitionNotAllowed(row, old=old, new="", meanwhile=True)

    def _verb_address(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_verb"


def _act_in_list(
    model_admin: VerbAdmin, request: HttpRequest, queryset: models.QuerySet[Any], *, verb: Verb
) -> HttpResponse:
    return model_admin.act_in_list(request, queryset, verb)


def why_not(verb: Verb, row: Any, user: AnyUser) -> str:
    if not verb.may(user, row):
        return _("outside what you may decide")
    return verb.fits(row)


def tell(request: HttpRequest, verb: Verb, tally: Tally) -> None:
    """The result in numbers, the reasons grouped."""
    if tally.said and not tally.skipped:
        for sentence in tally.said:
            messages.success(request, sentence)
        return
    done = _("%(verb)s: done for %(done)s of %(all)s.") % {"verb": verb.label, "done": tally.done, "all": tally.all}
    if not tally.skipped:
        messages.success(request, done)
        return
    reasons = "; ".join(f"{count} – {reason.rstrip('.')}" for reason, count in tally.skipped.most_common())
    skipped = _("Skipped: %(reasons)s.") % {"reasons": reasons}
    level = messages.warning if tally.done else messages.error
    level(request, f"{done} {skipped}")


def _in_words(refused: Refused) -> str:
    """Without the row's own name, so that equal reasons count together."""
    if not isinstance(refused, TransitionNotAllowed):
        return str(refused)
    if refused.meanwhile:
        return _("decided or changed by somebody else meanwhile: look at it again")
    labels = [
        _choice(refused.row, column.name, refused.old)
        for column in refused.row._meta.concrete_fields
        if column.choices and getattr(refused.row, column.attname) == refused.old
    ]
    return _("not possible while it is “%(status)s”") % {"status": labels[0] if labels else refused.old}


def _choice(row: models.Model, field: str, value: str) -> str:
    column: Any = row._meta.get_field(field)
    return str(dict(column.flatchoices).get(value, value))
