"""People and their trainings, made to be read in a test."""

from datetime import date

import factory
from factory.django import DjangoModelFactory

from tests.factories.locations import AdminUnitFactory
from training import models


class FormKindFactory(DjangoModelFactory):
    class Meta:
        model = models.FormKind
        django_get_or_create = ("code",)

    code = "baseline_sub_area"
    component = "mobility_tracking"
    names = factory.LazyAttribute(lambda kind: {"en": kind.code.replace("_", " ")})
    review_steps = factory.LazyAttribute(lambda kind: 2 if kind.code == "baseline_area" else 1)
    one_per_target = factory.LazyAttribute(lambda kind: kind.code.startswith("baseline"))


class EnumeratorFactory(DjangoModelFactory):
    class Meta:
        model = models.Enumerator

    code = factory.Sequence(lambda number: f"E{number:03}")
    full_name = factory.Sequence(lambda number: f"Person {number}")
    sex = "female"
    languages = factory.LazyFunction(lambda: ["kk", "ru"])
    home_unit = factory.SubFactory(AdminUnitFactory)


class TrainingSessionFactory(DjangoModelFactory):
    class Meta:
        model = models.TrainingSession

    code = factory.Sequence(lambda number: f"training-{number}")
    title = "Two-day training"


class CertificateFactory(DjangoModelFactory):
    class Meta:
        model = models.Certificate

    serial = factory.Sequence(lambda number: f"SERIAL-{number}")
    enumerator = factory.SubFactory(EnumeratorFactory)
    form_kind = factory.SubFactory(FormKindFactory)
    major_version = 1
    training_session = factory.SubFactory(TrainingSessionFactory)
    issued_on = date(2022, 11, 11)

    @classmethod
    def _create(cls, model_class, *args, **values):
        """What a training certifies, it covers: the database asks."""
        models.TrainedForm.objects.get_or_create(
            training_session=values["training_session"],
            form_kind=values["form_kind"],
            major_version=values["major_version"],
        )
        return super()._create(model_class, *args, **values)


class CourseFactory(DjangoModelFactory):
    class Meta:
        model = models.Course

    code = factory.Sequence(lambda number: f"course-{number}")
    names = factory.LazyAttribute(lambda course: {"en": course.code})


class TeamFactory(DjangoModelFactory):
    class Meta:
        model = models.Team

    code = factory.Sequence(lambda number: f"team-{number}")
    name = factory.LazyAttribute(lambda team: f"Team {team.code}")
    unit = factory.SubFactory(AdminUnitFactory)


class CorrectiveTaskFactory(DjangoModelFactory):
    class Meta:
        model = models.CorrectiveTask

    enumerator = factory.SubFactory(EnumeratorFactory)
    what = factory.Sequence(lambda number: f"Ask for consent {number}")
    reason = "Two forms without consent"
    due_on = date(2999, 1, 1)


class CheckFactory(DjangoModelFactory):
    """A failed check of a corrective task."""

    class Meta:
        model = models.TestAttempt

    corrective_task = factory.SubFactory(CorrectiveTaskFactory)
    enumerator = factory.SelfAttribute("corrective_task.enumerator")
    part = "practical"
    points = 10
    pass_mark = 70
    taken_on = date(2022, 11, 11)
