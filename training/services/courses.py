"""Courses that the product brings along, and training sessions that start as a copy of one."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from dtm_ops.common.names import named
from training.enums import HalfDayPart
from training.models import (
    AgendaBlock,
    Course,
    CourseBlock,
    CourseForm,
    FormKind,
    TrainedForm,
    TrainingHalfDay,
    TrainingSession,
)
from training.models.training_session import USUAL_HOURS

FILE = Path(__file__).resolve().parent.parent / "data" / "courses.json"


@transaction.atomic
def load_courses() -> int:
    """Add what is missing; what is there stays as the mission has it. Returns how many courses were added."""
    kinds = {kind.code: kind for kind in FormKind.objects.all()}
    added = 0
    for row in json.loads(FILE.read_text(encoding="utf-8")):
        own = {name: value for name, value in row.items() if name not in ("forms", "blocks")}
        course, made = Course.objects.get_or_create(code=row["code"], defaults=own)
        if made:
            CourseForm.objects.bulk_create(
                CourseForm(course=course, form_kind=kinds[form["form_kind"]], major_version=form["major_version"])
                for form in row["forms"]
            )
            CourseBlock.objects.bulk_create(CourseBlock(course=course, **block) for block in row["blocks"])
            added += 1
    return added


def half_days_of(course: Course) -> int:
    """How many half-days the agenda fills; a course without an agenda takes one."""
    return max((block.half_day for block in course.blocks.all()), default=1)


def days_of(course: Course) -> int:
    return (half_days_of(course) + 1) // 2


@transaction.atomic
def open_training(
    course: Course,
    *,
    code: str,
    days: Sequence[date],
    title: str = "",
    language: str = "ru",
    **more: Any,
) -> TrainingSession:
    """A training session as a copy of the course: half-days at the usual hours, agenda, forms, pass marks. What is
    changed here or there afterwards stays here or there. ``more`` are further columns (venue, link, trainer, seats).
    """
    if len(set(days)) != days_of(course):
        raise Refused(
            _("The course takes %(needed)s days, not %(given)s.")
            % {"needed": days_of(course), "given": len(set(days))},
            code="wrong_days",
        )
    if TrainingSession.objects.filter(code=code).exists():
        raise Refused(_("Another training has this code."), code="code_taken")
    training = TrainingSession(
        course=course,
        code=code,
        title=title or named(course.names, fallback=course.code, language=language)[:160],
        language=language,
        theory_pass_mark=course.theory_pass_mark,
        practical_pass_mark=course.practical_pass_mark,
        **more,
    )
    training.full_clean()
    training.save()
    TrainedForm.objects.bulk_create(
        TrainedForm(training_session=training, form_kind_id=form.form_kind_id, major_version=form.major_version)
        for form in course.forms.all()
    )
    _copy_agenda(course, training, sorted(set(days)))
    return training


def _copy_agenda(course: Course, training: TrainingSession, days: Sequence[date]) -> None:
    parts = (HalfDayPart.MORNING, HalfDayPart.AFTERNOON)
    blocks = list(course.blocks.all())
    for number in range(1, half_days_of(course) + 1):
        part = parts[(number - 1) % 2]
        own = [
            (block.order, block.minutes, named(block.topics, fallback="–", language=training.language)[:240])
            for block in blocks
            if block.half_day == number
        ]
        starts_at, ends_at = USUAL_HOURS[part]
        half_day = TrainingHalfDay.objects.create(
            training_session=training,
            day=days[(number - 1) // 2],
            part=part,
            topic="; ".join(topic for _order, _minutes, topic in own)[:240],
            starts_at=starts_at,
            ends_at=ends_at,
        )
        AgendaBlock.objects.bulk_create(
            AgendaBlock(half_day=half_day, order=order, minutes=minutes, topic=topic) for order, minutes, topic in own
        )
