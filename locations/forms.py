"""Forms of the gazetteer."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.name_fields import NamesField
from locations.models import AdminUnit


class AdminUnitForm(forms.ModelForm):
    names = NamesField(label=_("Names"), help_text=_("As shown on screens. One language at least."))
    short_names = NamesField(label=_("Short names"), required=False, help_text=_("Without the kind of place."))

    class Meta:
        model = AdminUnit
        exclude = ["path"]  # noqa: DJ006  the path is made, never typed; all else is the gazetteer's

    def clean_names(self) -> dict[str, str]:
        return self._with_other_languages("names")

    def clean_short_names(self) -> dict[str, str]:
        return self._with_other_languages("short_names")

    def _with_other_languages(self, field: str) -> dict[str, str]:
        """Names in languages that the form does not show stay."""
        shown = {code for code, _label in settings.LANGUAGES}
        kept: dict[str, Any] = getattr(self.instance, field)
        others = {code: name for code, name in kept.items() if code not in shown}
        return {**others, **(self.cleaned_data[field] or {})}
