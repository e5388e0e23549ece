"""People of the roster."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any, Final, cast

from django.conf import settings
from django.contrib import admin
from django.db.models import F, Func, OuterRef, Prefetch, QuerySet, Subquery, TextField, Value
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.accounts.models import User
from dtm_ops.common.badges import BAD, GOOD, QUIET, WAIT, badge
from dtm_ops.common.desk import DeskRights, UnscopedTabularInline
from dtm_ops.common.desk_import import TableAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.found_rows import in_found_order
from dtm_ops.common.names import named
from dtm_ops.records.verbs import Verb, VerbAdmin, step_fits
from locations.models import AdminUnit
from locations.permissions import has_desk, is_administrator
from training.admin.filters import (
    SOON,
    ClosedHomeFilter,
    ContractFilter,
    HomeRegionFilter,
    LanguageFilter,
    MergedFilter,
    OrganisationFilter,
)
from training.admin.periods import AbsencesOfPerson, IdentitiesOfPerson, MembershipsOfPerson, PeriodsAdmin
from training.enums import ENUMERATOR_STEPS, EnumeratorStatus
from training.forms import EnumeratorForm, StatusForm
from training.models import Certificate, Enumerator
from training.permissions import can_change_roster
from training.querysets import EnumeratorQuerySet
from training.resources import EnumeratorResource
from training.selectors import search_people
from training.services.identities import reopen_identities
from training.services.moved_places import follow_place, in_force
from training.services.roster import change_enumerator_status
from training.services.roster_import import import_receipt

# A list of more that a search found is read by nobody.
FOUND: Final = 200
TONES = {EnumeratorStatus.ACTIVE: GOOD, EnumeratorStatus.INACTIVE: WAIT, EnumeratorStatus.LEFT: BAD}


def _change_status(enumerator: Enumerator, *, user: User, reason: str, since: date, status: str) -> None:
    change_enumerator_status(enumerator, status, by=user, reason=reason, since=since)


def _follow_place(enumerator: Enumerator, *, user: User) -> str:
    return _now("%(person)s: %(place)s.") % {"person": enumerator, "place": follow_place(enumerator).choice_label}


def status_fits(status: str) -> Callable[[Enumerator], str]:
    step = step_fits(ENUMERATOR_STEPS, status)

    def fits(person: Enumerator) -> str:
        return _now("merged into %(person)s") % {"person": person.merged_into} if person.merged_into else step(person)

    return fits


def status_verb(name: str, label: Any, status: EnumeratorStatus, hint: Any) -> Verb:
    return Verb(
        name=name,
        label=label,
        hint=hint,
        may=can_change_roster,
        act=partial(_change_status, status=status),
        form=StatusForm,
        fits=status_fits(status),
        tone="danger" if status == EnumeratorStatus.LEFT else "",
    )


class CertificatesOfPerson(UnscopedTabularInline):
    """What the person is certified for: given by a training, so nothing is typed here."""

    rights = DeskRights(view=has_desk)
    model = Certificate
    fields = ["serial", "form_kind", "major_version", "issued_on", "expires_on", "revoked_on"]
    readonly_fields = ["serial", "form_kind", "major_version", "issued_on", "expires_on", "revoked_on"]
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Certificate]:
        return super().get_queryset(request).select_related("form_kind")


@admin.register(Enumerator)
class EnumeratorAdmin(PeriodsAdmin, TableAdmin, VerbAdmin):
    desk_section = DeskSection.PEOPLE
    desk_order = 1
    rights = DeskRights(view=has_desk, add=can_change_roster, change=can_change_roster)
    resource_classes = [EnumeratorResource]
    may_import = staticmethod(can_change_roster)
    find_receipt = staticmethod(import_receipt)
    verbs: tuple[Verb, ...] = (
        status_verb(
            "set_aside",
            _("Set aside"),
            EnumeratorStatus.INACTIVE,
            _("For a time: the person can be given no new work. Open work stays assigned."),
        ),
        status_verb(
            "let_go",
            _("Let go"),
            EnumeratorStatus.LEFT,
            _("The person has left: no new work. Open work stays assigned until it is handed over."),
        ),
        status_verb("take_back", _("Take back"), EnumeratorStatus.ACTIVE, _("The person can be given work again.")),
        Verb(
            name="follow_place",
            label=_("Move the home unit on"),
            hint=_("The place was moved or merged: the home unit becomes the row that stands for it today."),
            may=can_change_roster,
            act=_follow_place,
            fits=lambda person: in_force(person.home_unit),
        ),
    )
    form = EnumeratorForm
    inlines = [MembershipsOfPerson, AbsencesOfPerson, IdentitiesOfPerson, CertificatesOfPerson]
    autocomplete_fields = ["home_unit"]
    list_display = [
        "code", "full_name", "shown_region", "shown_languages", "shown_vehicle", "shown_contract", "shown_status",
        "shown_certificates",
    ]  # fmt: skip
    list_display_links = ["code", "full_name"]
    list_filter = [
        "status", HomeRegionFilter, ClosedHomeFilter, LanguageFilter, "has_vehicle", OrganisationFilter, ContractFilter,
        MergedFilter,
    ]  # fmt: skip
    search_fields = ["code", "full_name", "phone", "email", "organisation", "kobo_username"]
    search_help_text = _("Name in any spelling, code, phone, e-mail, organisation or Kobo user name. The best 200.")
    list_per_page = 50
    fieldsets = [
        (None, {"fields": ["code", "full_name", "other_names", "sex", "languages", "home_unit", "has_vehicle"]}),
        (_("Contacts"), {"fields": ["phone", "email"]}),
        (_("Contract"), {"fields": ["organisation", "terms_of_reference", "contract_from", "contract_to"]}),
        (_("Accounts"), {"fields": ["kobo_username", "user"]}),
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Blind to script; best first, unless the reader has chosen a column. Serves the lists of choices, too."""
        if not search_term.strip():
            return queryset, False
        keys = [
            person.pk for person in search_people(search_term, people=cast(EnumeratorQuerySet, queryset), limit=FOUND)
        ]
        return (queryset.filter(pk__in=keys) if "o" in request.GET else in_found_order(queryset, keys)), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        region_id = Func(
            OuterRef("home_unit__path"), Value("/"), Value(2), function="split_part", output_field=TextField()
        )
        region = AdminUnit.objects.order_by().annotate(wanted=region_id).filter(unit_id=F("wanted"))
        valid = Certificate.objects.valid_on(timezone.localdate()).select_related("form_kind")
        return (
            super()
            .get_queryset(request)
            .annotate(region_names=Subquery(region.values("names")[:1]))
            .select_related("home_unit", "merged_into")
            .prefetch_related(Prefetch("certificates", queryset=valid, to_attr="valid_today"))
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Enumerator | None = None) -> list[str]:
        """Whose login the person is decides what somebody sees: an administrator's to say, as all rights are."""
        return [] if is_administrator(request.user) else ["user"]

    def get_inlines(self, request: HttpRequest, obj: Enumerator | None) -> list[Any]:
        """Teams, absences and other identities are kept once there is a person."""
        return list(self.inlines) if obj else []

    def save_model(self, request: HttpRequest, obj: Enumerator, form: Any, change: bool) -> None:
        if change:
            reopen_identities([obj])
        super().save_model(request, obj, form, change)

    @admin.display(description=_("region"), ordering="home_unit__path")
    def shown_region(self, person: Any) -> str:
        return named(person.region_names or {}, fallback=person.home_unit.name)

    @admin.display(description=_("languages"))
    def shown_languages(self, person: Enumerator) -> str:
        names = dict(settings.LANGUAGES)
        return ", ".join(names.get(code, code) for code in person.languages)

    @admin.display(description=_("vehicle"), ordering="has_vehicle")
    def shown_vehicle(self, person: Enumerator) -> str:
        return _now("yes") if person.has_vehicle else "–"

    @admin.display(description=_("contract to"), ordering="contract_to")
    def shown_contract(self, person: Enumerator) -> SafeString | str:
        if person.contract_to is None:
            return "–"
        day, today = date_format(person.contract_to, "SHORT_DATE_FORMAT"), timezone.localdate()
        if person.contract_to > today + SOON:
            return day
        return badge(day, BAD if person.contract_to < today else WAIT)

    @admin.display(description=_("status"), ordering="status")
    def shown_status(self, person: Enumerator) -> SafeString:
        if person.merged_into is not None:
            return badge(_now("merged into %(code)s") % {"code": person.merged_into.code}, QUIET)
        return badge(person.get_status_display(), TONES[EnumeratorStatus(person.status)])

    @admin.display(description=_("certificates valid today"))
    def shown_certificates(self, person: Any) -> str:
        return ", ".join(f"{one.form_kind} {one.major_version}" for one in person.valid_today) or "–"
