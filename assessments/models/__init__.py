"""Rounds and targets, focus groups, Kobo, figures."""

from assessments.models.assessment_round import AssessmentRound, RoundRegion, RoundTarget
from assessments.models.figure import Category, Figure, Indicator
from assessments.models.focus_group_session import FocusGroupSession, SessionAssignment
from assessments.models.kobo_form import KoboForm, KoboFormVersion, KoboServer
from assessments.models.kobo_submission import KoboSubmission, QualityFlag, SubmissionRevision
from assessments.models.sync_run import SyncRun

__all__ = [
    "AssessmentRound",
    "Category",
    "Figure",
    "FocusGroupSession",
    "Indicator",
    "KoboForm",
    "KoboFormVersion",
    "KoboServer",
    "KoboSubmission",
    "QualityFlag",
    "RoundRegion",
    "RoundTarget",
    "SessionAssignment",
    "SubmissionRevision",
    "SyncRun",
]
