"""Rights on the desk."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.desk import DeskRights, ScopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from locations.models import UnitScope
from locations.permissions import can_change_gazetteer, can_view_gazetteer


@admin.register(UnitScope)
class UnitScopeAdmin(ScopedAdmin):
    """Who has which right where. Coordinators read those of their own units; administrators give and take."""

    desk_section = DeskSection.RIGHTS
    desk_order = 2
    rights = DeskRights(
        view=can_view_gazetteer,
        add=can_change_gazetteer,
        change=lambda user, right: can_change_gazetteer(user),
        delete=lambda user, right: can_change_gazetteer(user),
    )
    list_display = ["user", "role", "shown_unit"]
    list_filter = ["role"]
    list_select_related = ["user", "unit__parent"]
    search_fields = ["user__username", "user__first_name", "user__last_name", "unit__code", "unit__names__en"]
    autocomplete_fields = ["unit"]

    @admin.display(description=_("place"), ordering="unit")
    def shown_unit(self, right: UnitScope) -> str:
        return right.unit.choice_label
