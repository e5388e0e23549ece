"""Forms of the roster."""

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dtm_ops.records.verbs import ReasonForm, VerbForm
from training.models import Enumerator
from training.phones import normalise_phone


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

    class Meta:
        model = Enumerator
        fields = [
            "code", "full_name", "sex", "languages", "home_unit", "phone", "email", "organisation", "contract_from",
            "contract_to", "kobo_username", "user",
        ]  # fmt: skip

    def clean_languages(self) -> list[str]:
        return list(dict.fromkeys(code.strip() for code in self.cleaned_data["languages"]))


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
