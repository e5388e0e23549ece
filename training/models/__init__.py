"""People, what they are trained in, and the proof."""

from training.models.certificate import Certificate
from training.models.enumerator import Enumerator
from training.models.form_kind import FormKind
from training.models.training_session import Attendance, Enrolment, TrainedForm, TrainingHalfDay, TrainingSession

__all__ = [
    "Attendance",
    "Certificate",
    "Enrolment",
    "Enumerator",
    "FormKind",
    "TrainedForm",
    "TrainingHalfDay",
    "TrainingSession",
]
