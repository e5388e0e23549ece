"""Forms of the roster."""

from datetime import date
from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import NON_FIELD_ERRORS
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import ReasonForm, VerbForm
from training.enums import OWN_IDENTITIES, EnumeratorStatus, IdentityKind, TestPart
from training.models import Absence, CorrectiveTask, Enumerator, EnumeratorIdentity, TeamMembership
from training.phones import normalise_phone
from training.services.absences import overlap as absence_overlap
from training.services.identities import clean_value, day_in_the_database, holder_at_the_same_time, is_in_use, taken
from training.services.teams import overlap as membership_overlap


class PhoneField(forms.CharField):
    """Takes a phone as people write it and cleans to E.164."""

    def to_python(self, value: Any) -> str:
        try:
            return normalise_phone(super().to_python(value))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


class EnumeratorForm(forms.ModelForm):
    phone = PhoneField(
        label=_("Phone"), required=False, max_length=40, help_text=_("As people write it: 8 701 123 45 67")
    )
    languages = SimpleArrayField(
        forms.CharField(
            max_length=8, validators=[RegexValidator(r"^[a-z]{2,3}$", _("Two or three small letters each."))]
        ),
        label=_("Languages"),
        required=False,
        help_text=_("Codes with commas: kk, ru"),
    )
    other_names = SimpleArrayField(
        forms.CharField(max_length=160),
        label=_("Other spellings of the name"),
        required=False,
        help_text=_("As in the passport, in Russian, in Kazakh: with commas."),
    )

    class Meta:
        model = Enumerator
        fields = [
            "code", "full_name", "other_names", "sex", "languages", "home_unit", "has_vehicle", "phone", "email",
            "organisation", "terms_of_reference", "contract_from", "contract_to", "kobo_username", "user",
        ]  # fmt: skip

    def clean_languages(self) -> list[str]:
        return list(dict.fromkeys(code.strip() for code in self.cleaned_data["languages"]))

    def clean_other_names(self) -> list[str]:
        return list(dict.fromkeys(name.strip() for name in self.cleaned_data["other_names"] if name.strip()))

    def clean_kobo_username(self) -> str:
        """Also an account that another person had until today, and might still send forms with."""
        name: str = self.cleaned_data["kobo_username"].strip()
        if name and name != self.instance.kobo_username:
            self._refuse_taken(IdentityKind.KOBO, value=name)
        return name

    def clean_user(self) -> Any:
        user = self.cleaned_data["user"]
        if user is not None and user != self.instance.user:
            self._refuse_taken(IdentityKind.LOGIN, user=user)
        return user

    def _refuse_taken(self, kind: IdentityKind, **columns: Any) -> None:
        row = EnumeratorIdentity(kind=kind, valid_from=day_in_the_database(), **columns)
        other = holder_at_the_same_time(row)
        if other is not None and other.enumerator_id != self.instance.pk:
            raise forms.ValidationError(str(taken(other)))


class StatusForm(ReasonForm):
    since = forms.DateField(
        label=_("Since"), initial=timezone.localdate, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )

    def clean_since(self) -> Any:
        since = self.cleaned_data["since"]
        if since > timezone.localdate():
            raise forms.ValidationError(_("That day is still to come: a status changes on its day."))
        return since


class RevokeForm(ReasonForm):
    on = forms.DateField(
        label=_("From"), initial=timezone.localdate, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )


class CertifyForm(VerbForm):
    issued_on = forms.DateField(
        label=_("Issued on"), initial=timezone.localdate, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )
    expires_on = forms.DateField(
        label=_("Expires on"),
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Blank: as long as the course says; without a course it does not expire."),
    )

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        issued, expires = asked.get("issued_on"), asked.get("expires_on")
        if issued and expires and expires < issued:
            self.add_error("expires_on", _("The certificate expires before it is issued."))
        return asked


class PresenceForm(forms.Form):
    """Who says "I am here" without a log-in."""

    code = forms.CharField(
        label=_("Your code"),
        max_length=12,
        widget=forms.TextInput({"autocapitalize": "characters", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("As you type it into the form, e.g. E07."),
    )
    last_digits = forms.RegexField(
        label=_("Last four digits of your phone"),
        regex=r"^\s*\d{4}\s*$",
        error_messages={"invalid": _("Four digits, e.g. 4567.")},
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off", "maxlength": "4"}),
    )


class PeriodForm(forms.ModelForm):
    """A row with a first and a last day. What the database refuses is said in the service's words, which name the row
    in the way.
    """

    def overlap(self) -> Refused | None:
        return None

    def validate_unique(self) -> None:
        """Django asks here after the constraints, of which an inline leaves out those of its own parent."""
        super().validate_unique()
        if set(self.errors) - {NON_FIELD_ERRORS}:
            return
        refused = self.overlap()
        if refused is not None:
            self.errors.pop(NON_FIELD_ERRORS, None)
            self.add_error(None, str(refused))


class AbsenceForm(PeriodForm):
    class Meta:
        model = Absence
        fields = ["enumerator", "kind", "first_day", "last_day", "note"]

    def overlap(self) -> Refused | None:
        return absence_overlap(self.instance) if self.instance.last_day >= self.instance.first_day else None


class MembershipForm(PeriodForm):
    class Meta:
        model = TeamMembership
        fields = ["team", "enumerator", "is_lead", "valid_from", "valid_to"]

    def overlap(self) -> Refused | None:
        row = self.instance
        return membership_overlap(row) if row.valid_to is None or row.valid_to >= row.valid_from else None


class IdentityForm(PeriodForm):
    """Others than those in use now, and better dates. A login is attached above, by an administrator."""

    class Meta:
        model = EnumeratorIdentity
        fields = ["kind", "value", "valid_from", "valid_to", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds: Any = self.fields["kind"]
        if self.instance.pk:
            for name in ("kind", "value"):
                self.fields[name].disabled = True
            if self.instance.user is not None:
                self.initial["value"] = self.instance.user.username
        else:
            kinds.choices = [choice for choice in kinds.choices if choice[0] != IdentityKind.LOGIN]

    def clean_value(self) -> str:
        if self.instance.pk:
            return str(self.instance.value)
        try:
            return clean_value(self.cleaned_data.get("kind", ""), self.cleaned_data["value"])
        except Refused as refused:
            raise forms.ValidationError(str(refused)) from None

    def clean_valid_to(self) -> Any:
        last = self.cleaned_data["valid_to"]
        if last is not None and self.instance.pk and is_in_use(EnumeratorIdentity.objects.get(pk=self.instance.pk)):
            raise forms.ValidationError(
                _("It is in use: blank or change it above, and its last day is kept by itself.")
            )
        return last

    def overlap(self) -> Refused | None:
        row = self.instance
        if row.valid_from and row.valid_to and row.valid_to < row.valid_from:
            return None
        other = holder_at_the_same_time(row)
        return taken(other) if other is not None else None


class PeriodFormSet(forms.BaseInlineFormSet):
    """Rows that are typed together are compared with each other, too: the database would refuse the second."""

    first, last = "valid_from", "valid_to"
    words: Any = _("This person is in a team on some of these days already.")

    def clean(self) -> None:
        super().clean()
        seen: list[Any] = []
        for form in self.forms:
            goes = form.is_valid() and form.cleaned_data.get("DELETE")
            if not form.is_valid() or goes or not (form.instance.pk or form.has_changed()):
                continue
            row = form.instance
            if any(self.clash(row, other) and self.share_days(row, other) for other in seen):
                form.add_error(None, self.words)
            seen.append(row)

    def clash(self, row: Any, other: Any) -> bool:
        return bool(row.enumerator_id == other.enumerator_id)

    def share_days(self, row: Any, other: Any) -> bool:
        first, last = getattr(row, self.first), getattr(row, self.last)
        other_first, other_last = getattr(other, self.first), getattr(other, self.last)
        begins_before_the_other_ends = not (first and other_last) or first <= other_last
        return begins_before_the_other_ends and (not (other_first and last) or other_first <= last)


class AbsenceFormSet(PeriodFormSet):
    first, last = "first_day", "last_day"
    words = _("This person is absent on some of these days already.")


class MembershipFormSet(PeriodFormSet):
    words = _("The person is in a team, or the team has a lead, on some of these days already.")

    def clash(self, row: Any, other: Any) -> bool:
        return row.enumerator_id == other.enumerator_id or (
            row.is_lead and other.is_lead and row.team_id == other.team_id
        )


class IdentityFormSet(PeriodFormSet):
    words = _("It is in another row on some of these days already.")

    def clash(self, row: Any, other: Any) -> bool:
        same = (row.kind, row.value, row.user_id) == (other.kind, other.value, other.user_id)
        return same and row.kind in OWN_IDENTITIES


def _day_field(label: Any, **options: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **options)


def _refuse_past(day: date) -> date:
    if day < timezone.localdate():
        raise forms.ValidationError(_("The day until which the task is due is over already."))
    return day


class ScoreForm(VerbForm):
    """A result as it stands on paper. The service says what is wrong with it."""

    points = forms.DecimalField(label=_("Points"), min_value=0, max_digits=6, decimal_places=2)
    out_of = forms.DecimalField(label=_("Out of"), min_value=0, max_digits=6, decimal_places=2, initial=100)
    taken_on = _day_field(_("Taken on"), initial=timezone.localdate)


class CheckForm(ScoreForm):
    part = forms.ChoiceField(label=_("Part"), choices=TestPart.choices, initial=TestPart.PRACTICAL)
    examiner = forms.CharField(label=_("Examiner"), max_length=160, required=False)
    note = forms.CharField(label=_("Note"), max_length=240, required=False)


class CorrectAttemptForm(ScoreForm):
    note = forms.CharField(
        label=_("Why it is corrected"), max_length=240, widget=forms.Textarea({"rows": 3, "class": "vLargeTextField"})
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        for name in ("points", "out_of", "taken_on"):
            self.fields[name].initial = getattr(self.rows[0], name)


class ReopenTaskForm(ReasonForm):
    due_on = _day_field(_("Due on"))

    def clean_due_on(self) -> date:
        return _refuse_past(self.cleaned_data["due_on"])


class TaskForm(forms.ModelForm):
    class Meta:
        model = CorrectiveTask
        fields = ["enumerator", "what", "reason", "form_kind", "due_on", "pass_mark"]

    def clean_due_on(self) -> date:
        return _refuse_past(self.cleaned_data["due_on"])

    def clean_enumerator(self) -> Enumerator:
        person: Enumerator = self.cleaned_data["enumerator"]
        if person.status == EnumeratorStatus.LEFT:
            raise forms.ValidationError(_("%(person)s has left."), params={"person": person})
        return person
