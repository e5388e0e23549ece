"""The roster on the desk: people, their training, their certificates, and who may log in."""

from training.admin.absence import AbsenceAdmin
from training.admin.certificate import CertificateAdmin
from training.admin.corrective_task import CorrectiveTaskAdmin
from training.admin.course import CourseAdmin
from training.admin.enumerator import EnumeratorAdmin
from training.admin.form_kind import FormKindAdmin
from training.admin.notice import NoticeAdmin
from training.admin.team import TeamAdmin
from training.admin.test_attempt import TestAttemptAdmin
from training.admin.training_session import TrainingSessionAdmin
from training.admin.user import ApiTokenAdmin, UserAdmin

__all__ = [
    "AbsenceAdmin",
    "ApiTokenAdmin",
    "CertificateAdmin",
    "CorrectiveTaskAdmin",
    "CourseAdmin",
    "EnumeratorAdmin",
    "FormKindAdmin",
    "NoticeAdmin",
    "TeamAdmin",
    "TestAttemptAdmin",
    "TrainingSessionAdmin",
    "UserAdmin",
]
