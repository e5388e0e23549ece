"""Forms of the desk: what a step asks."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.enums import AssignmentRole, ReturnReason
from assessments.messages import proposal_message
from assessments.models import AssessmentRound, FocusGroupSession, KoboSubmission, RoundTarget, SessionAssignment
from assessments.selectors.kobo_status import proposal_for
from assessments.selectors.match_queue import likely_enumerators
from assessments.selectors.open_work import open_work, successors
from assessments.selectors.sync_page import sync_page
from assessments.services.assignments import required_version
from dtm_ops.common.desk import AnyUser
from dtm_ops.common.name_fields import NamesField, NamesWidget
from dtm_ops.records.verbs import ReasonForm, VerbForm
from training.models import Enumerator
from training.selectors import certified_enumerators


class SendAwayForm(VerbForm):
    """Return and reject: a reason to count by, and the text that the enumerator reads."""

    reason = forms.ChoiceField(label=_("Reason"), choices=[("", "---------"), *ReturnReason.choices])
    text = forms.CharField(
        label=_("What is wrong"),
        max_length=2000,
        widget=forms.Textarea({"rows": 4, "class": "vLargeTextField"}),
        help_text=_("The enumerator reads this."),
    )


class TakeOverForm(SendAwayForm):
    """What was set at Kobo becomes a decision: what that decision asks, prefilled. ``shown``: what the page showed."""

    shown = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        proposal = proposal_for(rows[0]) if rows else None
        if proposal is None or proposal.verb == "approve":
            del self.fields["reason"], self.fields["text"]
        if proposal is not None:
            words = proposal_message(proposal.uid, by=proposal.by, at=proposal.at)
            self.initial = {"shown": proposal.key, "reason": ReturnReason.OTHER, "text": words}


class KeepOursForm(VerbForm):
    shown = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        proposal = proposal_for(rows[0]) if rows else None
        self.initial = {"shown": proposal.key if proposal else ""}


class UntilForm(ReasonForm):
    until = forms.DateField(
        label=_("Until"),
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The last day. Blank: until somebody says otherwise."),
    )


class NameEnumeratorForm(VerbForm):
    """Of few people a plain list: it works without script, and whoever is assigned stands first. Blank, where somebody
    was named: as the form says.
    """

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        people = Enumerator.objects.visible_to(user).filter(merged_into=None).order_by("full_name", "pk")
        is_named = any(row.enumerator_named_by_id is not None for row in rows)
        field = forms.ModelChoiceField(people, label=_("Enumerator"), required=not is_named)
        assigned = {key for row in rows for key in likely_enumerators(row)}
        parts: list[list[tuple[int, str]]] = [[], []]
        for person in people:
            parts[person.pk not in assigned].append((person.pk, f"{person.full_name} ({person.code})"))
        likely, others = parts
        blank = _("As the form says") if is_named else "---------"
        field.choices = [("", blank), *([(_("Assigned here"), likely)] if likely else []), (_("Others"), others)]
        self.fields["person"] = field


class MatchForm(VerbForm):
    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        self.fields["target"] = forms.ModelChoiceField(
            RoundTarget.objects.visible_to(user).select_related("round", "unit__parent", "form_kind"),
            label=_("Target"),
            widget=AutocompleteSelect(KoboSubmission._meta.get_field("target"), admin.site),
            help_text=_("Type the name of the place. Of the form's own round and form kind."),
        )


class MoveForm(VerbForm):
    """Times are those of the desk's zone."""

    starts_at = forms.SplitDateTimeField(label=_("Starts at"), required=False, widget=admin.widgets.AdminSplitDateTime)
    ends_at = forms.SplitDateTimeField(label=_("Ends at"), required=False, widget=admin.widgets.AdminSplitDateTime)
    travel_minutes = forms.IntegerField(
        label=_("Minutes of travel before"), min_value=0, max_value=32767, required=False, initial=0
    )

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        if len(rows) == 1:
            self.initial = {name: getattr(rows[0], name) for name in self.fields}


class AssignForm(VerbForm):
    """Who may be sent first: people certified for this form, then the others, who would be refused with the reason."""

    enumerator = forms.ModelChoiceField(Enumerator.objects.none(), label=_("Enumerator"))
    role = forms.ChoiceField(label=_("Role"), choices=AssignmentRole.choices)

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        people = Enumerator.objects.visible_to(user).active().order_by("full_name")
        field: Any = self.fields["enumerator"]
        field.queryset = people
        certified = set(_certified_for(rows[0]).values_list("pk", flat=True)) if rows else set()
        first = [(one.pk, str(one)) for one in people if one.pk in certified]
        rest = [(one.pk, str(one)) for one in people if one.pk not in certified]
        groups = [(_now("Certified for this form"), first), (_now("Not certified for this form"), rest)]
        field.widget.choices = [("", "---------"), *((label, found) for label, found in groups if found)]


def _certified_for(focus_group: FocusGroupSession) -> Any:
    starts = focus_group.starts_at
    day = timezone.localtime(starts).date() if starts else timezone.localdate()
    return certified_enumerators(focus_group.target.form_kind, required_version(focus_group), day)


class WithdrawForm(VerbForm):
    assignment = forms.ModelChoiceField(SessionAssignment.objects.none(), label=_("Person"), empty_label=None)

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        field: Any = self.fields["assignment"]
        field.queryset = SessionAssignment.objects.active().filter(focus_group__in=rows).select_related("enumerator")
        field.label_from_instance = lambda one: f"{one.enumerator}, {one.get_role_display()}"


class FocusGroupForm(forms.ModelForm):
    """Planning one. Later the times move by a step of their own, with the people's times."""

    language = forms.ChoiceField(label=_("Language"), required=False, choices=[("", "---------"), *settings.LANGUAGES])

    class Meta:
        model = FocusGroupSession
        fields = ["target", "starts_at", "ends_at", "travel_minutes", "venue", "language"]

    def clean_target(self) -> RoundTarget:
        target: RoundTarget = self.cleaned_data["target"]
        if target.round.status == "closed":
            raise forms.ValidationError(_("Round %(round)s is closed."), params={"round": target.round})
        return target


class TextsWidget(NamesWidget):
    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        lines: dict[str, forms.Widget | type[forms.Widget]] = {
            code: forms.Textarea(
                {"lang": code, "placeholder": label, "aria-label": label, "class": "vLargeTextField", "rows": 3}
            )
            for code, label in settings.LANGUAGES
        }
        forms.MultiWidget.__init__(self, lines, attrs)


class TextsField(NamesField):
    """As `NamesField`, for remarks of any length."""

    widget = TextsWidget

    def __init__(self, **kwargs: Any) -> None:
        fields = [forms.CharField(required=False) for _language in settings.LANGUAGES]
        forms.MultiValueField.__init__(self, fields, require_all_fields=False, **kwargs)


def keep_other_languages(form: forms.ModelForm, field: str) -> dict[str, str]:
    """Texts in languages that the form does not show stay."""
    shown = {code for code, _label in settings.LANGUAGES}
    others = {code: text for code, text in getattr(form.instance, field).items() if code not in shown}
    return {**others, **(form.cleaned_data[field] or {})}


class RoundForm(forms.ModelForm):
    names = NamesField(label=_("Names"), required=False)
    remarks = TextsField(label=_("Remarks"), required=False, help_text=_("Shown beside the figures."))

    class Meta:
        model = AssessmentRound
        fields = [
            "code", "component", "number", "names", "reporting_from", "reporting_to", "fieldwork_from", "fieldwork_to",
            "reference_date", "counted_since", "reference_year", "remarks",
        ]  # fmt: skip

    def clean_names(self) -> dict[str, str]:
        return keep_other_languages(self, "names")

    def clean_remarks(self) -> dict[str, str]:
        return keep_other_languages(self, "remarks")


class RegionRemarksForm(forms.ModelForm):
    remarks = TextsField(label=_("Remarks"), required=False)

    def clean_remarks(self) -> dict[str, str]:
        return keep_other_languages(self, "remarks")


class MergeForm(ReasonForm):
    """The page's own entry stays; the one that is chosen goes."""

    drop = forms.ModelChoiceField(Enumerator.objects.none(), label=_("The entry that goes"))

    field_order = ["drop", "reason"]

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        others = Enumerator.objects.visible_to(user).filter(merged_into=None).exclude(pk__in=[one.pk for one in rows])
        field: Any = self.fields["drop"]
        field.queryset = others.order_by("full_name", "code")


# In the choice of who takes a row over: what was chosen for everything, and nobody.
AS_ABOVE, NOBODY = "", "nobody"


class LeaveForm(ReasonForm):
    """The leave wizard's: the last day, why, and who takes over what. One field for each row that can be passed on."""

    on = forms.DateField(
        label=_("Last day of work"),
        initial=timezone.localdate,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )
    to = forms.ModelChoiceField(
        Enumerator.objects.none(), label=_("Who takes over"), required=False, empty_label=_("nobody")
    )

    field_order = ["on", "reason", "to"]

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        person = rows[0]
        people = Enumerator.objects.visible_to(user).active().exclude(pk=person.pk).order_by("full_name")
        everything: Any = self.fields["to"]
        everything.queryset = people
        self.people = {str(one.pk): one for one in people}
        self.work = open_work(person, self._last_day())
        for key, fitting in successors(self.work, self.people.values()).items():
            self.fields[field_of(key)] = self._choice(fitting)

    def _last_day(self) -> date:
        try:
            return self.fields["on"].clean(self.data.get("on")) if self.is_bound else timezone.localdate()
        except forms.ValidationError:
            return timezone.localdate()

    def _choice(self, fitting: list[Enumerator]) -> forms.ChoiceField:
        field = forms.ChoiceField(required=False)
        fits = {one.pk for one in fitting}
        others = [(str(one.pk), str(one)) for one in self.people.values() if one.pk not in fits]
        groups = [
            (_now("Fits"), [(str(one.pk), str(one)) for one in fitting]),
            (_now("Would be refused"), others),
        ]
        field.choices = [
            (AS_ABOVE, _now("as chosen above")),
            (NOBODY, _now("nobody")),
            *((label, found) for label, found in groups if found),
        ]
        return field

    def choices(self) -> dict[str, Enumerator | None]:
        """Of the rows that the page showed: one that came up since has no field in it, and is not guessed at."""
        above = self.cleaned_data.get("to")
        chosen = {}
        for row in self.work.rows:
            value = self.cleaned_data.get(field_of(row.key), AS_ABOVE)
            if row.passes_on and field_of(row.key) in self.data:
                chosen[row.key] = above if value == AS_ABOVE else self.people.get(value)
        return chosen

    def add_refusals(self, refused: Mapping[str, str]) -> None:
        for row in self.work.rows:
            if sentence := refused.get(row.key):
                self.add_error(field_of(row.key) if row.passes_on else None, sentence)


def field_of(key: str) -> str:
    return f"to-{key}"


class LetThroughForm(VerbForm):
    """Asked once before many deletions go through. ``run``: the run that missed them, as the page showed it."""

    run = forms.CharField(widget=forms.HiddenInput)
    on_purpose = forms.BooleanField(label=_("They were deleted at Kobo on purpose"))

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        self.last = sync_page(rows[0]).last if rows else None
        if self.last is None or self.last.error_code != "rows_gone":
            return
        self.initial = {"run": self.last.pk}
        self.fields["on_purpose"].help_text = _now("%(gone)s of %(here)s forms are here and not at Kobo any more.") % {
            "gone": self.last.error_params.get("gone"),
            "here": self.last.error_params.get("here"),
        }

    def clean_run(self) -> str:
        shown: str = self.cleaned_data["run"]
        if self.last is None or shown != str(self.last.pk):
            raise forms.ValidationError(_now("Another run has ended meanwhile: look at it first."))
        return shown
