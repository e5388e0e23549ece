"""Forms of the gazetteer."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.name_fields import NamesField
from dtm_ops.records.verbs import ReasonForm, VerbForm
from locations.enums import AliasKind, UnitChangeKind
from locations.models import AdminUnit, AdminUnitAlias
from locations.services.gazetteer_file import NAME_COLUMN
from locations.services.unit_changes import fields_to_choose


def column_label(column: str) -> str:
    """A column of the gazetteer's file in the reader's words: "name (Қазақша)", "part of"."""
    name = NAME_COLUMN.match(column)
    if name:
        kind = _now("name") if name[1] == "name" else _now("short name")
        return f"{kind} ({dict(settings.LANGUAGES).get(name[2], name[2])})"
    field = {"parent_id": "parent"}.get(column, column)
    known = {one.name: one.verbose_name for one in AdminUnit._meta.get_fields() if hasattr(one, "verbose_name")}
    return str(known.get(field, column))


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


class OtherSpellingForm(forms.ModelForm):
    """A spelling that people keep; those that follow the place's names are no choice."""

    class Meta:
        model = AdminUnitAlias
        fields = ["name", "language", "kind", "valid_to", "source"]
        widgets = {"language": forms.TextInput(attrs={"size": 4})}

    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[(kind.value, kind.label) for kind in (AliasKind.OTHER, AliasKind.OLD)],
        initial=AliasKind.OTHER,
    )


class Degrees(forms.DecimalField):
    """With a comma or a point, as the phone writes it."""

    widget = forms.TextInput({"inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.strip().replace(",", ".") if isinstance(value, str) else value)


class FieldProposalForm(forms.Form):
    """What was seen in the field about a place; its columns depend on what has changed."""

    def __init__(self, *args: Any, kind: str, unit: AdminUnit, unit_types: Any = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.kind = kind
        if kind in (UnitChangeKind.ADDED, UnitChangeKind.RENAMED):
            for code, label in settings.LANGUAGES:
                name = unit.names.get(code, "") if kind == UnitChangeKind.RENAMED else ""
                self.fields[f"name_{code}"] = forms.CharField(
                    label=_("Name: %(language)s") % {"language": label}, required=False, max_length=200, initial=name
                )
        if kind == UnitChangeKind.ADDED:
            self.fields["unit_type"] = forms.ChoiceField(label=_("Kind of place"), choices=unit_types)
        self.order_fields(["name_kk", "name_ru", "name_en", "unit_type"])

    reason = forms.CharField(
        label=_("What you saw, and who told you"), max_length=2000, widget=forms.Textarea({"rows": 4})
    )
    photo = forms.FileField(
        label=_("Photo"),
        required=False,
        widget=forms.FileInput({"accept": "image/jpeg,image/png,image/webp"}),
        help_text=_("If you have one: a road sign, a seal, a letter. JPEG, PNG or WEBP, 8 MB at most."),
    )
    latitude = Degrees(label=_("Latitude"), required=False, min_value=-90, max_value=90)
    longitude = Degrees(label=_("Longitude"), required=False, min_value=-180, max_value=180)
    accuracy = forms.IntegerField(
        label=_("Accuracy, metres"),
        required=False,
        min_value=0,
        max_value=100_000,
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off"}),
        help_text=_("As the phone shows it beside the position."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if (cleaned.get("latitude") is None) != (cleaned.get("longitude") is None) and not self.errors:
            self.add_error("longitude", _("A point has a latitude and a longitude."))
        return cleaned

    @property
    def columns(self) -> dict[str, str]:
        """The new columns, as the service takes them."""
        return {name: text for name, text in self.cleaned_data.items() if name == "unit_type" or name[:5] == "name_"}

    @property
    def point(self) -> tuple[Any, Any] | None:
        latitude, longitude = self.cleaned_data["latitude"], self.cleaned_data["longitude"]
        return None if latitude is None else (latitude, longitude)

    def add_refusal(self, words: str, *, code: str) -> None:
        """The service's words, beside the field that they are about."""
        first_name = next((name for name in self.fields if name[:5] == "name_"), None)
        self.add_error({"photo": "photo", "name": first_name}.get(code), words)


class ProposeUpdateForm(forms.Form):
    """A newer classifier, to be laid beside the gazetteer."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("XLSX or CSV with the columns of the gazetteer's file; a part of the country is enough."),
    )
    title = forms.CharField(label=_("Title"), max_length=120)
    source = forms.CharField(label=_("Source"), max_length=240, required=False)
    effective_on = forms.DateField(
        label=_("In force from"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The first day of the new state; what closes, closes on the day before."),
    )
    within = forms.CharField(
        label=_("About one place alone"),
        max_length=40,
        required=False,
        help_text=_(
            "Its unit id. What the file does not name there is then proposed as closed. Blank: as far as the rows go."
        ),
    )

    def clean_within(self) -> AdminUnit | None:
        unit_id = self.cleaned_data["within"].strip()
        unit = AdminUnit.objects.filter(unit_id=unit_id).first() if unit_id else None
        if unit_id and unit is None:
            raise forms.ValidationError(_("There is no unit “%(unit)s”."), params={"unit": unit_id})
        return unit


class AcceptChangeForm(VerbForm):
    """One change: column by column. Many: whole."""

    def __init__(self, data: Any = None, *, rows: Any, user: Any) -> None:
        super().__init__(data, rows=rows, user=user)
        change = rows[0] if len(rows) == 1 else None
        choices = fields_to_choose(change) if change else []
        if change and choices:
            shown = {name: (change.before.get(name) or "–", change.after.get(name) or "–") for name in choices}
            self.fields["fields"] = forms.MultipleChoiceField(
                label=_("What is accepted"),
                choices=[
                    (name, f"{column_label(name)}: {before} → {after}") for name, (before, after) in shown.items()
                ],
                initial=choices,
                required=False,
                widget=forms.CheckboxSelectMultiple,
            )
        if change and change.kind == UnitChangeKind.ADDED and not change.after.get("code"):
            self.fields["code"] = forms.CharField(
                label=_("Code"),
                max_length=20,
                required=False,
                help_text=_(
                    "Of the national classifier. Blank: a provisional one, until the place is merged with its own."
                ),
            )
        self.order_fields(["fields", "code", "note"])

    note = forms.CharField(label=_("Note"), max_length=240, required=False)


class NoteForm(VerbForm):
    note = forms.CharField(label=_("Note"), max_length=240, required=False)


class DecideOpenForm(VerbForm):
    """Which kinds of an update's open changes."""

    def __init__(self, data: Any = None, *, rows: Any, user: Any) -> None:
        super().__init__(data, rows=rows, user=user)
        there = set(rows[0].changes.filter(status="open").values_list("kind", flat=True)) if rows else set()
        kinds: Any = self.fields["kinds"]
        kinds.choices = [(kind.value, kind.label) for kind in UnitChangeKind if kind in there]
        kinds.initial = [kind for kind, _label in kinds.choices]

    kinds = forms.MultipleChoiceField(label=_("Kinds of change"), widget=forms.CheckboxSelectMultiple)
    note = forms.CharField(label=_("Note"), max_length=240, required=False)


class RefuseOpenForm(DecideOpenForm):
    note = forms.CharField(label=_("Reason"), max_length=240)


class CloseUnitForm(ReasonForm):
    last_day = forms.DateField(
        label=_("Last day"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        initial=timezone.localdate,
        help_text=_("The place stays, with all that points at it."),
    )


class MergeUnitForm(ReasonForm):
    into = forms.ModelChoiceField(
        AdminUnit.objects.none(),
        label=_("The place that stays"),
        widget=AutocompleteSelect(AdminUnit._meta.get_field("parent"), admin.site),
    )

    def __init__(self, data: Any = None, *, rows: Any, user: Any) -> None:
        super().__init__(data, rows=rows, user=user)
        into: Any = self.fields["into"]
        into.queryset = AdminUnit.objects.in_reach_of(user).select_related("parent")
        self.order_fields(["into", "reason"])
