"""The work on the desk: rounds, focus groups, Kobo, review. Each page shows rows in reach and calls the services."""

from assessments.admin.assessment_round import AssessmentRoundAdmin
from assessments.admin.focus_group_session import FocusGroupSessionAdmin
from assessments.admin.hooks import HookDeliveryAdmin
from assessments.admin.kobo_form import KoboFormAdmin, KoboServerAdmin
from assessments.admin.kobo_form_version import KoboFormVersionAdmin
from assessments.admin.kobo_submission import KoboSubmissionAdmin
from assessments.admin.match_alias import MatchAliasAdmin
from assessments.admin.person import EnumeratorWithWorkAdmin
from assessments.admin.round_target import RoundTargetAdmin
from assessments.admin.status_change import StatusChangeAdmin
from assessments.admin.status_push import StatusPushAdmin
from assessments.admin.sync_run import SyncRunAdmin
from assessments.admin.vocabulary import IndicatorAdmin

__all__ = [
    "AssessmentRoundAdmin",
    "EnumeratorWithWorkAdmin",
    "FocusGroupSessionAdmin",
    "HookDeliveryAdmin",
    "IndicatorAdmin",
    "KoboFormAdmin",
    "KoboFormVersionAdmin",
    "KoboServerAdmin",
    "KoboSubmissionAdmin",
    "MatchAliasAdmin",
    "RoundTargetAdmin",
    "StatusChangeAdmin",
    "StatusPushAdmin",
    "SyncRunAdmin",
]
