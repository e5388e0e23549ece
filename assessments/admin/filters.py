"""Filters of the work's lists."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from assessments.enums import Bucket, ReviewStatus, Severity
from assessments.models import KoboSubmission, QualityFlag
from training.admin.filters import RegionFilter


class TargetRegionFilter(RegionFilter):
    path_field = "target__unit__path"


class BucketFilter(admin.SimpleListFilter):
    """For a list whose rows carry their ``bucket``."""

    title = _("coverage")
    parameter_name = "bucket"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Bucket.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(bucket=self.value()) if self.value() else queryset


class ReviewFilter(admin.SimpleListFilter):
    """Without a choice: what somebody has to decide on."""

    title = _("review")
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*ReviewStatus.choices, ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": _("To decide"),
        }
        for value, label in self.lookup_choices:
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value in ReviewStatus.values:
            return queryset.filter(review_status=value)
        if value == "all" or request.GET.get("condition") or request.GET.get("match_state__exact"):
            return queryset
        waiting = KoboSubmission.objects.awaiting_review().order_by().values("pk")
        proposed = KoboSubmission.objects.proposed().order_by().values("pk")
        return queryset.filter(Q(pk__in=waiting) | CHANGED | Q(pk__in=proposed))


# Approved, and the newest content is another.
CHANGED = Q(approved_revision__isnull=False) & ~Q(approved_revision=F("current_revision"))


class FlagFilter(admin.SimpleListFilter):
    title = _("quality flags")
    parameter_name = "flags"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("none", _("None")), *Severity.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        flagged = QualityFlag.objects.order_by().values("revision")
        if self.value() == "none":
            return queryset.exclude(current_revision__in=flagged)
        if self.value() in Severity.values:
            return queryset.filter(current_revision__in=flagged.filter(severity=self.value()))
        return queryset


class ConditionFilter(admin.SimpleListFilter):
    title = _("condition")
    parameter_name = "condition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("changed", _("Changed after approval")),
            ("proposed", _("Set at Kobo")),
            ("unread", _("Cannot be read")),
            ("trial", _("Trial")),
            ("deleted", _("Deleted at Kobo")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {
            "changed": CHANGED,
            "proposed": Q(pk__in=KoboSubmission.objects.proposed().order_by().values("pk")),
            "unread": Q(is_refused=True, deleted_at=None),
            "trial": Q(is_trial=True),
            "deleted": Q(deleted_at__isnull=False),
        }
        return queryset.filter(chosen.get(self.value() or "", Q()))
