"""How rows look to programs. Other rows are named by their public codes; codes of states are never translated."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from assessments.enums import Bucket, SyncState
from assessments.messages import flag_message, problem_message, run_message
from assessments.models import (
    AssessmentRound,
    FocusGroupSession,
    KoboForm,
    KoboServer,
    KoboSubmission,
    QualityFlag,
    RoundRegion,
    RoundTarget,
    SessionAssignment,
    SyncRun,
)
from locations.api.serializers import NamesField
from training.models import (
    Certificate,
    Enumerator,
    FormKind,
    TeamMembership,
    TrainedForm,
    TrainingHalfDay,
    TrainingSession,
)
from training.permissions import can_change_roster


def code_of(field: str = "code", **options: Any) -> serializers.SlugRelatedField:
    """Another row by its public code; null where there is none."""
    return serializers.SlugRelatedField(slug_field=field, read_only=True, **options)


# --- roster


class EnumeratorSerializer(serializers.ModelSerializer):
    """A person of the roster. ``phone`` and ``email`` are null for readers who may not change the person's entry, the
    person aside; blank: none is recorded. ``team`` is that of today. ``merged_into``: this entry was found to be the
    same person as that one, whose address it leads to.
    """

    home_unit = code_of("unit_id")
    team = serializers.SerializerMethodField()
    merged_into = code_of()
    phone = serializers.SerializerMethodField()
    email = serializers.SerializerMethodField()

    class Meta:
        model = Enumerator
        fields = [
            "code",
            "full_name",
            "other_names",
            "sex",
            "languages",
            "home_unit",
            "phone",
            "email",
            "organisation",
            "has_vehicle",
            "contract_from",
            "contract_to",
            "kobo_username",
            "team",
            "status",
            "status_since",
            "merged_into",
        ]
        read_only_fields = fields

    def get_phone(self, person: Enumerator) -> str | None:
        return person.phone if self._opens_contacts(person) else None

    def get_email(self, person: Enumerator) -> str | None:
        return person.email if self._opens_contacts(person) else None

    def get_team(self, person: Enumerator) -> str | None:
        """``teams_today`` is prefetched by the view."""
        memberships: list[TeamMembership] = getattr(person, "teams_today", [])
        return next((one.team.code for one in memberships), None)

    def _opens_contacts(self, person: Enumerator) -> bool:
        reader = self.context["request"].user
        return person.user_id == reader.pk or can_change_roster(reader, person)


class CertificateSerializer(serializers.ModelSerializer):
    """``expires_on`` is the last good day, ``revoked_on`` the first bad one; null: neither."""

    enumerator = code_of()
    form_kind = code_of()
    training_session = code_of()

    class Meta:
        model = Certificate
        fields = [
            "serial",
            "enumerator",
            "form_kind",
            "major_version",
            "training_session",
            "issued_on",
            "expires_on",
            "revoked_on",
            "revocation_reason",
        ]
        read_only_fields = fields


class FormKindSerializer(serializers.ModelSerializer):
    name = serializers.CharField(source="__str__", read_only=True)
    names = NamesField(read_only=True)

    class Meta:
        model = FormKind
        fields = ["code", "component", "name", "names", "review_steps", "one_per_target"]
        read_only_fields = fields


class TrainedFormSerializer(serializers.ModelSerializer):
    form_kind = code_of()

    class Meta:
        model = TrainedForm
        fields = ["form_kind", "major_version"]
        read_only_fields = fields


class TrainingHalfDaySerializer(serializers.ModelSerializer):
    class Meta:
        model = TrainingHalfDay
        fields = ["day", "part", "topic"]
        read_only_fields = fields


class TrainingSessionSerializer(serializers.ModelSerializer):
    """``enrolled``: codes of those people whom the reader may see."""

    trained_forms = TrainedFormSerializer(many=True, read_only=True)
    half_days = TrainingHalfDaySerializer(many=True, read_only=True)
    enrolled = serializers.SerializerMethodField()

    class Meta:
        model = TrainingSession
        fields = ["code", "title", "venue", "link", "language", "trainer", "trained_forms", "half_days", "enrolled"]
        read_only_fields = fields

    def get_enrolled(self, training_session: TrainingSession) -> list[str]:
        return [enrolment.enumerator.code for enrolment in training_session.enrolments.all()]


# --- rounds, targets, focus groups


class RoundRegionSerializer(serializers.ModelSerializer):
    unit_id = serializers.CharField(source="unit.unit_id", read_only=True)
    code = serializers.CharField(source="unit.code", read_only=True)
    name = serializers.CharField(source="unit.name", read_only=True)
    remark = serializers.CharField(read_only=True)

    class Meta:
        model = RoundRegion
        fields = ["unit_id", "code", "name", "remark"]
        read_only_fields = fields


class RoundSerializer(serializers.ModelSerializer):
    """``regions``: those whose figures the reader may see."""

    name = serializers.CharField(read_only=True)
    names = NamesField(read_only=True)
    remark = serializers.CharField(read_only=True)
    regions = RoundRegionSerializer(many=True, read_only=True)

    class Meta:
        model = AssessmentRound
        fields = [
            "code",
            "component",
            "number",
            "name",
            "names",
            "reporting_from",
            "reporting_to",
            "fieldwork_from",
            "fieldwork_to",
            "reference_date",
            "counted_since",
            "reference_year",
            "status",
            "is_demo",
            "remark",
            "regions",
        ]
        read_only_fields = fields


class RoundTargetSerializer(serializers.ModelSerializer):
    """``status`` is what people set, ``bucket`` where the target stands by all that is known."""

    round = code_of()
    unit = code_of("unit_id")
    unit_name = serializers.CharField(source="unit.name", read_only=True)
    form_kind = code_of()
    bucket = serializers.ChoiceField(choices=Bucket.choices, read_only=True)

    class Meta:
        model = RoundTarget
        fields = [
            "id",
            "round",
            "unit",
            "unit_name",
            "form_kind",
            "bucket",
            "parent_target",
            "minimum_informants",
            "source",
            "status",
            "status_reason",
            "status_until",
        ]
        read_only_fields = fields


class SessionAssignmentSerializer(serializers.ModelSerializer):
    enumerator = code_of()
    full_name = serializers.CharField(source="enumerator.full_name", read_only=True)

    class Meta:
        model = SessionAssignment
        fields = ["enumerator", "full_name", "role", "assigned_at"]
        read_only_fields = fields


class FocusGroupSerializer(serializers.ModelSerializer):
    """``starts_at`` and ``ends_at`` null: no date yet. ``assignments`` without those withdrawn."""

    round = serializers.CharField(source="target.round.code", read_only=True)
    unit = serializers.CharField(source="target.unit.unit_id", read_only=True)
    unit_name = serializers.CharField(source="target.unit.name", read_only=True)
    form_kind = serializers.CharField(source="target.form_kind.code", read_only=True)
    assignments = SessionAssignmentSerializer(many=True, read_only=True)

    class Meta:
        model = FocusGroupSession
        fields = [
            "code",
            "target",
            "round",
            "unit",
            "unit_name",
            "form_kind",
            "starts_at",
            "ends_at",
            "travel_minutes",
            "venue",
            "language",
            "status",
            "assignments",
        ]
        read_only_fields = fields


# --- coverage and report


class CoverageRegionSerializer(serializers.Serializer):
    code = serializers.CharField()
    name = serializers.CharField()
    planned = serializers.IntegerField()
    buckets = serializers.DictField(child=serializers.IntegerField())


class CoverageTargetSerializer(serializers.Serializer):
    unit_id = serializers.CharField()
    form_kind = serializers.CharField()
    bucket = serializers.ChoiceField(choices=Bucket.choices)


class CoverageSerializer(serializers.Serializer):
    """As `manage.py coverage --json`, of the targets within the reader's units. ``buckets`` names every bucket."""

    round = serializers.CharField()
    planned = serializers.IntegerField()
    buckets = serializers.DictField(child=serializers.IntegerField())
    regions = CoverageRegionSerializer(many=True)
    targets = CoverageTargetSerializer(many=True)


class ReportRowSerializer(serializers.Serializer):
    """``share`` in percent of the base; ``growth`` in percent over the row before, in years of arrival alone."""

    code = serializers.CharField()
    name = serializers.CharField()
    count = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    growth = serializers.FloatField(allow_null=True, required=False)


class ReportBreakdownSerializer(serializers.Serializer):
    base = serializers.IntegerField()
    rows = ReportRowSerializer(many=True)


class ReportSerializer(serializers.Serializer):
    """As `manage.py report --json`, of the places within the reader's units. ``by`` by indicator, and ``region``."""

    round = serializers.CharField()
    total = serializers.IntegerField()
    by = serializers.DictField(child=ReportBreakdownSerializer())


# --- Kobo


class KoboServerSerializer(serializers.ModelSerializer):
    """Without the token, which nothing shows again."""

    class Meta:
        model = KoboServer
        fields = ["id", "name", "base_url"]
        read_only_fields = fields


class KoboFormSerializer(serializers.ModelSerializer):
    """``next_sync_at`` null: within a minute. ``swept_at``: when every id was last compared with Kobo's; null: never.
    ``state``: how the sync stands between its runs; ``late`` and ``red`` want somebody.
    """

    server = KoboServerSerializer(read_only=True)
    round = code_of()
    form_kind = code_of()
    state = serializers.ChoiceField(source="sync_state", choices=SyncState.choices, read_only=True)
    last_complete_at = serializers.DateTimeField(source="good_at", read_only=True, allow_null=True)

    class Meta:
        model = KoboForm
        fields = [
            "id",
            "server",
            "asset_uid",
            "name",
            "round",
            "form_kind",
            "major_version",
            "is_active",
            "sync_every",
            "next_sync_at",
            "swept_at",
            "state",
            "last_complete_at",
        ]
        read_only_fields = fields


class SyncRunSerializer(serializers.ModelSerializer):
    """The ledger of a run. ``message`` says the outcome in the reader's language. ``is_sweep``: every id was compared;
    else counts alone, beside what is new, edited and judged. ``done`` of ``expected`` rows of the present ``step``.
    ``incidents``: troubles that were got over, how often each by code.
    """

    asset = serializers.CharField(source="form.asset_uid", read_only=True)
    round = serializers.CharField(source="form.round.code", read_only=True)
    by = code_of("username")
    message = serializers.SerializerMethodField()
    closed = serializers.BooleanField(read_only=True)

    class Meta:
        model = SyncRun
        fields = [
            "id",
            "form",
            "asset",
            "round",
            "trigger",
            "by",
            "started_at",
            "finished_at",
            "outcome",
            "message",
            "closed",
            "is_sweep",
            "step",
            "done",
            "expected",
            "stop_asked_at",
            "requests",
            "incidents",
            "at_kobo",
            "here",
            "new",
            "edited",
            "unchanged",
            "refused",
            "deleted",
            "unmatched",
            "error_code",
            "differences",
        ]
        read_only_fields = fields

    def get_message(self, run: SyncRun) -> str:
        return run_message(run)


class SubmissionSerializer(serializers.ModelSerializer):
    """One submitted form without its answers. Null: not matched, or not there."""

    server = serializers.IntegerField(source="server_id", read_only=True)
    asset = serializers.CharField(source="form.asset_uid", read_only=True)
    round = serializers.CharField(source="form.round.code", read_only=True)
    form_kind = serializers.CharField(source="form.form_kind.code", read_only=True)
    focus_group = code_of()
    enumerator = code_of()
    unit = code_of("unit_id")
    changed_after_approval = serializers.BooleanField(read_only=True)

    class Meta:
        model = KoboSubmission
        fields = [
            "id",
            "server",
            "asset",
            "kobo_id",
            "root_uuid",
            "uuid",
            "round",
            "form_kind",
            "submitted_at",
            "submitted_by",
            "first_seen_at",
            "deleted_at",
            "review_status",
            "changed_after_approval",
            "match_state",
            "target",
            "focus_group",
            "enumerator",
            "unit",
            "is_trial",
            "is_refused",
        ]
        read_only_fields = fields


class QualityFlagSerializer(serializers.ModelSerializer):
    code = serializers.CharField(source="check_code", read_only=True)
    message = serializers.SerializerMethodField()

    class Meta:
        model = QualityFlag
        fields = ["code", "severity", "message"]
        read_only_fields = fields

    def get_message(self, flag: QualityFlag) -> str:
        return flag_message(flag, self.context.get("indicators"))


class SubmissionDetailSerializer(SubmissionSerializer):
    """With the newest content: ``answers`` as Kobo sent them, by question path; ``problems`` what cannot be read."""

    answers = serializers.SerializerMethodField()
    problems = serializers.SerializerMethodField()
    flags = serializers.SerializerMethodField()

    class Meta(SubmissionSerializer.Meta):
        fields = [*SubmissionSerializer.Meta.fields, "answers", "problems", "flags"]
        read_only_fields = fields

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_answers(self, submission: KoboSubmission) -> dict[str, Any]:
        revision = submission.current_revision
        # NaN and Infinity, which phones have sent, are not JSON: they are shown as text.
        row = json.loads(revision.raw, parse_constant=str) if revision else {}
        return row if isinstance(row, dict) else {}

    def get_problems(self, submission: KoboSubmission) -> list[str]:
        revision = submission.current_revision
        return [problem_message(problem) for problem in revision.problems] if revision else []

    @extend_schema_field(QualityFlagSerializer(many=True))
    def get_flags(self, submission: KoboSubmission) -> Any:
        revision = submission.current_revision
        return QualityFlagSerializer(revision.flags.all() if revision else [], many=True, context=self.context).data
