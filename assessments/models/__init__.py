"""Rounds and targets, focus groups, Kobo, figures."""

from assessments.models.assessment_round import AssessmentRound, RoundRegion, RoundTarget
from assessments.models.assignment_list import AssignmentList
from assessments.models.figure import Category, Figure, Indicator
from assessments.models.focus_group_session import FocusGroupSession, SessionAssignment
from assessments.models.hook_delivery import HookDelivery
from assessments.models.kobo_form import KoboForm, KoboFormVersion, KoboServer
from assessments.models.kobo_submission import KoboSubmission, QualityFlag, SubmissionRevision
from assessments.models.match_alias import MatchAlias
from assessments.models.status_push import StatusPush
from assessments.models.submission_attachment import SubmissionAttachment
from assessments.models.sync_run import SyncRun

__all__ = [
    "AssessmentRound",
    "AssignmentList",
    "Category",
    "Figure",
    "FocusGroupSession",
    "HookDelivery",
    "Indicator",
    "KoboForm",
    "KoboFormVersion",
    "KoboServer",
    "KoboSubmission",
    "MatchAlias",
    "QualityFlag",
    "RoundRegion",
    "RoundTarget",
    "SessionAssignment",
    "StatusPush",
    "SubmissionAttachment",
    "SubmissionRevision",
    "SyncRun",
]
