"""Kobo's notices of new forms on the desk: the page of a form where an administrator sets them up, and the list."""

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.admin.tones import HOOK
from assessments.enums import HookState
from assessments.kobo.errors import KoboError
from assessments.kobo.hooks import HOOK_FIELDS, HOOK_HEADER, HOOK_NAME, remove_hook, set_up_hook
from assessments.messages import kobo_message
from assessments.models import HookDelivery, KoboForm
from assessments.permissions import can_connect_kobo
from assessments.services.kobo_connection import open_client
from assessments.services.kobo_hooks import close_hook, open_hook, renew_secret
from dtm_ops.accounts.models import User
from dtm_ops.common.badges import badge
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.errors import Refused
from dtm_ops.common.site_address import absolute
from dtm_ops.records.verbs import VerbAdmin
from locations.permissions import is_administrator, is_manager

LAST_NOTICES = 10


def notices_section(form: KoboForm, user: AnyUser) -> dict[str, Any]:
    """For the form's own page: whether notices are on, and the last ones. Neither address nor secret."""
    last = HookDelivery.objects.filter(form=form).defer("body")[:LAST_NOTICES]
    return {
        "is_on": form.hook_path is not None,
        "may_set_up": can_connect_kobo(user),
        "may_read_all": _may_read(user),
        "last": [(one, HOOK[HookState(one.state)]) for one in last],
    }


def notices_url(model_admin: VerbAdmin) -> URLPattern:
    """For `KoboFormAdmin.get_urls`."""

    def view(request: HttpRequest, object_id: str) -> HttpResponse:
        return _show_notices(model_admin, request, object_id)

    wrapped = model_admin.admin_site.admin_view(view)
    return path("<path:object_id>/notices/", wrapped, name="assessments_koboform_notices")


def _show_notices(model_admin: VerbAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Address and secret, to be copied, and what can be done with them. For administrators alone."""
    form = model_admin.get_object(request, unquote(object_id))
    if not can_connect_kobo(request.user):
        raise PermissionDenied
    if request.method == "POST":
        _act(request, form)
        return HttpResponseRedirect(request.path)
    address = hook_address(form)
    context = {
        **model_admin.admin_site.each_context(request),
        **notices_section(form, request.user),
        "opts": model_admin.opts,
        "title": _now("Notices of Kobo"),
        "original": form,
        "back": reverse("admin:assessments_koboform_change", args=[form.pk]),
        "address": address,
        "secret": form.hook_secret,
        "header": HOOK_HEADER,
        "service": HOOK_NAME,
        "fields": HOOK_FIELDS,
        "is_unreachable": _is_private(settings.SITE_ADDRESS),
        "site_address": settings.SITE_ADDRESS,
    }
    return TemplateResponse(request, "admin/assessments/koboform/notices.html", context)


def hook_address(form: KoboForm) -> str:
    return absolute(reverse("kobo_hook", args=[form.hook_path])) if form.hook_path else ""


def _act(request: HttpRequest, form: KoboForm) -> None:
    act = _ACTS.get(request.POST.get("do", ""))
    if act is None:
        return
    try:
        messages.success(request, act(form, request.user))
    except Refused as refused:
        messages.error(request, str(refused))
    except KoboError as error:
        messages.error(request, kobo_message(error.code, error.params))


def _open(form: KoboForm, user: User) -> str:
    open_hook(form, by=user)
    return _now("Notices are taken now. Kobo has to be told where to send them: once for all below, or by hand.")


def _set_up(form: KoboForm, user: User) -> str:
    opened = open_hook(form, by=user)
    with open_client(form.server) as client:
        set_up_hook(client.connection, form.asset_uid, endpoint=hook_address(opened), secret=opened.hook_secret)
    return _now("Kobo sends its notices here from now on.")


def _renew(form: KoboForm, user: User) -> str:
    renew_secret(form, by=user)
    return _now("The old secret is not taken any more. Set it up at Kobo again.")


def _close(form: KoboForm, user: User) -> str:
    """Here at once, whatever becomes of it at Kobo."""
    address = hook_address(form)
    close_hook(form, by=user)
    if not address:
        return _now("No notices are taken any more.")
    try:
        with open_client(form.server) as client:
            remove_hook(client.connection, form.asset_uid, endpoint=address)
    except KoboError as error:
        why = kobo_message(error.code, error.params)
        return _now("No notices are taken any more. Delete the service at Kobo by hand: %(why)s") % {"why": why}
    return _now("No notices are taken any more, and Kobo sends none.")


_ACTS: dict[str, Callable[[KoboForm, Any], str]] = {
    "open": _open,
    "set_up": _set_up,
    "renew": _renew,
    "close": _close,
}


def _is_private(address: str) -> bool:
    """Kobo calls no address of a house's own network (recordings, surprise 39): it stores one, and fails later."""
    host = urlsplit(address).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))


# --- the list


def _may_read(user: AnyUser) -> bool:
    """A notice may hold the answers of any region."""
    return is_administrator(user) or is_manager(user)


@admin.register(HookDelivery)
class HookDeliveryAdmin(UnscopedAdmin):
    desk_section = DeskSection.KOBO
    desk_order = 5
    rights = DeskRights(view=_may_read)
    list_display = ["received_at", "form", "kobo_id", "times", "shown_state", "pulled_at"]
    list_filter = ["state", "form"]
    list_select_related = ["form"]
    date_hierarchy = "received_at"
    search_fields = ["=kobo_id"]
    fields = ["form", "received_at", "kobo_id", "times", "shown_state", "pulled_at", "body"]
    readonly_fields = ["shown_state"]

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, delivery: HookDelivery) -> SafeString:
        state = HookState(delivery.state)
        return badge(state.label, HOOK[state])
