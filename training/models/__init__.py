"""People, what they are trained in, and the proof."""

from training.models.absence import Absence
from training.models.certificate import Certificate
from training.models.corrective_task import CorrectiveTask
from training.models.course import Course, CourseBlock, CourseForm
from training.models.enumerator import Enumerator
from training.models.form_kind import FormKind
from training.models.identity import EnumeratorIdentity
from training.models.team import Team, TeamMembership
from training.models.test_attempt import TestAttempt
from training.models.training_session import (
    AgendaBlock,
    Attendance,
    Enrolment,
    TrainedForm,
    TrainingHalfDay,
    TrainingSession,
)

__all__ = [
    "Absence",
    "AgendaBlock",
    "Attendance",
    "Certificate",
    "CorrectiveTask",
    "Course",
    "CourseBlock",
    "CourseForm",
    "Enrolment",
    "Enumerator",
    "EnumeratorIdentity",
    "FormKind",
    "Team",
    "TeamMembership",
    "TestAttempt",
    "TrainedForm",
    "TrainingHalfDay",
    "TrainingSession",
]
