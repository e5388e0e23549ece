"""What is mailed about a training, each in the reader's language; and the personal link that opens the own page."""

from datetime import datetime
from typing import Final

from django.core.signing import BadSignature, Signer
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from dtm_ops.common.site_address import absolute
from dtm_ops.common.zones import utc_offset
from dtm_ops.records.notices import queue_notice
from training.models import Enrolment
from training.selectors.invitations import invitation_key
from training.selectors.languages import language_of

# A full stop: a colon is cut off by some messengers. Named by what it opens, so that it opens nothing else.
_SIGNER: Final = Signer(sep=".", salt="training.invitation")


def invitation_token(enrolment: Enrolment) -> str:
    return _SIGNER.sign(str(enrolment.pk))


def invitation_path(enrolment: Enrolment) -> str:
    return reverse("training_invitation", args=[invitation_token(enrolment)])


def invitation_address(enrolment: Enrolment) -> str:
    return absolute(invitation_path(enrolment))


def enrolment_of(token: str) -> Enrolment | None:
    """None: nobody's link. It names the row, not the reply, and holds as long as the row is there."""
    try:
        key = int(_SIGNER.unsign(token))
    except (BadSignature, ValueError):
        return None
    rows = Enrolment.objects.select_related("enumerator__user", "training_session")
    return rows.filter(pk=key).first()


def tell_invited(enrolment: Enrolment, *, was_waiting: bool = False) -> bool:
    """False: no mailbox."""
    return _tell(
        enrolment,
        key=invitation_key(enrolment),
        kind="seat_free" if was_waiting else "invitation",
    )


def tell_waiting(enrolment: Enrolment) -> bool:
    """Once for each time that the person came onto the list. False: no mailbox, or told already."""
    return _tell(enrolment, key=f"waiting-{enrolment.pk}-{enrolment.enrolled_at:%Y%m%d%H%M%S}", kind="waiting")


def tell_reminded(enrolment: Enrolment, *, begins: datetime) -> bool:
    return _tell(enrolment, key=f"reminder-{enrolment.pk}-{begins:%Y%m%d}", kind="reminder")


def _tell(enrolment: Enrolment, *, key: str, kind: str) -> bool:
    person, training = enrolment.enumerator, enrolment.training_session
    if not person.email:
        return False
    language = language_of(person, fallback=training.language)
    with translation.override(language):
        half_days = list(training.half_days.all())
        context = {
            "person": person,
            "training": training,
            "half_days": half_days,
            "offset": utc_offset(half_days[0].opens_at if half_days else None),
            "address": invitation_address(enrolment),
        }
        body = render_to_string(f"training/mail/{kind}.txt", context)
        subject = _subject(kind) % {"title": training.title}
    return queue_notice(key, to=person.email, language=language, subject=subject, body=body.strip() + "\n")


def _subject(kind: str) -> str:
    return {
        "invitation": _("Invitation: %(title)s"),
        "seat_free": _("A seat has become free: %(title)s"),
        "waiting": _("Waiting list: %(title)s"),
        "reminder": _("It begins soon: %(title)s"),
    }[kind]
