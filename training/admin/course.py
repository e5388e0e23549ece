"""Courses: what is taught, and the button that opens a training session as a copy."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.validators import validate_slug
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.accounts.models import User
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedAdmin, UnscopedTabularInline
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.name_fields import NamesField
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import has_desk, is_administrator
from locations.querysets import scope_of
from training.admin.people_form import PeopleForm
from training.models import Course, CourseBlock, CourseForm, Enumerator
from training.permissions import can_run_training
from training.services.courses import days_of, open_training
from training.services.enrolment import enrol


def _may_change(user: AnyUser, course: Any = None) -> bool:
    return is_administrator(user)


def _may_open(user: AnyUser, course: Any = None) -> bool:
    return can_run_training(user)


_RIGHTS = DeskRights(view=has_desk, add=is_administrator, change=_may_change)
_INLINE_RIGHTS = DeskRights(view=has_desk, add=is_administrator, change=_may_change, delete=_may_change)


class OpenTrainingForm(PeopleForm):
    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        validators=[validate_slug],
        help_text=_("Short, in Latin letters: 2023-01-south"),
    )
    title = forms.CharField(
        label=_("Title"), max_length=160, required=False, help_text=_("Blank: the course's name in the language below.")
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, initial="ru")
    first_day = forms.DateField(
        label=_("First day"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The other days follow one another; days and hours can be changed afterwards."),
    )
    venue = forms.CharField(label=_("Venue"), max_length=160, required=False)
    link = forms.URLField(label=_("Online link"), max_length=200, required=False, assume_scheme="https")
    trainer = forms.CharField(label=_("Trainers"), max_length=160, required=False)
    seats = forms.IntegerField(
        label=_("Seats"), min_value=1, max_value=32767, required=False, help_text=_("Blank: as many as come.")
    )

    field_order = ["code", "title", "language", "first_day", "venue", "link", "trainer", "seats"]
    people_help = _("Who comes; more can be enrolled afterwards. Beyond the seats they wait.")

    def __init__(self, data: Any = None, *, rows: Sequence[Any], user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        # A coordinator sees a training by own people in it: one without any would be lost from sight.
        self.fields["people"].required = not scope_of(user).everywhere


def _open(course: Course, *, user: User, first_day: date, people: QuerySet[Enumerator], **asked: Any) -> SafeString:
    days = [first_day + timedelta(days=number) for number in range(days_of(course))]
    training = open_training(course, days=days, **asked)
    enrol(training, people, by=user)
    address = reverse("admin:training_trainingsession_change", args=[training.pk])
    return format_html('{} <a href="{}">{}</a>', _now("Opened:"), address, training)


def _is_offered(course: Course) -> str:
    return "" if course.is_offered else _now("the course is not offered any more")


class CourseForms(UnscopedTabularInline):
    rights = _INLINE_RIGHTS
    model = CourseForm


class BlockForm(forms.ModelForm):
    topics = NamesField(label=_("Topic"))

    class Meta:
        model = CourseBlock
        fields = ["half_day", "order", "minutes", "topics"]


class CourseBlocks(UnscopedTabularInline):
    rights = _INLINE_RIGHTS
    model = CourseBlock
    form = BlockForm


class CourseAdminForm(forms.ModelForm):
    names = NamesField(label=_("Names"))

    class Meta:
        model = Course
        fields = [
            "code", "names", "description", "is_offered", "certificate_months", "theory_pass_mark",
            "practical_pass_mark",
        ]  # fmt: skip


@admin.register(Course)
class CourseAdmin(UnscopedAdmin, VerbAdmin):
    desk_section = DeskSection.PEOPLE
    desk_order = 4
    rights = _RIGHTS
    form = CourseAdminForm
    seen_fields = ()
    verbs = (
        Verb(
            name="open",
            label=_("New training from this course"),
            hint=_("Forms covered, agenda and pass marks are copied; both can be changed afterwards on their own."),
            may=_may_open,
            act=_open,
            form=OpenTrainingForm,
            fits=_is_offered,
            in_list=False,
        ),
    )
    list_display = ["shown_name", "code", "shown_forms", "certificate_months", "shown_trainings", "is_offered"]
    list_filter = ["is_offered", "forms__form_kind"]
    search_fields = ["code", *(f"names__{code}" for code, _label in settings.LANGUAGES)]
    fields = [
        "code", "names", "description", "is_offered", "certificate_months", "theory_pass_mark", "practical_pass_mark",
    ]  # fmt: skip
    inlines = [CourseForms, CourseBlocks]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).prefetch_related("forms__form_kind")
        return rows.annotate(trainings=Count("training_sessions", distinct=True))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []

    @admin.display(description=_("name"), ordering="code")
    def shown_name(self, course: Course) -> str:
        return str(course)

    @admin.display(description=_("forms covered"))
    def shown_forms(self, course: Course) -> str:
        return ", ".join(map(str, course.forms.all())) or "–"

    @admin.display(description=_("training sessions"), ordering="trainings")
    def shown_trainings(self, course: Any) -> int:
        return int(course.trainings)
