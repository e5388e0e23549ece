"""What the admin pages of all apps share: rows within the user's reach, and rights asked of predicates.

Knows no app. A model's default queryset must have ``visible_to(user)``; where a queryset of places has
``in_reach_of(user)`` as well, choices are narrowed to that: places above the own ones are seen, not chosen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.http import Http404, HttpRequest
from django.utils.text import capfirst

if TYPE_CHECKING:
    _Options = admin.options.BaseModelAdmin[Any]
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _Options = object
    _ModelAdmin = admin.ModelAdmin
    _TabularInline = admin.TabularInline

AnyUser = AbstractBaseUser | AnonymousUser


def nobody(user: AnyUser, row: Any = None) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class DeskRights:
    """Predicates. ``change`` and ``delete`` are asked with None for "any row at all?" and with the row for that one."""

    view: Callable[[AnyUser], bool]
    add: Callable[[AnyUser], bool] = nobody
    change: Callable[[AnyUser, Any], bool] = nobody
    delete: Callable[[AnyUser, Any], bool] = nobody


class Scoped(_Options):
    """For an admin page or an inline. Out of reach is not found: no page says that the row exists."""

    rights: DeskRights

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return visible_rows(super().get_queryset(request), request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.rights.view(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.rights.view(request.user)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.rights.add(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.rights.change(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.rights.delete(request.user, obj)

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> models.QuerySet[Any] | None:
        """Choices of foreign keys and of many-to-many fields, the check of what was posted included."""
        rows = super().get_field_queryset(db, db_field, request)
        if rows is None:
            rows = db_field.remote_field.model._default_manager.using(db)
        return rows_to_choose(rows, request.user)


class ScopedAdmin(Scoped, _ModelAdmin):
    """The admin page of a model that hangs on places. Deleting is refused unless ``rights`` say otherwise."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is None:
            raise Http404
        return row

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Headed by what the list holds."""
        title = capfirst(str(self.opts.verbose_name_plural))
        return super().changelist_view(request, {"title": title, **(extra_context or {})})


class ScopedTabularInline(Scoped, _TabularInline):
    extra = 0


class UnscopedAdmin(ScopedAdmin):
    """The mission's own lists, which hang on no place (form kinds, indicators): whoever may view sees all rows."""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super(Scoped, self).get_queryset(request)


class UnscopedTabularInline(ScopedTabularInline):
    """Rows that the page above has already narrowed."""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super(Scoped, self).get_queryset(request)


def visible_rows(rows: Any, user: AnyUser) -> models.QuerySet[Any]:
    narrowed: models.QuerySet[Any] = rows.visible_to(user)
    return narrowed


def rows_to_choose(rows: Any, user: AnyUser) -> models.QuerySet[Any]:
    """Models without a scope (users, kinds of form) are offered whole."""
    narrow = getattr(rows, "in_reach_of", None) or getattr(rows, "visible_to", None)
    chosen: models.QuerySet[Any] = narrow(user) if narrow else rows
    return chosen
