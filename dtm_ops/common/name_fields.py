"""A form field for names by language: one line for each language of the site instead of a JSON text."""

from typing import Any

from django import forms
from django.conf import settings


class NamesWidget(forms.MultiWidget):
    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        lines: dict[str, forms.Widget | type[forms.Widget]] = {
            code: forms.TextInput({"lang": code, "placeholder": label, "aria-label": label, "class": "vTextField"})
            for code, label in settings.LANGUAGES
        }
        super().__init__(lines, attrs)

    def decompress(self, value: dict[str, str] | None) -> list[str]:
        return [(value or {}).get(code, "") for code, _label in settings.LANGUAGES]


class NamesField(forms.MultiValueField):
    """Cleans to ``{"en": ..., "ru": ...}`` without the blank lines. Other languages are not in the form."""

    widget = NamesWidget

    def __init__(self, **kwargs: Any) -> None:
        fields = [forms.CharField(max_length=200, required=False) for _language in settings.LANGUAGES]
        super().__init__(fields, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[str]) -> dict[str, str]:
        pairs = zip(settings.LANGUAGES, data_list, strict=False)
        return {code: name for (code, _label), name in pairs if name}
