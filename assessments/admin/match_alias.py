"""What was settled about spellings, to be read and taken back."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from assessments.admin.match_queue import take_back_words
from assessments.models import MatchAlias
from assessments.permissions import can_match, can_settle
from assessments.services.settling import meant_by
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import has_desk


def _may_take_back(user: AnyUser, alias: MatchAlias | None = None) -> bool:
    return can_match(user) if alias is None else can_settle(user, meant_by(alias))


@admin.register(MatchAlias)
class MatchAliasAdmin(UnscopedAdmin, VerbAdmin):
    """A word of a round, read by whoever has a desk: it may stand in forms of any region."""

    desk_section = DeskSection.REVIEW
    desk_order = 2
    rights = DeskRights(view=has_desk)
    seen_fields = ("key",)
    verbs = (
        Verb(
            name="take_back",
            label=_("Take back"),
            hint=_("The spelling means nothing any more. Forms that it matched wait again; approved ones stay."),
            may=_may_take_back,
            act=take_back_words,
            is_atomic=False,
            tone="danger",
        ),
    )
    list_display = ["typed", "kind", "shown_meaning", "round", "settled_by", "settled_at"]
    list_filter = ["round", "kind"]
    search_fields = ["typed", "enumerator__full_name", "enumerator__code", "focus_group__code", "target__unit__unit_id"]
    fields = ["round", "kind", "typed", "shown_meaning", "settled_by", "settled_at"]
    readonly_fields = ["shown_meaning"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related(
            "round", "settled_by", "enumerator__home_unit", "target__unit", "target__form_kind",
            "focus_group__target__unit",
        )  # fmt: skip

    def ask_or_act(
        self, request: HttpRequest, verb: Verb, rows: list[Any], *, back: str, in_list: bool = False
    ) -> HttpResponse:
        """The row is gone afterwards: there is no page of it to come back to."""
        back = back if in_list else reverse("admin:assessments_matchalias_changelist")
        return super().ask_or_act(request, verb, rows, back=back, in_list=in_list)

    @admin.display(description=_("means"))
    def shown_meaning(self, alias: MatchAlias) -> str:
        return str(meant_by(alias))
