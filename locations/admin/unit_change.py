"""Updates of the classifier and proposals from the field: the difference, and what is decided about it."""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.accounts.models import User
from dtm_ops.common import badges
from dtm_ops.common.desk import DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import ReasonForm, Tally, Verb, VerbAdmin, step_fits
from locations.enums import REGION_LEVEL, UNIT_CHANGE_STEPS, UnitChangeKind, UnitChangeStatus
from locations.forms import (
    AcceptChangeForm,
    DecideOpenForm,
    NoteForm,
    ProposeUpdateForm,
    RefuseOpenForm,
    column_label,
)
from locations.models import AdminUnit, GazetteerUpdate, UnitChange
from locations.permissions import can_change_gazetteer, can_propose_change, can_view_gazetteer, has_desk
from locations.selectors.boundaries import metres_between
from locations.services import GazetteerRefused, read_rows
from locations.services.gazetteer_update import NothingDiffers, propose_update
from locations.services.unit_changes import (
    Decisions,
    accept_change,
    accept_changes,
    lines_of_what_waits,
    refuse_change,
    refuse_changes,
    reopen_change,
    undo_change,
    undo_changes,
)

# So many rows of each kind stand on the page of an update; the rest is a list of its own.
SHOWN: Final = 100
TONES: Final = {
    UnitChangeStatus.OPEN: badges.WAIT,
    UnitChangeStatus.ACCEPTED: badges.GOOD,
    UnitChangeStatus.REFUSED: badges.BAD,
    UnitChangeStatus.UNDONE: badges.QUIET,
}


def _decides(user: Any, row: Any) -> bool:
    return can_change_gazetteer(user)


def _accept(change: UnitChange, *, user: User, note: str, fields: list[str] | None = None, code: str = "") -> str:
    accept_change(change, by=user, fields=fields, note=note, code=code)
    waiting = ", ".join(f"{line['what']} ({line['row']})" for line in lines_of_what_waits([change]))
    return _now("Still at the row of before: %(rows)s.") % {"rows": waiting} if waiting else ""


def _refuse(change: UnitChange, *, user: User, reason: str) -> None:
    refuse_change(change, by=user, note=reason)


def _undo(change: UnitChange, *, user: User, note: str) -> None:
    undo_change(change, by=user, note=note)


def _reopen(change: UnitChange, *, user: User) -> None:
    reopen_change(change, by=user)


class ChangeRegionFilter(admin.SimpleListFilter):
    title = _("region")
    parameter_name = "region"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.path, one.name) for one in AdminUnit.objects.visible_to(request.user).level(REGION_LEVEL)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        path = self.value()
        return queryset.filter(Q(parent__path__startswith=path) | Q(unit__path__startswith=path)) if path else queryset


class OriginFilter(admin.SimpleListFilter):
    title = _("where it comes from")
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        updates = GazetteerUpdate.objects.all()[:10]
        return [
            ("field", _("the field")),
            ("classifier", _("the classifier")),
            *((str(one.pk), one) for one in updates),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ""
        if chosen in ("field", "classifier"):
            return queryset.filter(update__isnull=chosen == "field")
        return queryset.filter(update=int(chosen)) if chosen.isdecimal() else queryset


@admin.register(UnitChange)
class UnitChangeAdmin(VerbAdmin):
    """Read by whoever has a desk, within reach; decided by administrators. New ones are told on `/my/places/`."""

    desk_section = DeskSection.PLACES
    desk_order = 2
    rights = DeskRights(view=can_view_gazetteer, add=can_propose_change)
    list_display = ["shown_place", "shown_kind", "parent", "shown_origin", "effective_on", "shown_status", "raised_by"]
    list_filter = ["status", "kind", OriginFilter, ChangeRegionFilter]
    list_select_related = ["unit", "parent", "update", "raised_by"]
    list_per_page = 50
    search_fields = ["unit__code", "unit__unit_id", "after__name_en", "after__name_ru", "after__name_kk", "reason"]
    search_help_text = _("Code, unit id, the new name, or what was seen.")
    ordering = ["-raised_at", "pk"]
    fields = (
        "kind", "shown_unit", "parent", "shown_other", "shown_columns", "effective_on", "shown_status", "shown_origin",
        "reason", "shown_photo", "shown_point", "raised_by", "raised_at", "decided_by", "decided_at", "decision_note",
    )  # fmt: skip
    readonly_fields = fields
    verbs = (
        Verb(
            name="accept",
            label=_("Accept"),
            hint=_("Writes it into the gazetteer, from its day on. It can be undone while nothing hangs on it."),
            may=_decides,
            act=_accept,
            form=AcceptChangeForm,
            fits=step_fits(UNIT_CHANGE_STEPS, UnitChangeStatus.ACCEPTED),
        ),
        Verb(
            name="refuse",
            label=_("Refuse"),
            hint=_("Who proposed it reads the reason."),
            may=_decides,
            act=_refuse,
            form=ReasonForm,
            fits=step_fits(UNIT_CHANGE_STEPS, UnitChangeStatus.REFUSED),
        ),
        Verb(
            name="undo",
            label=_("Undo"),
            hint=_("The gazetteer is then as it was before."),
            may=_decides,
            act=_undo,
            form=NoteForm,
            fits=step_fits(UNIT_CHANGE_STEPS, UnitChangeStatus.UNDONE),
        ),
        Verb(
            name="reopen",
            label=_("Decide again"),
            may=_decides,
            act=_reopen,
            fits=step_fits(UNIT_CHANGE_STEPS, UnitChangeStatus.OPEN),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super()
            .get_queryset(request)
            .select_related("unit__parent", "parent", "duplicate_of", "update", "raised_by")
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse("my_place_new"))

    def act_on_rows(self, request: HttpRequest, verb: Verb, rows: Iterable[Any], asked: dict[str, Any]) -> Tally:
        """Many at once: in the order in which they need one another, with one receipt."""
        changes = list(rows)
        many = {"accept": accept_changes, "undo": undo_changes}
        if len(changes) < 2 or verb.name not in {*many, "refuse"}:
            return super().act_on_rows(request, verb, changes, asked)
        tally, possible = Tally(), []
        for change in changes:
            try:
                self._check(request, verb, change)
                possible.append(change)
            except Refused as refused:
                tally.skipped[str(refused)] += 1
        user: Any = request.user
        if verb.name == "refuse":
            decided = refuse_changes(possible, by=user, note=asked["reason"])
        else:
            decided = many[verb.name](possible, by=user, note=asked["note"])
        return count_decisions(tally, decided)

    @admin.display(description=_("place"))
    def shown_place(self, change: UnitChange) -> str:
        return change.place_name

    @admin.display(description=_("place"))
    def shown_unit(self, change: UnitChange) -> str:
        return _place_link(change.unit) if change.unit else change.place_name

    @admin.display(description=_("duplicate of"))
    def shown_other(self, change: UnitChange) -> str:
        return _place_link(change.duplicate_of) if change.duplicate_of else "–"

    @admin.display(description=_("kind of change"), ordering="kind")
    def shown_kind(self, change: UnitChange) -> str:
        return str(change.get_kind_display())

    @admin.display(description=_("comes from"), ordering="update")
    def shown_origin(self, change: UnitChange) -> str:
        return str(change.update or _now("the field"))

    @admin.display(description=_("status"), ordering="status")
    def shown_status(self, change: UnitChange) -> SafeString:
        return badges.badge(change.get_status_display(), TONES[UnitChangeStatus(change.status)])

    @admin.display(description=_("columns"))
    def shown_columns(self, change: UnitChange) -> SafeString:
        return admin_table(columns_of(change))

    @admin.display(description=_("photo"))
    def shown_photo(self, change: UnitChange) -> str:
        if not change.photo:
            return "–"
        address = reverse("place_photo", args=[change.pk])
        return format_html('<a href="{}"><img src="{}" alt="{}" width="320"></a>', address, address, _("photo"))

    @admin.display(description=_("point"))
    def shown_point(self, change: UnitChange) -> str:
        if change.latitude is None or change.longitude is None:
            return "–"
        words = f"{change.latitude}, {change.longitude}"
        if change.accuracy is not None:
            words += " · " + _now("accuracy %(metres)s m") % {"metres": change.accuracy}
        place = change.unit or change.parent
        if place is not None and place.latitude is not None and place.longitude is not None:
            metres = metres_between((change.latitude, change.longitude), (place.latitude, place.longitude))
            words += " · " + _now("%(km)s km from the known point of %(place)s") % {
                "km": f"{metres / 1000:.1f}", "place": place,
            }  # fmt: skip
        return words


@admin.register(GazetteerUpdate)
class GazetteerUpdateAdmin(VerbAdmin, UnscopedAdmin):
    """Files of the classifier. Which of their rows somebody sees is the rows' own matter."""

    desk_section = DeskSection.PLACES
    desk_order = 3
    rights = DeskRights(view=has_desk, add=can_change_gazetteer)
    seen_fields = ()
    list_display = [
        "title",
        "source",
        "effective_on",
        "shown_open",
        "shown_accepted",
        "shown_refused",
        "made_by",
        "made_at",
    ]
    list_select_related = ["made_by"]
    fields = ("title", "source", "file_name", "effective_on", "made_by", "made_at")
    readonly_fields = fields
    change_form_template = "admin/locations/gazetteerupdate/change_form.html"
    verbs = (
        Verb(
            name="accept_open",
            label=_("Accept what is open"),
            hint=_("In the order in which the changes need one another. What cannot be accepted stays open."),
            may=_decides,
            act=lambda update, *, user, kinds, note: _decide_open(update, kinds, accept_changes, by=user, note=note),
            form=DecideOpenForm,
            fits=lambda update: "" if _open(update).exists() else _now("nothing is open"),
            in_list=False,
        ),
        Verb(
            name="refuse_open",
            label=_("Refuse what is open"),
            may=_decides,
            act=lambda update, *, user, kinds, note: _decide_open(update, kinds, refuse_changes, by=user, note=note),
            form=RefuseOpenForm,
            fits=lambda update: "" if _open(update).exists() else _now("nothing is open"),
            in_list=False,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        counts = {
            f"{status.value}_changes": Count("changes", filter=Q(changes__status=status)) for status in UnitChangeStatus
        }
        return super().get_queryset(request).annotate(**counts)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ProposeUpdateForm(*((request.POST, request.FILES) if request.method == "POST" else ()))
        problems: list[Any] = []
        if request.method == "POST" and form.is_valid():
            try:
                update = self._propose(request, form)
                return HttpResponseRedirect(reverse("admin:locations_gazetteerupdate_change", args=[update.pk]))
            except GazetteerRefused as refused:
                problems = refused.problems
            except NothingDiffers as same:
                form.add_error("file", str(same))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Propose a newer classifier"),
            "form": form,
            "problems": problems,
        }
        return TemplateResponse(request, "admin/locations/gazetteerupdate/propose.html", context)

    def _propose(self, request: HttpRequest, form: ProposeUpdateForm) -> GazetteerUpdate:
        asked, user = form.cleaned_data, request.user
        file: Any = asked["file"]
        return propose_update(
            read_rows(file.read()),
            title=asked["title"],
            source=asked["source"],
            effective_on=asked["effective_on"],
            within=asked["within"],
            file_name=file.name,
            by=user,  # type: ignore[arg-type]  # nobody without a role came so far
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        groups = self._groups(request, object_id) if object_id.isdecimal() else []
        return super().change_view(request, object_id, form_url, {"groups": groups, **(extra_context or {})})

    def _groups(self, request: HttpRequest, object_id: str) -> list[dict[str, Any]]:
        """The difference by kind; a coordinator reads the rows within reach."""
        seen = UnitChange.objects.visible_to(request.user).filter(update=int(object_id))
        counts = dict(seen.order_by().values_list("kind").annotate(Count("pk")))
        groups = []
        for kind in UnitChangeKind:
            if counts.get(kind):
                rows = seen.filter(kind=kind).select_related("unit", "parent").order_by("parent__path", "pk")[:SHOWN]
                shown = [
                    (change, badges.badge(change.get_status_display(), TONES[UnitChangeStatus(change.status)]),
                     columns_of(change))
                    for change in rows
                ]  # fmt: skip
                groups.append({"kind": kind, "count": counts[kind], "rows": shown, "more": counts[kind] - len(shown)})
        return groups

    @admin.display(description=_("to decide"), ordering="open_changes")
    def shown_open(self, update: Any) -> int:
        return int(update.open_changes)

    @admin.display(description=_("accepted"), ordering="accepted_changes")
    def shown_accepted(self, update: Any) -> int:
        return int(update.accepted_changes)

    @admin.display(description=_("refused"), ordering="refused_changes")
    def shown_refused(self, update: Any) -> int:
        return int(update.refused_changes)


def _open(update: GazetteerUpdate) -> QuerySet[UnitChange]:
    return update.changes.filter(status=UnitChangeStatus.OPEN)


def _decide_open(update: GazetteerUpdate, kinds: list[str], decide: Any, *, by: User, note: str) -> str:
    changes = _open(update).filter(kind__in=kinds).select_related("unit", "parent", "update", "duplicate_of")
    decided: Decisions = decide(changes, by=by, note=note)
    words = _now("%(done)s decided, %(left)s left open.") % {"done": decided.done, "left": len(decided.left)}
    reasons = count_decisions(Tally(), decided).skipped.most_common(5)
    return " ".join([words, *(f"{count} – {reason}" for reason, count in reasons)])


def count_decisions(tally: Tally, decided: Decisions) -> Tally:
    tally.done += decided.done
    for refused in decided.left.values():
        tally.skipped[str(refused)] += 1
    return tally


def columns_of(change: UnitChange) -> list[tuple[str, str, str, bool]]:
    """Column, before, after, whether it was taken."""
    return [
        (column_label(name), change.before.get(name, "") or "–", text or "–", name in change.taken)
        for name, text in change.after.items()
    ]


def admin_table(rows: list[tuple[str, str, str, bool]]) -> SafeString:
    cells = [
        format_html(
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>", name, before, after, _("accepted") if taken else ""
        )
        for name, before, after, taken in rows
    ]
    heads = [_("Column"), _("Before"), _("After"), ""]
    head = format_html("<tr>{}</tr>", SafeString("".join(format_html("<th>{}</th>", one) for one in heads)))
    return format_html(
        '<table class="difference"><thead>{}</thead><tbody>{}</tbody></table>', head, SafeString("".join(cells))
    )


def _place_link(unit: AdminUnit) -> SafeString:
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:locations_adminunit_change", args=[unit.pk]), unit.choice_label
    )
