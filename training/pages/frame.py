"""What the pages of a training share: colours of states, the zone in words."""

from datetime import datetime
from typing import Final

from django.utils import timezone

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


def utc_offset(moment: datetime | None) -> str:
    """Of the desk's zone on that day, e.g. "UTC+6"; "" without a moment."""
    delta = timezone.localtime(moment).utcoffset() if moment else None
    if delta is None:
        return ""
    hours, minutes = divmod(int(delta.total_seconds()) // 60, 60)
    return f"UTC{hours:+d}" + (f":{minutes:02d}" if minutes else "")
