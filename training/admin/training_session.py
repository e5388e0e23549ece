"""Training sessions: half-days, forms covered, seats; enrolling, inviting, giving certificates."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Exists, IntegerField, Max, Min, OuterRef, Q, QuerySet, Subquery, URLField
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dtm_ops.accounts.models import User
from dtm_ops.common.badges import GOOD, INFO, QUIET, WAIT, badge
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedTabularInline
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import Verb
from locations.permissions import has_desk
from locations.querysets import scope_of
from training.admin.filters import RegionFilter
from training.admin.invite_verbs import ENROL, INVITE
from training.admin.score_sheet import ScoreSheetPage
from training.admin.training_pages import TrainingPages
from training.enums import SEATED, EnrolmentStatus
from training.forms import CertifyForm
from training.models import Certificate, Enrolment, Enumerator, TrainedForm, TrainingHalfDay, TrainingSession
from training.permissions import can_run_training
from training.selectors import why_not_certified
from training.services.certification import certify_attendees
from training.services.enrolment import enrol, fill_seats, refuse_too_few_seats


def _may_run(user: AnyUser, training_session: Any = None) -> bool:
    return can_run_training(user)


_INLINE_RIGHTS = DeskRights(view=has_desk, add=can_run_training, change=_may_run)


class TrainingSessionForm(forms.ModelForm):
    def clean_seats(self) -> int | None:
        """The admin saves in a transaction: until its end nobody else takes a seat."""
        seats: int | None = self.cleaned_data["seats"]
        if self.instance.pk:
            training = TrainingSession.objects.select_for_update(of=("self",)).get(pk=self.instance.pk)
            try:
                refuse_too_few_seats(training, seats)
            except Refused as refused:
                raise forms.ValidationError(str(refused)) from None
        return seats


def _certify(training_session: TrainingSession, *, user: User, issued_on: date, expires_on: date | None) -> str:
    """For every form that the training covers. Says how many got one, and who did not and what they missed."""
    covered = list(training_session.trained_forms.select_related("form_kind"))
    if not covered:
        raise Refused(_now("This training covers no forms: name them first."), code="form_not_covered")
    told = []
    for form in covered:
        given = certify_attendees(
            training_session,
            form_kind=form.form_kind,
            major_version=form.major_version,
            issued_on=issued_on,
            expires_on=expires_on,
        )
        count = ngettext("%(count)s certificate", "%(count)s certificates", len(given)) % {"count": len(given)}
        told.append(f"{form}: {count}")
    return f"{'; '.join(told)}. {_left_out_in_words(training_session, on=issued_on, user=user)}"


def _why_not_yet(training_session: TrainingSession) -> str:
    last_day = training_session.half_days.aggregate(last=Max("day"))["last"]
    if last_day is None:
        return _now("it has no half-days")
    return _now("it is not over yet") if last_day > timezone.localdate() else ""


def _left_out_in_words(training_session: TrainingSession, *, on: date, user: User) -> str:
    """Those within the user's reach by name; of the others, how many."""
    left_out = why_not_certified(training_session, on=on)
    if not left_out:
        return _now("Everybody meets the rule.")
    seen = set(Enumerator.objects.visible_to(user).filter(pk__in=[one.pk for one in left_out]))
    people = [f"{person} – {', '.join(reasons)}" for person, reasons in left_out.items() if person in seen]
    if len(seen) < len(left_out):
        people.append(_now("outside your area: %(count)s") % {"count": len(left_out) - len(seen)})
    return _now("Without a certificate: %(people)s.") % {"people": "; ".join(people)}


class HalfDays(UnscopedTabularInline):
    rights = _INLINE_RIGHTS
    model = TrainingHalfDay


class FormsCovered(UnscopedTabularInline):
    rights = _INLINE_RIGHTS
    model = TrainedForm


class Enrolments(UnscopedTabularInline):
    """Who comes to a new training; later people are enrolled by the button, and stand on a page of their own."""

    rights = _INLINE_RIGHTS
    model = Enrolment
    autocomplete_fields = ["enumerator"]

    def get_min_num(self, request: HttpRequest, obj: TrainingSession | None = None, **kwargs: Any) -> int:
        """A coordinator sees a training by own people in it: one without any would be lost from sight."""
        return 0 if obj or scope_of(request.user).everywhere else 1

    def get_formset(self, request: HttpRequest, obj: TrainingSession | None = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, validate_min=True, **kwargs)


class EnrolledRegionFilter(RegionFilter):
    """Trainings with somebody at home there."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        at_home = Enrolment.objects.filter(
            training_session=OuterRef("pk"), enumerator__home_unit__path__startswith=chosen or ""
        )
        return queryset.filter(Exists(at_home)) if chosen else queryset


class WhenFilter(admin.SimpleListFilter):
    title = _("when")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("coming", _("Coming")), ("now", _("Going on")), ("over", _("Over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        today = timezone.localdate()
        chosen = {
            "coming": Q(first_day__gt=today),
            "now": Q(first_day__lte=today, last_day__gte=today),
            "over": Q(last_day__lt=today),
        }.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)


def _number(rows: QuerySet[Any], *, of: str = "pk") -> Coalesce:
    """How many rows of another table a training has; without a join, which would multiply the other counts."""
    own = rows.filter(training_session=OuterRef("pk")).order_by().values("training_session")
    counted = own.annotate(number=Count(of, distinct=True)).values("number")
    return Coalesce(Subquery(counted), 0, output_field=IntegerField())


@admin.register(TrainingSession)
class TrainingSessionAdmin(ScoreSheetPage, TrainingPages):
    desk_section = DeskSection.PEOPLE
    desk_order = 5
    rights = DeskRights(view=has_desk, add=can_run_training, change=_may_run)
    seen_fields = ()
    form = TrainingSessionForm
    change_form_template = "admin/training/trainingsession/change_form.html"
    verbs = (
        ENROL,
        INVITE,
        Verb(
            name="certify",
            label=_("Give certificates"),
            hint=_(
                "Everybody who was there in every half-day, and passed every test of the training, gets one for each"
                " form covered. Nobody gets a second one."
            ),
            may=_may_run,
            act=_certify,
            form=CertifyForm,
            fits=_why_not_yet,
            in_list=False,
        ),
    )
    list_display = [
        "title", "code", "shown_days", "shown_state", "shown_seats", "accepted", "waiting", "shown_certificates",
        "language",
    ]  # fmt: skip
    list_filter = [WhenFilter, "course", "language", EnrolledRegionFilter, "trained_forms__form_kind"]
    search_fields = ["code", "title", "venue", "trainer"]
    fields = [
        "code", "course", "title", "language", "venue", "link", "trainer", "seats", "theory_pass_mark",
        "practical_pass_mark",
    ]  # fmt: skip
    inlines = [HalfDays, FormsCovered, Enrolments]
    formfield_overrides = {URLField: {"assume_scheme": "https"}}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        enrolled = Enrolment.objects.all()
        return (
            super()
            .get_queryset(request)
            .annotate(
                first_day=Min("half_days__day"),
                last_day=Max("half_days__day"),
                seated_people=_number(enrolled.filter(status__in=SEATED)),
                accepted_people=_number(enrolled.filter(status=EnrolmentStatus.ACCEPTED)),
                waiting_people=_number(enrolled.filter(status=EnrolmentStatus.WAITING)),
                certified_people=_number(Certificate.objects.all(), of="enumerator"),
            )
        )

    def get_inlines(self, request: HttpRequest, obj: TrainingSession | None = None) -> list[Any]:
        return [HalfDays, FormsCovered] if obj else self.inlines

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """People come in by the service: it counts the seats."""
        if formset.model is not Enrolment:
            super().save_formset(request, form, formset, change)
            return
        people = [row.enumerator for row in formset.save(commit=False)]
        by = request.user if request.user.is_authenticated else None
        enrol(form.instance, people, by=by)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if "seats" in form.changed_data and change:
            fill_seats(form.instance, by=request.user if request.user.is_authenticated else None)

    @admin.display(description=_("days"), ordering="first_day")
    def shown_days(self, row: Any) -> str:
        if row.first_day is None:
            return "–"
        days = [date_format(row.first_day, "SHORT_DATE_FORMAT"), date_format(row.last_day, "SHORT_DATE_FORMAT")]
        return " – ".join(dict.fromkeys(days))

    @admin.display(description=_("state"))
    def shown_state(self, row: Any) -> SafeString:
        today = timezone.localdate()
        if row.first_day is None:
            return badge(_("no days yet"), WAIT)
        if row.last_day < today:
            return badge(_("over"), QUIET)
        return badge(_("coming"), INFO) if row.first_day > today else badge(_("going on"), GOOD)

    @admin.display(description=_("with a seat"), ordering="seated_people")
    def shown_seats(self, row: Any) -> SafeString:
        address = reverse("admin:training_trainingsession_people", args=[row.pk])
        seats = f" / {row.seats}" if row.seats else ""
        return format_html('<a href="{}">{}{}</a>', address, row.seated_people, seats)

    @admin.display(description=_("accepted"), ordering="accepted_people")
    def accepted(self, row: Any) -> int:
        return int(row.accepted_people)

    @admin.display(description=_("waiting"), ordering="waiting_people")
    def waiting(self, row: Any) -> int:
        return int(row.waiting_people)

    @admin.display(description=_("people certified"), ordering="certified_people")
    def shown_certificates(self, row: Any) -> int:
        return int(row.certified_people)
