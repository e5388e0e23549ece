"""The outbox: what people are to be told is a row first, and leaves the house in a worker.

At least once: a worker that is killed between the mail server's yes and its own commit sends the notice again; two
workers at the same time never do.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any, Final

from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Notice

logger = logging.getLogger(__name__)

# Minutes until the next try, after each failure. After the last one a person has to look.
PAUSES: Final = (1, 5, 15, 60, 240, 720, 1440)
MOST_AT_ONCE: Final = 200


@dataclass(slots=True)
class Sending:
    sent: int = 0
    failed: int = 0
    given_up: int = 0


def queue_notice(key: str, *, to: str, language: str, subject: str, body: str, due_at: datetime | None = None) -> bool:
    """Put a notice into the outbox, with the transaction that it belongs to. False: ``key`` is there already, and
    stays as it is.
    """
    one_line = " ".join(subject.split())
    _notice, made = Notice.objects.get_or_create(
        key=key,
        defaults={
            "to": to,
            "language": language,
            "subject": one_line[:240],
            "body": body,
            "due_at": due_at or timezone.now(),
        },
    )
    return made


def send_due_notices(*, now: datetime | None = None, most: int = MOST_AT_ONCE) -> Sending:
    """Send what is due, oldest first, each in a transaction of its own.

    A mail server that cannot be reached costs the first notice a try and ends the run: the others wait for the next.
    """
    done = Sending()
    mailer = get_connection()
    try:
        for _unused in range(most):
            if not _send_next(mailer, now or timezone.now(), done):
                break
    finally:
        mailer.close()
    return done


def _send_next(mailer: Any, now: datetime, done: Sending) -> bool:
    """Whether to go on. The row stays locked while its mail is handed over: another worker passes it by."""
    is_reached = False
    with transaction.atomic():
        notice = Notice.objects.due(now).order_by("due_at", "pk").select_for_update(skip_locked=True).first()
        if notice is None:
            return False
        notice.tries += 1
        try:
            mailer.open()
            is_reached = True
            EmailMessage(notice.subject, notice.body, to=[notice.to], connection=mailer).send()
        except (SMTPException, OSError, ValueError) as error:
            _note_failure(notice, error, now)
            done.failed += 1
            done.given_up += notice.given_up_at is not None
        else:
            notice.sent_at, notice.error = timezone.now(), ""
            done.sent += 1
        notice.save(update_fields=["tries", "sent_at", "given_up_at", "due_at", "error"])
    return is_reached


def _note_failure(notice: Notice, error: Exception, now: datetime) -> None:
    """The log names the notice, never the person."""
    notice.error = f"{type(error).__name__}: {error}"[:240]
    logger.warning("notice %s: %s (try %s)", notice.pk, type(error).__name__, notice.tries)
    if notice.tries > len(PAUSES):
        notice.given_up_at = now
    else:
        notice.due_at = now + timedelta(minutes=PAUSES[notice.tries - 1])


def retry_notice(notice: Notice, *, now: datetime | None = None) -> None:
    """Send it with the next tick, from the first try on: the mailbox was corrected, or the server is back."""
    waiting = Notice.objects.filter(pk=notice.pk, sent_at=None)
    if not waiting.update(given_up_at=None, tries=0, due_at=now or timezone.now()):
        raise Refused(_("This notice has been sent."), code="already_sent")
    notice.refresh_from_db()
