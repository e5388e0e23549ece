"""Choosing people of the roster in a step of the desk."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.desk import AnyUser
from dtm_ops.common.found_rows import in_found_order
from dtm_ops.records.verbs import VerbForm
from locations.enums import REGION_LEVEL
from locations.models import AdminUnit
from training.models import Enumerator
from training.querysets import EnumeratorQuerySet
from training.selectors import search_people

FIND: Final = "find"
# A list of more is searched, not read.
MOST_OFFERED: Final = 100


class FindInput(forms.TextInput):
    """A field with the button that sends the page back narrowed."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        field = super().render(name, value, attrs, renderer)
        return format_html('{} <button name="{}" value="1" class="button">{}</button>', field, FIND, _now("Find"))


class PeopleForm(VerbForm):
    """Chooses among hundreds of people of the roster, without a script: *Find* sends the page back with fewer of them,
    with what was typed and with who is ticked so far.
    """

    words = forms.CharField(
        label=_("Find people"),
        required=False,
        max_length=100,
        widget=FindInput({"class": "vTextField", "autocomplete": "off"}),
        help_text=_("Name in any spelling, code, phone, e-mail, organisation or Kobo user name."),
    )
    region = forms.ChoiceField(label=_("Region"), required=False)
    people = forms.ModelMultipleChoiceField(
        label=_("People"),
        queryset=Enumerator.objects.none(),
        widget=forms.CheckboxSelectMultiple({"class": "tick-list"}),
    )

    people_help: Any = ""

    def __init__(self, data: Any = None, *, rows: Sequence[Any], user: AnyUser) -> None:
        is_finding = data is not None and FIND in data
        super().__init__(None if is_finding else data, rows=rows, user=user)
        regions = AdminUnit.objects.visible_to(user).level(REGION_LEVEL)
        region: Any = self.fields["region"]
        region.choices = [("", _now("everywhere")), *((one.path, one.name) for one in regions)]
        people: Any = self.fields["people"]
        people.queryset = self.choosable(Enumerator.objects.visible_to(user).active())
        read = {name: field.widget.value_from_datadict(data or {}, {}, name) for name, field in self.fields.items()}
        if is_finding:
            self.initial = read
        self._offer(words=str(read["words"] or ""), region=str(read["region"] or ""), ticked=read["people"] or [])

    def choosable(self, people: EnumeratorQuerySet) -> EnumeratorQuerySet:
        return people

    def clean(self) -> dict[str, Any]:
        """What narrowed the list is no part of the answer."""
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        return {name: value for name, value in asked.items() if name not in ("words", "region")}

    def _offer(self, *, words: str, region: str, ticked: Sequence[str]) -> None:
        field: Any = self.fields["people"]
        everybody = field.queryset.select_related("home_unit")
        found = everybody.filter(home_unit__path__startswith=region)
        if words.strip():
            best = search_people(words, people=found, limit=MOST_OFFERED + 1)
            found = in_found_order(found, [one.pk for one in best])
        chosen = list(everybody.filter(pk__in=[key for key in ticked if key.isdecimal() and len(key) < 19]))
        others = [one for one in found[: MOST_OFFERED + 1] if one not in chosen]
        field.choices = [
            (one.pk, f"{one.full_name} ({one.code}), {one.home_unit}") for one in (*chosen, *others[:MOST_OFFERED])
        ]
        field.help_text = self.people_help
        if len(others) > MOST_OFFERED:
            more = _now("Only the first %(most)s are listed: find the others above. Who is ticked stays.")
            field.help_text = f"{self.people_help} {more % {'most': MOST_OFFERED}}"
