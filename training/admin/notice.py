"""The outbox: what people were told by mail, what waits, and what could not be delivered."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.accounts.models import User
from dtm_ops.common.badges import BAD, GOOD, INFO, WAIT, badge
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.models import Notice
from dtm_ops.records.notices import retry_notice
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import is_administrator


def _may_retry(user: AnyUser, notice: Notice | None) -> bool:
    return is_administrator(user)


def _retry(notice: Notice, *, user: User) -> str:
    retry_notice(notice)
    return _now("The notice goes out within a minute.")


def _not_sent(notice: Notice) -> str:
    return _now("it has been sent") if notice.sent_at else ""


class SentFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"
    states = {
        "waiting": Q(sent_at=None, given_up_at=None),
        "sent": Q(sent_at__isnull=False),
        "given_up": Q(given_up_at__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("waiting")), ("sent", _("sent")), ("given_up", _("given up"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.states.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)


@admin.register(Notice)
class NoticeAdmin(UnscopedAdmin, VerbAdmin):
    """For administrators alone: the texts carry personal links."""

    desk_section = DeskSection.PEOPLE
    desk_order = 9
    rights = DeskRights(view=is_administrator)
    seen_fields = ("sent_at", "given_up_at")
    verbs = (
        Verb(
            name="retry",
            label=_("Try again"),
            hint=_("It is sent within a minute, and all tries begin anew."),
            may=_may_retry,
            act=_retry,
            fits=_not_sent,
        ),
    )
    list_display = ["subject", "to", "shown_state", "due_at", "tries", "error"]
    list_filter = [SentFilter, "language", "made_at"]
    search_fields = ["subject", "to", "error"]
    fields = [
        "subject", "to", "language", "shown_state", "body", "made_at", "due_at", "sent_at", "given_up_at", "tries",
        "error",
    ]  # fmt: skip
    readonly_fields = ["shown_state"]

    @admin.display(description=_("state"), ordering="sent_at")
    def shown_state(self, notice: Notice) -> SafeString:
        if notice.sent_at:
            return badge(_("sent"), GOOD)
        if notice.given_up_at:
            return badge(_("given up"), BAD)
        return badge(_("tried again later"), WAIT) if notice.tries else badge(_("waiting"), INFO)
