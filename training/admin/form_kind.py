"""Form kinds: the mission's own list."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.desk import DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.name_fields import NamesField
from locations.permissions import has_desk, is_administrator
from training.models import FormKind


class FormKindForm(forms.ModelForm):
    names = NamesField(label=_("Names"))

    class Meta:
        model = FormKind
        fields = ["code", "component", "names", "review_steps", "one_per_target", "order"]

    def clean_names(self) -> dict[str, str]:
        """Names in languages that the form does not show stay."""
        shown = {code for code, _label in settings.LANGUAGES}
        others = {code: name for code, name in self.instance.names.items() if code not in shown}
        return {**others, **(self.cleaned_data["names"] or {})}


@admin.register(FormKind)
class FormKindAdmin(UnscopedAdmin):
    desk_section = DeskSection.KOBO
    desk_order = 5
    rights = DeskRights(view=has_desk, add=is_administrator, change=lambda user, kind: is_administrator(user))
    form = FormKindForm
    list_display = ["shown_name", "code", "component", "review_steps", "one_per_target"]
    search_fields = ["code", *(f"names__{code}" for code, _label in settings.LANGUAGES)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Other programs name a form kind by its code."""
        return ["code"] if obj else []

    @admin.display(description=_("name"), ordering="order")
    def shown_name(self, kind: FormKind) -> str:
        return str(kind)
