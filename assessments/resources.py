"""The list of targets as a table."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from import_export import fields

from assessments.models import AssessmentRound, RoundTarget
from dtm_ops.common.table_resource import OutField, RowWidget, TableResource, TextWidget, WholeNumberWidget
from locations.models import AdminUnit
from training.models import FormKind


class InformantsWidget(WholeNumberWidget):
    """Blank: as many as the model says."""

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        number = super().clean(value, row, **options)
        return RoundTarget._meta.get_field("minimum_informants").get_default() if number is None else number


class RoundTargetResource(TableResource):
    """By round, place and form kind. Status is not imported: it changes by its own step, with a reason."""

    key_columns = ("round", "unit_id", "form_kind")
    required_columns = key_columns
    guide = {
        "round": _("Required. The code of the round, like 2022-Q4."),
        "unit_id": _("Required. The unit_id of the place in the gazetteer, like 195200000."),
        "form_kind": _("Required. The code of the form kind, like baseline_area or baseline_sub_area."),
        "minimum_informants": _("How many key informants at least. Blank: 2."),
        "source": _("Where the place was taken from: a list, a district form."),
    }

    round = fields.Field("round", "round", widget=TextWidget())
    unit_id = fields.Field("unit", "unit_id", widget=TextWidget())
    form_kind = fields.Field("form_kind", "form_kind", widget=TextWidget())
    minimum_informants = fields.Field("minimum_informants", "minimum_informants", widget=InformantsWidget())
    source = fields.Field("source", "source", widget=TextWidget())
    place = OutField(column_name="place", attribute="unit__name", widget=TextWidget())
    status = OutField(column_name="status", attribute="status", widget=TextWidget())
    reason = OutField(column_name="reason", attribute="status_reason", widget=TextWidget())
    bucket = OutField(column_name="bucket", attribute="bucket", widget=TextWidget())

    class Meta:
        model = RoundTarget
        import_id_fields = ["round", "unit_id", "form_kind"]
        fields = [
            "round", "unit_id", "form_kind", "minimum_informants", "source", "place", "status", "reason", "bucket",
        ]  # fmt: skip
        export_order = import_order = fields
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fields["round"].widget = RowWidget(
            lambda: {one.code: one for one in AssessmentRound.objects.all()},
            code="code",
            missing=_("there is no round “%(value)s”"),
        )
        self.fields["unit_id"].widget = RowWidget(
            lambda: {one.unit_id: one for one in AdminUnit.objects.in_reach_of(self.user)},
            code="unit_id",
            missing=_("“%(value)s” is no place of the gazetteer within your area"),
        )
        self.fields["form_kind"].widget = RowWidget(
            lambda: {one.code: one for one in FormKind.objects.all()},
            code="code",
            missing=_("there is no form kind “%(value)s”"),
        )

    def get_queryset(self) -> QuerySet[RoundTarget]:
        return RoundTarget.objects.visible_to(self.user).select_related("round", "unit", "form_kind")
