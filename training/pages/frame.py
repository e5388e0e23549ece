"""What the pages of a training share: the colours of states."""

from typing import Final

from training.enums import AttendanceState, EnrolmentStatus

# Classes of the pages' stylesheet.
STATUS_TONES: Final[dict[str, str]] = {
    EnrolmentStatus.ENROLLED: "info",
    EnrolmentStatus.INVITED: "info",
    EnrolmentStatus.ACCEPTED: "ok",
    EnrolmentStatus.DECLINED: "quiet",
    EnrolmentStatus.WAITING: "warn",
}
ATTENDANCE_TONES: Final[dict[str, str]] = {
    AttendanceState.PRESENT: "ok",
    AttendanceState.LATE: "warn",
    AttendanceState.ABSENT: "bad",
}
