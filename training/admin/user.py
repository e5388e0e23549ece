"""Who may log in, with which rights, and the tokens of machine clients.

The models are lower (accounts, locations); the pages stand here because they show all that a login is: rights over
places and the person of the roster.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from dtm_ops.accounts.models import ApiToken, User, issue_token, revoke_token, token_digest
from dtm_ops.common.badges import BAD, GOOD, QUIET, badge
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedAdmin, UnscopedTabularInline
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.models import UnitScope
from locations.permissions import is_administrator


def _administers(user: AnyUser, row: Any = None) -> bool:
    return is_administrator(user)


class Rights(UnscopedTabularInline):
    rights = DeskRights(view=is_administrator, add=is_administrator, change=_administers, delete=_administers)
    model = UnitScope
    autocomplete_fields = ["unit"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UnitScope]:
        return super().get_queryset(request).select_related("unit__parent")


@admin.register(User)
class UserAdmin(UnscopedAdmin, StockUserAdmin):
    """Rights come from the rows below and from nowhere else: Django's groups and permissions are not used.

    Nobody is deleted: what they decided bears their name. Who leaves is switched off.
    """

    desk_section = DeskSection.RIGHTS
    desk_order = 1
    rights = DeskRights(view=is_administrator, add=is_administrator, change=_administers)
    inlines = [Rights]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["first_name", "last_name", "email", "language"]}),
        (
            _("Log-in"),
            {
                "fields": ["is_active", "is_superuser", "last_login", "date_joined"],
                "description": _(
                    "Switch off who leaves: nobody is deleted. A superuser is an administrator everywhere."
                ),
            },
        ),
    ]
    add_fieldsets = [
        (
            None,
            {"classes": ["wide"], "fields": ["username", "usable_password", "password1", "password2", "language"]},
        )
    ]
    readonly_fields = ["last_login", "date_joined"]
    list_display = ["username", "shown_name", "shown_roles", "language", "shown_active", "last_login"]
    list_filter = ["is_active", "unit_scopes__role", "language"]
    filter_horizontal = []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("unit_scopes__unit")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Only a superuser makes superusers; nobody switches themselves off."""
        fields = list(self.readonly_fields)
        if not getattr(request.user, "is_superuser", False):
            fields.append("is_superuser")
        return [*fields, "is_active"] if obj is not None and obj.pk == request.user.pk else fields

    @admin.display(description=pgettext_lazy("of a person", "name"), ordering="last_name")
    def shown_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description=_("rights"))
    def shown_roles(self, user: User) -> str:
        own = [_now("superuser")] if user.is_superuser else []
        return "; ".join([*own, *(f"{one.get_role_display()}, {one.unit}" for one in user.unit_scopes.all())]) or "–"

    @admin.display(description=_("log-in"), ordering="is_active")
    def shown_active(self, user: User) -> SafeString:
        return badge(_("on"), GOOD) if user.is_active else badge(_("switched off"), QUIET)


admin.site.unregister(Group)


class TokenForm(forms.ModelForm):
    class Meta:
        model = ApiToken
        fields = ["user", "name", "expires_at"]
        labels = {"user": _("User")}

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise forms.ValidationError(_("The token would have expired already."))
        return expires_at


def _revoke(token: ApiToken, *, user: User) -> None:
    if not revoke_token(token):
        raise Refused(_now("it is revoked already"), code="already_revoked")


@admin.register(ApiToken)
class ApiTokenAdmin(UnscopedAdmin, VerbAdmin):
    """The key is made here and shown once; only its digest is kept. A token reads what its user may read."""

    desk_section = DeskSection.RIGHTS
    desk_order = 3
    rights = DeskRights(view=is_administrator, add=is_administrator)
    seen_fields = ("revoked_at",)
    verbs = (
        Verb(
            name="revoke",
            label=_("Revoke"),
            hint=_("The token opens nothing from now on."),
            may=_administers,
            act=_revoke,
            fits=lambda token: _now("it is revoked already") if token.revoked_at else "",
            tone="danger",
        ),
    )
    form = TokenForm
    autocomplete_fields = ["user"]
    list_display = ["name", "user", "created_at", "expires_at", "shown_standing"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    fields = ["user", "name", "expires_at", "created_at", "revoked_at"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ["user", "name", "expires_at"]

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Made by its service: what is saved is the digest of a key that nobody typed."""
        if change:
            raise PermissionDenied
        key = issue_token(obj.user, name=obj.name, expires_at=obj.expires_at)
        token = ApiToken.objects.get(digest=token_digest(key))
        obj.pk, obj.digest, obj.created_at = token.pk, token.digest, token.created_at
        obj._state.adding = False
        request.issued_key = key  # type: ignore[attr-defined]  # on its way to `response_add`, and kept nowhere

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """The page itself, no redirect: neither a message nor a session ever holds the key."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("The new token"),
            "token": obj,
            "key": request.issued_key,  # type: ignore[attr-defined]  # set in `save_model`
        }
        return TemplateResponse(request, "admin/accounts/apitoken/issued.html", context)

    @admin.display(description=_("validity"))
    def shown_standing(self, token: ApiToken) -> SafeString:
        if token.revoked_at:
            return badge(_("revoked"), BAD)
        if token.expires_at and token.expires_at <= timezone.now():
            return badge(_("expired"), QUIET)
        return badge(_("valid"), GOOD)
