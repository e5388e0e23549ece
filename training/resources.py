"""The roster as a table."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from import_export import fields

from dtm_ops.common.table_resource import (
    ChoiceWidget,
    DayWidget,
    OutField,
    RowWidget,
    TableResource,
    TextWidget,
)
from locations.models import AdminUnit
from training.enums import Sex
from training.models import Enumerator
from training.phones import normalise_phone


class CodeWidget(TextWidget):
    def clean(self, value: Any, row: Any = None, **options: Any) -> str:
        return super().clean(value, row, **options).upper()


class PhoneWidget(TextWidget):
    def clean(self, value: Any, row: Any = None, **options: Any) -> str:
        return normalise_phone(super().clean(value, row, **options))


class LanguagesWidget(TextWidget):
    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        codes = super().clean(value, row, **options).lower().replace(";", ",").split(",")
        found = list(dict.fromkeys(code.strip() for code in codes if code.strip()))
        if any(not code.isalpha() or not code.isascii() or len(code) not in (2, 3) for code in found):
            raise ValueError(_now("write the languages as codes with commas: kk, ru"))
        return found

    def render(self, value: Any, obj: Any = None, **_options: Any) -> str:
        return ", ".join(value or [])


class EnumeratorResource(TableResource):
    """By ``code``. Status is not imported: it changes by its own step, with a reason."""

    key_columns = ("code",)
    required_columns = ("code", "full_name", "sex", "home_unit")
    guide = {
        "code": _("Required. Capital Latin letters, digits, hyphens: E07. Who has it already is changed."),
        "full_name": _("Required."),
        "sex": _("Required: female or male."),
        "languages": _("Codes with commas: kk, ru"),
        "home_unit": _("Required. The unit_id of the place in the gazetteer, like 195200000."),
        "phone": _("As people write it: 8 701 123 45 67 or +77011234567."),
        "email": _("May be blank."),
        "organisation": _("May be blank."),
        "contract_from": _("A date: 2022-11-10 or 10.11.2022."),
        "contract_to": _("A date: 2022-11-10 or 10.11.2022."),
        "kobo_username": _("The account at KoboToolbox, if the person has one."),
    }

    code = fields.Field("code", "code", widget=CodeWidget())
    full_name = fields.Field("full_name", "full_name", widget=TextWidget())
    sex = fields.Field("sex", "sex", widget=ChoiceWidget(Sex.values))
    languages = fields.Field("languages", "languages", widget=LanguagesWidget())
    home_unit = fields.Field("home_unit", "home_unit")
    phone = fields.Field("phone", "phone", widget=PhoneWidget())
    email = fields.Field("email", "email", widget=TextWidget())
    organisation = fields.Field("organisation", "organisation", widget=TextWidget())
    contract_from = fields.Field("contract_from", "contract_from", widget=DayWidget())
    contract_to = fields.Field("contract_to", "contract_to", widget=DayWidget())
    kobo_username = fields.Field("kobo_username", "kobo_username", widget=TextWidget())
    status = OutField(column_name="status", attribute="status", widget=TextWidget())

    class Meta:
        model = Enumerator
        import_id_fields = ["code"]
        fields = [
            "code", "full_name", "sex", "languages", "home_unit", "phone", "email", "organisation", "contract_from",
            "contract_to", "kobo_username", "status",
        ]  # fmt: skip
        export_order = import_order = fields
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fields["home_unit"].widget = RowWidget(
            self.units, code="unit_id", missing=_("“%(value)s” is no place of the gazetteer within your area")
        )

    def units(self) -> dict[str, AdminUnit]:
        return {unit.unit_id: unit for unit in AdminUnit.objects.in_reach_of(self.user)}

    @cached_property
    def taken(self) -> set[str]:
        """Codes of people whom the user does not see: theirs all the same."""
        own = Enumerator.objects.visible_to(self.user).order_by().values("pk")
        return set(Enumerator.objects.exclude(pk__in=own).values_list("code", flat=True))

    def get_queryset(self) -> QuerySet[Enumerator]:
        return Enumerator.objects.visible_to(self.user).select_related("home_unit")

    def check_row(self, instance: Enumerator, errors: dict[str, Any]) -> list[str]:
        if instance.code in self.taken:
            errors["code"] = [ValidationError(_now("This code belongs to a person outside your area."))]
        return []
