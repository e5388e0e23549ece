"""Courses of the product, and trainings that start as a copy of one."""

from datetime import date, time

import pytest

from dtm_ops.common.errors import Refused
from training.models import AgendaBlock, Course, CourseBlock, TrainingHalfDay, TrainingSession
from training.services.courses import load_courses, open_training

pytestmark = pytest.mark.django_db

DAYS = (date(2022, 11, 10), date(2022, 11, 11))


@pytest.fixture
def course(vocabulary):
    load_courses()
    return Course.objects.get(code="baseline-two-days")


def agenda(training):
    blocks = AgendaBlock.objects.filter(half_day__training_session=training)
    return [(block.half_day.day, block.half_day.part, block.topic, block.minutes) for block in blocks]


def test_courses_are_loaded_once_and_stay_as_the_mission_has_them(course):
    Course.objects.filter(code="baseline-refresher").update(names={"en": "Ours"})
    CourseBlock.objects.filter(course=course).delete()

    assert load_courses() == 0
    assert Course.objects.get(code="baseline-refresher").names == {"en": "Ours"}
    assert not course.blocks.exists()


def test_courses_speak_all_languages_of_the_site(course):
    names = [*Course.objects.values_list("names", flat=True), *CourseBlock.objects.values_list("topics", flat=True)]

    assert [name for name in names if set(name) != {"en", "ru", "kk"} or not all(name.values())] == []


def test_agenda_of_the_source_report_is_the_first_course(course):
    told = [(block.half_day, block.topics["en"]) for block in course.blocks.all()]

    assert told == [
        (1, "Project objective and goals"),
        (1, "DTM methodology and components"),
        (2, "Advantages of migration data"),
        (2, "Future use of the data"),
        (3, "Baseline Assessment"),
        (4, "Data entry with KoboCollect"),
    ]


def test_training_is_a_copy_of_its_course(course):
    course.theory_pass_mark = 70
    course.save()

    training = open_training(course, code="2022-11", days=DAYS, language="ru", venue="Almaty", seats=20)

    assert (training.title, training.course, training.venue, training.seats) == (
        "Базовая оценка, два дня",
        course,
        "Almaty",
        20,
    )
    assert (training.theory_pass_mark, training.practical_pass_mark) == (70, None)
    assert [str(form.form_kind.code) for form in training.trained_forms.all()] == ["baseline_area", "baseline_sub_area"]
    assert agenda(training) == [
        (DAYS[0], "am", "Цель и задачи проекта", 90),
        (DAYS[0], "am", "Методология и компоненты DTM", 120),
        (DAYS[0], "pm", "Преимущества данных о миграции", 120),
        (DAYS[0], "pm", "Дальнейшее использование данных", 90),
        (DAYS[1], "am", "Базовая оценка", 210),
        (DAYS[1], "pm", "Ввод данных в KoboCollect", 210),
    ]
    first = TrainingHalfDay.objects.filter(training_session=training).first()
    assert (first.starts_at, first.ends_at, first.topic) == (
        time(9), time(13), "Цель и задачи проекта; Методология и компоненты DTM",
    )  # fmt: skip
    CourseBlock.objects.all().delete()
    assert len(agenda(training)) == 6


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"days": DAYS[:1]}, "wrong_days"), ({"days": (*DAYS, date(2022, 11, 12))}, "wrong_days"),
     ({"code": "2022-11"}, "code_taken")],
)  # fmt: skip
def test_training_with_other_days_or_a_known_code_is_refused_whole(course, changed, code):
    open_training(course, code="2022-11", days=DAYS)

    with pytest.raises(Refused) as caught:
        open_training(course, **{"code": "2023-01", "days": DAYS, **changed})

    assert (caught.value.code, TrainingSession.objects.count()) == (code, 1)


def test_course_without_agenda_takes_one_day(vocabulary):
    course = Course.objects.create(code="talk", names={"en": "Talk"})

    training = open_training(course, code="talk-1", days=DAYS[:1], language="en")

    assert [(one.day, one.part) for one in training.half_days.all()] == [(DAYS[0], "am")]
