"""The roster on the desk: people, their training, their certificates, and who may log in."""

from training.admin.certificate import CertificateAdmin
from training.admin.enumerator import EnumeratorAdmin
from training.admin.form_kind import FormKindAdmin
from training.admin.notice import NoticeAdmin
from training.admin.training_session import TrainingSessionAdmin
from training.admin.user import ApiTokenAdmin, UserAdmin

__all__ = [
    "ApiTokenAdmin",
    "CertificateAdmin",
    "EnumeratorAdmin",
    "FormKindAdmin",
    "NoticeAdmin",
    "TrainingSessionAdmin",
    "UserAdmin",
]
