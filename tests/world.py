"""One of everything that an address can name, about one village: for the API and for the walk over all routes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from assessments import models
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from locations.models import AdminUnit
from tests.factories.assessments import (
    AssessmentRoundFactory,
    KoboFormFactory,
    RoundTargetFactory,
    make_submission,
)
from tests.factories.training import TrainingSessionFactory
from training.models import (
    Attendance,
    Certificate,
    Enrolment,
    Enumerator,
    FormKind,
    TrainedForm,
    TrainingHalfDay,
    TrainingSession,
)

START = datetime(2022, 12, 5, 4, tzinfo=UTC)
END = datetime(2022, 12, 5, 6, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    unit: AdminUnit
    person: Enumerator
    training_session: TrainingSession
    certificate: Certificate
    round: models.AssessmentRound
    target: models.RoundTarget
    focus_group: models.FocusGroupSession
    form: models.KoboForm
    submission: models.KoboSubmission
    run: models.SyncRun


def make_world(village: AdminUnit, person: Enumerator, *, kind: FormKind, starts_at: datetime = START) -> World:
    """Everything about one village: the person's training, a focus group with the person, a submitted form, a run."""
    training = make_training(person, kind=kind)
    certificate = Certificate.objects.filter(enumerator=person, form_kind=kind).latest("pk")
    found = AssessmentRoundFactory()
    region = AdminUnit.objects.get(unit_id=village.path.split("/")[1])
    models.RoundRegion.objects.get_or_create(round=found, unit=region)
    target = RoundTargetFactory(round=found, unit=village, form_kind=kind)
    group = plan_focus_group(
        target, starts_at=starts_at, ends_at=starts_at + (END - START), venue="School", language="kk"
    )
    assign_enumerator(group, person)
    form = models.KoboForm.objects.filter(round=found).first() or KoboFormFactory(round=found, form_kind=kind)
    submission = make_submission(
        target, form=form, focus_group=group, enumerator=person, submitted_by=person.kobo_username
    )
    submission.current_revision.flags.create(check_code="after_fieldwork", severity="warning")
    run = models.SyncRun.objects.create(
        form=form, trigger="command", started_at=END, finished_at=END, outcome="closed", at_kobo=1, here=1, new=1
    )
    return World(village, person, training, certificate, found, target, group, form, submission, run)


def make_training(person: Enumerator, *, kind: FormKind) -> TrainingSession:
    training: TrainingSession = TrainingSessionFactory(venue="Almaty", trainer="Trainer")
    TrainedForm.objects.create(training_session=training, form_kind=kind, major_version=1)
    half_day = TrainingHalfDay.objects.create(
        training_session=training, day=date(2022, 11, 10), part="am", topic="Questions"
    )
    enrolment = Enrolment.objects.create(training_session=training, enumerator=person)
    Attendance.objects.create(enrolment=enrolment, half_day=half_day, state="present")
    Certificate.objects.create(
        serial=f"S-{person.code}-{training.code}".upper(),
        enumerator=person,
        form_kind=kind,
        major_version=1,
        training_session=training,
        issued_on=date(2022, 11, 11),
    )
    return training
