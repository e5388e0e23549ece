"""What lists can be narrowed by. Codes as they stand in the answers; a code that nothing has gives no rows."""

from typing import Any

import django_filters
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from assessments.enums import Bucket, FocusGroupStatus, MatchState, ReviewStatus, RoundStatus, SyncOutcome
from assessments.models import AssessmentRound, FocusGroupSession, KoboForm, KoboSubmission, RoundTarget, SyncRun
from locations.models import AdminUnit
from training.enums import Component, EnumeratorStatus
from training.models import Certificate, Enumerator, FormKind, TrainingSession


class WithinFilter(django_filters.CharFilter):
    """Rows whose place is the one with that unit id or lies inside it. ``field_name`` leads to the place's path."""

    def filter(self, rows: QuerySet[Any], unit_id: str) -> QuerySet[Any]:
        if not unit_id:
            return rows
        path = AdminUnit.objects.filter(unit_id=unit_id).values_list("path", flat=True).first()
        return rows.filter(**{f"{self.field_name}__startswith": path}) if path else rows.none()


class EnumeratorFilter(django_filters.FilterSet):
    region = WithinFilter(field_name="home_unit__path", label=_("At home in the place with this unit id"))
    status = django_filters.ChoiceFilter(choices=EnumeratorStatus.choices, label=_("Status"))

    class Meta:
        model = Enumerator
        fields = ["region", "status"]


class CertificateFilter(django_filters.FilterSet):
    enumerator = django_filters.CharFilter(field_name="enumerator__code", label=_("Code of the enumerator"))
    form_kind = django_filters.CharFilter(field_name="form_kind__code", label=_("Code of the form kind"))
    training_session = django_filters.CharFilter(
        field_name="training_session__code", label=_("Code of the training session")
    )
    valid_on = django_filters.DateFilter(method="hold_on", label=_("Valid on that day"))

    class Meta:
        model = Certificate
        fields = ["enumerator", "form_kind", "training_session", "valid_on"]

    def hold_on(self, certificates: Any, name: str, day: Any) -> QuerySet[Certificate]:
        narrowed: QuerySet[Certificate] = certificates.valid_on(day)
        return narrowed


class TrainingSessionFilter(django_filters.FilterSet):
    form_kind = django_filters.CharFilter(
        field_name="trained_forms__form_kind__code", distinct=True, label=_("Code of a form kind that it covers")
    )

    class Meta:
        model = TrainingSession
        fields = ["form_kind"]


class FormKindFilter(django_filters.FilterSet):
    component = django_filters.ChoiceFilter(choices=Component.choices, label=_("Component of DTM"))

    class Meta:
        model = FormKind
        fields = ["component"]


class RoundFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=RoundStatus.choices, label=_("Status"))
    component = django_filters.ChoiceFilter(choices=Component.choices, label=_("Component of DTM"))

    class Meta:
        model = AssessmentRound
        fields = ["status", "component"]


class RoundTargetFilter(django_filters.FilterSet):
    round = django_filters.CharFilter(field_name="round__code", label=_("Code of the round"))
    region = WithinFilter(field_name="unit__path", label=_("In the place with this unit id"))
    form_kind = django_filters.CharFilter(field_name="form_kind__code", label=_("Code of the form kind"))
    # Computed for each row, hence no column of the table.
    bucket = django_filters.ChoiceFilter(choices=Bucket.choices, label=_("Where the target stands"))

    class Meta:
        model = RoundTarget
        fields = ["round", "region", "form_kind", "bucket"]


class FocusGroupFilter(django_filters.FilterSet):
    round = django_filters.CharFilter(field_name="target__round__code", label=_("Code of the round"))
    region = WithinFilter(field_name="target__unit__path", label=_("In the place with this unit id"))
    form_kind = django_filters.CharFilter(field_name="target__form_kind__code", label=_("Code of the form kind"))
    target = django_filters.NumberFilter(field_name="target", label=_("Id of the target"))
    status = django_filters.ChoiceFilter(choices=FocusGroupStatus.choices, label=_("Status"))
    enumerator = django_filters.CharFilter(method="of_person", label=_("Code of an enumerator who is assigned"))
    starts_from = django_filters.DateFilter(
        field_name="starts_at", lookup_expr="date__gte", label=_("First day of the start")
    )
    starts_to = django_filters.DateFilter(
        field_name="starts_at", lookup_expr="date__lte", label=_("Last day of the start")
    )

    class Meta:
        model = FocusGroupSession
        fields = ["round", "region", "form_kind", "target", "status", "enumerator", "starts_from", "starts_to"]

    def of_person(self, groups: QuerySet[FocusGroupSession], name: str, code: str) -> QuerySet[FocusGroupSession]:
        return groups.filter(assignments__enumerator__code=code, assignments__withdrawn_at=None)


class SubmissionFilter(django_filters.FilterSet):
    round = django_filters.CharFilter(field_name="form__round__code", label=_("Code of the round"))
    region = WithinFilter(field_name="unit__path", label=_("In the place with this unit id"))
    form_kind = django_filters.CharFilter(field_name="form__form_kind__code", label=_("Code of the form kind"))
    asset = django_filters.CharFilter(field_name="form__asset_uid", label=_("Uid of the Kobo project"))
    kobo_id = django_filters.NumberFilter(field_name="kobo_id", label=_("Kobo's id of the submission"))
    review_status = django_filters.ChoiceFilter(choices=ReviewStatus.choices, label=_("Review"))
    match_state = django_filters.ChoiceFilter(choices=MatchState.choices, label=_("How it found its target"))
    target = django_filters.NumberFilter(field_name="target", label=_("Id of the target"))
    focus_group = django_filters.CharFilter(field_name="focus_group__code", label=_("Code of the focus group"))
    enumerator = django_filters.CharFilter(field_name="enumerator__code", label=_("Code of the enumerator"))
    is_deleted = django_filters.BooleanFilter(
        field_name="deleted_at", lookup_expr="isnull", exclude=True, label=_("Deleted at Kobo")
    )
    is_trial = django_filters.BooleanFilter(label=_("Trial of a training day"))
    is_refused = django_filters.BooleanFilter(label=_("Cannot be read"))
    changed_after_approval = django_filters.BooleanFilter(
        method="changed", label=_("The figures stand on an older content than the newest")
    )

    class Meta:
        model = KoboSubmission
        fields = [
            "round",
            "region",
            "form_kind",
            "asset",
            "kobo_id",
            "review_status",
            "match_state",
            "target",
            "focus_group",
            "enumerator",
            "is_deleted",
            "is_trial",
            "is_refused",
            "changed_after_approval",
        ]

    def changed(self, rows: QuerySet[KoboSubmission], name: str, wanted: bool) -> QuerySet[KoboSubmission]:
        same = Q(approved_revision=None) | Q(approved_revision=F("current_revision"))
        return rows.exclude(same) if wanted else rows.filter(same)


class KoboFormFilter(django_filters.FilterSet):
    round = django_filters.CharFilter(field_name="round__code", label=_("Code of the round"))
    form_kind = django_filters.CharFilter(field_name="form_kind__code", label=_("Code of the form kind"))
    asset = django_filters.CharFilter(field_name="asset_uid", label=_("Uid of the Kobo project"))
    is_active = django_filters.BooleanFilter(label=_("Synchronised"))

    class Meta:
        model = KoboForm
        fields = ["round", "form_kind", "asset", "is_active"]


class SyncRunFilter(django_filters.FilterSet):
    asset = django_filters.CharFilter(field_name="form__asset_uid", label=_("Uid of the Kobo project"))
    round = django_filters.CharFilter(field_name="form__round__code", label=_("Code of the round"))
    outcome = django_filters.ChoiceFilter(choices=SyncOutcome.choices, label=_("Outcome"))

    class Meta:
        model = SyncRun
        fields = ["asset", "round", "outcome"]
