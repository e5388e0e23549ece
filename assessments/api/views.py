"""Read access for programs. Every view declares who may read it and starts from the rows that the reader may see."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from drf_spectacular.views import SpectacularAPIView
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import APIRootView
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from assessments.api import filters, serializers
from assessments.models import (
    AssessmentRound,
    FocusGroupSession,
    Indicator,
    KoboForm,
    KoboSubmission,
    RoundRegion,
    RoundTarget,
    SessionAssignment,
    SyncRun,
)
from assessments.selectors.contracts import coverage_answer, report_answer
from assessments.selectors.coverage import with_bucket
from assessments.selectors.sync_state import with_sync_state
from locations.api.permissions import HasDesk, HasRole
from locations.models import AdminUnit
from training.models import Certificate, Enrolment, Enumerator, FormKind, TeamMembership, TrainingSession

CODE = "[0-9A-Za-z_-]+"
NUMBER = "[0-9]{1,18}"


# Comments, not docstrings, on view sets: their docstrings are printed in the documentation of the API. `queryset` is
# empty, for the documentation alone: rows come from `get_queryset`, which knows the reader.
class ReadOnly(ReadOnlyModelViewSet):
    http_method_names = ["get", "head"]


class ApiRoot(APIRootView):
    """The lists of this API with their addresses."""

    permission_classes = [HasRole]
    schema = None


class Nowhere(APIView):
    """What is no address of the API: 404 in the API's own shape, for whoever is logged in and by every method."""

    permission_classes = [IsAuthenticated]
    schema = None

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        raise NotFound(_("The API has no such address."))

    options = http_method_not_allowed


class EnglishSchema(SpectacularAPIView):
    """One description for all readers: it is read by programmers, and half a translation helps nobody."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with translation.override("en"):
            answer: Response = super().get(request, *args, **kwargs)
        return answer


class AsReceived(JSONRenderer):
    """Letter by letter: half of an emoji, which phones send, is no Unicode text, but it can be escaped."""

    ensure_ascii = True


@extend_schema_view(
    list=extend_schema(summary="People of the roster; an enumerator finds themselves"),
    retrieve=extend_schema(summary="One person by their code"),
)
class EnumeratorViewSet(ReadOnly):
    queryset = Enumerator.objects.none()
    serializer_class = serializers.EnumeratorSerializer
    filterset_class = filters.EnumeratorFilter
    permission_classes = [HasRole]
    lookup_field = "code"
    lookup_value_regex = CODE

    def get_queryset(self) -> QuerySet[Enumerator]:
        teams = TeamMembership.objects.on(timezone.localdate()).select_related("team")
        seen = Enumerator.objects.visible_to(self.request.user).select_related("home_unit", "merged_into")
        return seen.prefetch_related(Prefetch("memberships", queryset=teams, to_attr="teams_today")).order_by("code")

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """An entry that was merged leads to the one it was merged into."""
        person = self.get_object()
        if person.merged_into is not None:
            address = reverse("enumerator-detail", args=[person.merged_into.code])
            return Response(status=status.HTTP_302_FOUND, headers={"Location": address})
        return Response(self.get_serializer(person).data)


@extend_schema_view(
    list=extend_schema(summary="Certificates; an enumerator's own"),
    retrieve=extend_schema(summary="One certificate by its serial"),
)
class CertificateViewSet(ReadOnly):
    queryset = Certificate.objects.none()
    serializer_class = serializers.CertificateSerializer
    filterset_class = filters.CertificateFilter
    permission_classes = [HasRole]
    lookup_field = "serial"
    lookup_value_regex = CODE

    def get_queryset(self) -> QuerySet[Certificate]:
        seen = Certificate.objects.visible_to(self.request.user)
        return seen.select_related("enumerator", "form_kind", "training_session").order_by("serial")


@extend_schema_view(
    list=extend_schema(summary="Training sessions in which people within the reader's reach are enrolled"),
    retrieve=extend_schema(summary="One training session by its code"),
)
class TrainingSessionViewSet(ReadOnly):
    queryset = TrainingSession.objects.none()
    serializer_class = serializers.TrainingSessionSerializer
    filterset_class = filters.TrainingSessionFilter
    permission_classes = [HasRole]
    lookup_field = "code"
    lookup_value_regex = CODE

    def get_queryset(self) -> QuerySet[TrainingSession]:
        reader = self.request.user
        people = Enrolment.objects.filter(enumerator__in=Enumerator.objects.visible_to(reader))
        return (
            TrainingSession.objects.visible_to(reader)
            .prefetch_related(
                "trained_forms__form_kind",
                "half_days",
                Prefetch("enrolments", people.select_related("enumerator")),
            )
            .order_by("code")
        )


@extend_schema_view(
    list=extend_schema(summary="What forms are for"),
    retrieve=extend_schema(summary="One form kind by its code"),
)
class FormKindViewSet(ReadOnly):
    queryset = FormKind.objects.none()
    serializer_class = serializers.FormKindSerializer
    filterset_class = filters.FormKindFilter
    permission_classes = [HasRole]
    lookup_field = "code"
    lookup_value_regex = CODE

    def get_queryset(self) -> QuerySet[FormKind]:
        return FormKind.objects.order_by("order", "code")


@extend_schema_view(
    list=extend_schema(summary="Rounds; for an enumerator those that they work in"),
    retrieve=extend_schema(summary="One round by its code"),
)
class RoundViewSet(ReadOnly):
    queryset = AssessmentRound.objects.none()
    serializer_class = serializers.RoundSerializer
    filterset_class = filters.RoundFilter
    permission_classes = [HasRole]
    lookup_field = "code"
    lookup_value_regex = CODE

    def get_queryset(self) -> QuerySet[AssessmentRound]:
        reader = self.request.user
        regions = RoundRegion.objects.filter(unit__in=AdminUnit.objects.visible_to(reader)).select_related("unit")
        seen = AssessmentRound.objects.visible_to(reader).prefetch_related(Prefetch("regions", regions))
        return seen.order_by("-reporting_from", "code")

    @extend_schema(
        summary="Where every target of the round stands", responses=serializers.CoverageSerializer, filters=False
    )
    @action(detail=True, permission_classes=[HasDesk], filterset_class=None)
    def coverage(self, request: Request, code: str) -> Response:
        return Response(coverage_answer(self.get_object(), user=request.user))

    @extend_schema(
        summary="The figures of the round: the total and every breakdown with its shares",
        responses=serializers.ReportSerializer,
        filters=False,
    )
    @action(detail=True, permission_classes=[HasDesk], filterset_class=None)
    def report(self, request: Request, code: str) -> Response:
        return Response(report_answer(self.get_object(), user=request.user))


@extend_schema_view(
    list=extend_schema(summary="Places that rounds have to cover, each with the bucket in which it stands"),
    retrieve=extend_schema(summary="One target by its id"),
)
class RoundTargetViewSet(ReadOnly):
    queryset = RoundTarget.objects.none()
    serializer_class = serializers.RoundTargetSerializer
    filterset_class = filters.RoundTargetFilter
    permission_classes = [HasDesk]
    lookup_value_regex = NUMBER

    def get_queryset(self) -> QuerySet[RoundTarget]:
        seen = with_bucket(RoundTarget.objects.visible_to(self.request.user))
        return seen.select_related("round", "unit", "form_kind").order_by(
            "round", "unit__path", "form_kind__order", "pk"
        )


@extend_schema_view(
    list=extend_schema(summary="Focus groups; for an enumerator those that they are assigned to"),
    retrieve=extend_schema(summary="One focus group by its code"),
)
class FocusGroupViewSet(ReadOnly):
    queryset = FocusGroupSession.objects.none()
    serializer_class = serializers.FocusGroupSerializer
    filterset_class = filters.FocusGroupFilter
    permission_classes = [HasRole]
    lookup_field = "code"
    lookup_value_regex = CODE

    def get_queryset(self) -> QuerySet[FocusGroupSession]:
        active = SessionAssignment.objects.active().select_related("enumerator")
        return (
            FocusGroupSession.objects.visible_to(self.request.user)
            .select_related("target__round", "target__unit", "target__form_kind")
            .prefetch_related(Prefetch("assignments", active))
            .order_by("starts_at", "code")
        )


@extend_schema_view(
    list=extend_schema(summary="Submitted forms without their answers; an enumerator's own"),
    retrieve=extend_schema(
        summary="One submitted form by its id, with its answers", responses=serializers.SubmissionDetailSerializer
    ),
)
class SubmissionViewSet(ReadOnly):
    queryset = KoboSubmission.objects.none()
    filterset_class = filters.SubmissionFilter
    permission_classes = [HasRole]
    lookup_value_regex = NUMBER

    def get_queryset(self) -> QuerySet[KoboSubmission]:
        seen = KoboSubmission.objects.visible_to(self.request.user).select_related(
            "form__round", "form__form_kind", "focus_group", "enumerator", "unit"
        )
        if self.action == "retrieve":
            seen = seen.select_related("current_revision").prefetch_related("current_revision__flags")
        return seen.order_by("-kobo_id", "pk")

    def get_serializer_class(self) -> type[BaseSerializer[KoboSubmission]]:
        whole = self.action == "retrieve"
        return serializers.SubmissionDetailSerializer if whole else serializers.SubmissionSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        context: dict[str, Any] = {**super().get_serializer_context()}
        if self.action == "retrieve":
            context["indicators"] = dict(Indicator.objects.values_list("code", "names"))
        return context

    def get_renderers(self) -> list[BaseRenderer]:
        return [AsReceived()] if self.action == "retrieve" else super().get_renderers()


@extend_schema_view(
    list=extend_schema(summary="Connected Kobo projects"),
    retrieve=extend_schema(summary="One connected Kobo project by its id"),
)
class KoboFormViewSet(ReadOnly):
    queryset = KoboForm.objects.none()
    serializer_class = serializers.KoboFormSerializer
    filterset_class = filters.KoboFormFilter
    permission_classes = [HasDesk]
    lookup_value_regex = NUMBER

    def get_queryset(self) -> QuerySet[KoboForm]:
        seen = KoboForm.objects.visible_to(self.request.user).select_related("server", "round", "form_kind")
        return with_sync_state(seen).order_by("pk")


@extend_schema_view(
    list=extend_schema(summary="Runs of the sync with their ledgers, the newest first"),
    retrieve=extend_schema(summary="One run by its id"),
)
class SyncRunViewSet(ReadOnly):
    queryset = SyncRun.objects.none()
    serializer_class = serializers.SyncRunSerializer
    filterset_class = filters.SyncRunFilter
    permission_classes = [HasDesk]
    lookup_value_regex = NUMBER

    def get_queryset(self) -> QuerySet[SyncRun]:
        seen = SyncRun.objects.filter(form__in=KoboForm.objects.visible_to(self.request.user))
        return seen.select_related("form__round", "by").order_by("-started_at", "-pk")
