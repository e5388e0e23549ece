"""Questions about who was asked to a training session and what they said."""

from django.db.models import Q

from training.enums import EnrolmentStatus
from training.models import Enrolment


def place_in_line(enrolment: Enrolment) -> int | None:
    """1 is the next to get a seat; None: not on the waiting list."""
    if enrolment.status != EnrolmentStatus.WAITING:
        return None
    ahead = Q(enrolled_at__lt=enrolment.enrolled_at) | Q(enrolled_at=enrolment.enrolled_at, pk__lt=enrolment.pk)
    waiting = Enrolment.objects.filter(training_session=enrolment.training_session_id, status=EnrolmentStatus.WAITING)
    return waiting.filter(ahead).count() + 1
