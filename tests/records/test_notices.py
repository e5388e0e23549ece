"""The outbox: once in, out once; failures are tried again, given up in the end, and shown."""

import smtplib
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction

from dtm_ops.celery import app
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Notice
from dtm_ops.records.notices import PAUSES, Sending, queue_notice, retry_notice, send_due_notices
from dtm_ops.records.tasks import send_notices
from tests.concurrently import at_once, in_another_connection

pytestmark = pytest.mark.django_db

NINE = datetime(2022, 11, 9, 4, tzinfo=UTC)


def queue(key="one", **changed):
    return queue_notice(
        key,
        **{"to": "a@example.org", "language": "en", "subject": "Subject", "body": "Text", "due_at": NINE, **changed},
    )


def outbox():
    return [(message.to, message.subject, message.body) for message in mail.outbox]


class UnreachableServer(BaseEmailBackend):
    def open(self):
        raise ConnectionRefusedError("nobody listens")


class RefusingServer(EmailBackend):
    """Refuses the mailbox of whom it does not know."""

    def send_messages(self, messages):
        if messages[0].to == ["unknown@example.org"]:
            raise smtplib.SMTPRecipientsRefused({"unknown@example.org": (550, b"unknown")})
        return super().send_messages(messages)


def served_by(settings, backend):
    settings.EMAIL_BACKEND = f"{__name__}.{backend.__name__}"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The servers of this module, by whatever name the module was imported."""
    classes = {f"{__name__}.{one.__name__}": one for one in (UnreachableServer, RefusingServer, SlowServer)}
    known = mail.import_string
    monkeypatch.setattr(mail, "import_string", lambda path: classes.get(path) or known(path))


class SlowServer(EmailBackend):
    """Holds the first mail back until the test lets it go."""

    has_mail, may_go = Event(), Event()

    def send_messages(self, messages):
        self.has_mail.set()
        self.may_go.wait(10)
        return super().send_messages(messages)


def test_notice_is_queued_once_a_key_and_sent_once():
    assert (queue(), queue(subject="Changed"), queue("two", to="b@example.org")) == (True, False, True)

    assert send_notices() == 2
    assert send_notices() == 0
    assert outbox() == [(["a@example.org"], "Subject", "Text"), (["b@example.org"], "Subject", "Text")]
    assert mail.outbox[0].from_email == settings.DEFAULT_FROM_EMAIL
    assert list(Notice.objects.values_list("tries", "error", "given_up_at")) == [(1, "", None)] * 2


def test_notice_waits_until_it_is_due():
    queue(due_at=NINE)

    assert send_due_notices(now=NINE - timedelta(seconds=1)) == Sending()
    assert send_due_notices(now=NINE) == Sending(sent=1)


def test_notice_of_a_transaction_that_fails_is_never_sent():
    with transaction.atomic():
        queue()
        transaction.set_rollback(True)

    assert (send_due_notices(), Notice.objects.count()) == (Sending(), 0)


def test_line_break_in_a_subject_starts_no_header():
    queue(subject="Title\nBcc: everybody@example.org")

    send_due_notices()

    assert outbox() == [(["a@example.org"], "Title Bcc: everybody@example.org", "Text")]


def test_refused_mailbox_is_tried_again_later_and_given_up_in_the_end(settings):
    served_by(settings, RefusingServer)
    queue(to="unknown@example.org")
    queue("two")
    now, tried = NINE, []

    assert send_due_notices(now=now) == Sending(sent=1, failed=1)
    for pause in PAUSES:
        now += timedelta(minutes=pause)
        assert send_due_notices(now=now - timedelta(seconds=1)) == Sending()
        tried.append(send_due_notices(now=now))

    assert tried == [Sending(failed=1)] * (len(PAUSES) - 1) + [Sending(failed=1, given_up=1)]
    notice = Notice.objects.get(key="one")
    assert (notice.tries, notice.given_up_at, notice.sent_at) == (len(PAUSES) + 1, now, None)
    assert notice.error.startswith("SMTPRecipientsRefused: ")
    assert send_due_notices(now=now + timedelta(days=9)) == Sending()


def test_unreachable_server_costs_one_notice_a_try_and_the_others_wait(settings):
    served_by(settings, UnreachableServer)
    for key in ("one", "two", "three"):
        queue(key)

    assert send_due_notices(now=NINE) == Sending(failed=1)
    assert list(Notice.objects.order_by("pk").values_list("key", "tries", "error")) == [
        ("one", 1, "ConnectionRefusedError: nobody listens"),
        ("two", 0, ""),
        ("three", 0, ""),
    ]


def test_notice_given_up_is_sent_after_all_when_somebody_asks(settings):
    queue()
    Notice.objects.update(given_up_at=NINE, tries=8, error="no")

    retry_notice(Notice.objects.get(), now=NINE)
    assert send_due_notices(now=NINE) == Sending(sent=1)
    with pytest.raises(Refused) as caught:
        retry_notice(Notice.objects.get())

    assert (caught.value.code, len(outbox())) == ("already_sent", 1)


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_every_notice_once():
    for number in range(20):
        queue(f"notice-{number}", subject=f"Notice {number}")

    done = at_once(send_due_notices, send_due_notices, send_due_notices)

    assert sum(one.sent for one in done) == 20
    assert sorted(subject for _to, subject, _body in outbox()) == sorted(f"Notice {number}" for number in range(20))
    assert not Notice.objects.due(NINE).exists()


@pytest.mark.django_db(transaction=True)
def test_notice_in_the_hands_of_one_worker_is_passed_by_and_lost_by_no_death(settings):
    """The second worker comes while the mail is being handed over; the first one dies before its commit."""
    served_by(settings, SlowServer)
    SlowServer.has_mail.clear()
    SlowServer.may_go.clear()
    queue()

    def die_while_sending():
        with transaction.atomic():
            send_due_notices(now=NINE)
            raise RuntimeError("killed")

    def come_second():
        SlowServer.has_mail.wait(10)
        try:
            return send_due_notices(now=NINE)
        finally:
            SlowServer.may_go.set()

    dead, second = at_once(die_while_sending, come_second)

    assert (str(dead), second) == ("killed", Sending())
    assert in_another_connection(lambda: send_due_notices(now=NINE)) == Sending(sent=1)


def test_beat_asks_each_minute_for_what_is_due():
    entry = settings.CELERY_BEAT_SCHEDULE["send-due-notices"]

    assert (entry["task"], entry["schedule"]) == ("records.send_due_notices", 60.0)
    app.loader.import_default_modules()
    assert entry["task"] in app.tasks
