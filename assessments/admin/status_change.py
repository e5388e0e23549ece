"""The history of every status, for those who see everything anyway."""

from typing import Any

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.models import StatusChange
from locations.permissions import is_administrator, is_manager


def _may_view(user: AnyUser) -> bool:
    return is_administrator(user) or is_manager(user)


class MovedKindFilter(admin.SimpleListFilter):
    """Only kinds of row of which one ever moved."""

    title = _("kind of row")
    parameter_name = "subject_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        moved = StatusChange.objects.order_by().values("subject_type").distinct()
        return [(str(one.pk), one.name) for one in ContentType.objects.filter(pk__in=moved)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(subject_type=value) if value.isdigit() else queryset


@admin.register(StatusChange)
class StatusChangeAdmin(UnscopedAdmin):
    """A coordinator reads a row's history on the row's own page."""

    desk_section = DeskSection.REVIEW
    desk_order = 2
    rights = DeskRights(view=_may_view)
    list_display = ["at", "shown_kind", "subject_id", "shown_old", "shown_new", "by", "text"]
    list_filter = [MovedKindFilter, "at"]
    list_select_related = ["subject_type", "by"]
    date_hierarchy = "at"
    search_fields = ["text", "=subject_id"]
    fields = ["at", "shown_kind", "subject_id", "shown_old", "shown_new", "by", "reason", "text"]
    readonly_fields = ["shown_kind", "shown_old", "shown_new"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).order_by("-at", "-pk")

    @admin.display(description=_("kind of row"), ordering="subject_type")
    def shown_kind(self, change: StatusChange) -> str:
        return change.subject_type.name

    @admin.display(description=_("from"), ordering="old")
    def shown_old(self, change: StatusChange) -> str:
        return _status(change, change.old)

    @admin.display(description=_("to"), ordering="new")
    def shown_new(self, change: StatusChange) -> str:
        return _status(change, change.new)


def _status(change: StatusChange, value: str) -> str:
    """In words, by the choices of the column that moved; a model that is gone leaves the code."""
    model: type[models.Model] | None = change.subject_type.model_class()
    if model is None:
        return value
    column: Any = model._meta.get_field(change.field)
    return str(dict(column.flatchoices).get(value, value))
