"""Which colour a status wears on the desk."""

from assessments.enums import (
    AttachmentState,
    Bucket,
    FocusGroupStatus,
    HookState,
    MatchState,
    PushState,
    ReviewStatus,
    RoundStatus,
    SyncOutcome,
    SyncState,
    TargetStatus,
)
from dtm_ops.common.badges import BAD, GOOD, INFO, QUIET, WAIT

ROUND = {RoundStatus.PLANNED: INFO, RoundStatus.OPEN: GOOD, RoundStatus.CLOSED: QUIET}
TARGET = {
    TargetStatus.OPEN: INFO,
    TargetStatus.EXCLUDED: QUIET,
    TargetStatus.INACCESSIBLE: WAIT,
    TargetStatus.SHORTFALL: BAD,
}
FOCUS_GROUP = {FocusGroupStatus.PLANNED: INFO, FocusGroupStatus.HELD: GOOD, FocusGroupStatus.CANCELLED: QUIET}
REVIEW = {
    ReviewStatus.RECEIVED: INFO,
    ReviewStatus.APPROVED_FIRST: WAIT,
    ReviewStatus.APPROVED: GOOD,
    ReviewStatus.RETURNED: WAIT,
    ReviewStatus.REJECTED: BAD,
}
MATCH = {
    MatchState.BY_CODE: GOOD,
    MatchState.BY_PLACE: GOOD,
    MatchState.BY_HAND: INFO,
    MatchState.UNMATCHED: BAD,
}
SYNC = {
    SyncOutcome.RUNNING: INFO,
    SyncOutcome.CLOSED: GOOD,
    SyncOutcome.RED: BAD,
    SyncOutcome.FAILED: BAD,
    SyncOutcome.LOST: WAIT,
    SyncOutcome.STOPPED: QUIET,
}
SYNC_STATE = {
    SyncState.RED: BAD,
    SyncState.LATE: BAD,
    SyncState.RETRY: WAIT,
    SyncState.NEVER: QUIET,
    SyncState.GOOD: GOOD,
    SyncState.OFF: QUIET,
}
ATTACHMENT = {
    AttachmentState.LISTED: INFO,
    AttachmentState.FETCHED: GOOD,
    AttachmentState.REFUSED: WAIT,
    AttachmentState.MISSING: BAD,
}
HOOK = {HookState.WAITING: WAIT, HookState.PULLED: GOOD, HookState.IGNORED: QUIET}
PUSH = {
    PushState.PENDING: WAIT,
    PushState.SENT: GOOD,
    PushState.FAILED: BAD,
    PushState.SUPERSEDED: QUIET,
}
BUCKET = {
    Bucket.COVERED: GOOD,
    Bucket.IN_REVIEW: INFO,
    Bucket.RETURNED: WAIT,
    Bucket.HELD_NO_FORM: WAIT,
    Bucket.EXCLUDED: QUIET,
    Bucket.INACCESSIBLE: WAIT,
    Bucket.SHORTFALL: BAD,
    Bucket.OVERDUE: BAD,
    Bucket.SCHEDULED: INFO,
    Bucket.ASSIGNED_NO_DATE: INFO,
    Bucket.UNASSIGNED: QUIET,
}
