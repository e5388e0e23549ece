"""Seats, waiting list, invitation, reply and reminder."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings as site
from hypothesis import given, settings
from hypothesis import strategies as st

from dtm_ops.celery import app
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Notice, StatusChange
from tests.concurrently import at_once
from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.enums import SEATED, EnumeratorStatus
from training.models import Enrolment, Enumerator, TrainingHalfDay, TrainingSession
from training.selectors.languages import language_of
from training.services.enrolment import (
    enrol,
    fill_seats,
    invite,
    refuse_too_few_seats,
    reply,
    send_reminders,
)
from training.services.invitation_mails import enrolment_of, invitation_address, invitation_token
from training.services.roster import change_enumerator_status
from training.tasks import remind_of_trainings

pytestmark = pytest.mark.django_db

# The morning of 10 November begins at 9 in Almaty, which was 3 o'clock UTC then.
BEGINS = datetime(2022, 11, 10, 3, tzinfo=UTC)
BEFORE = BEGINS - timedelta(days=5)
DURING = BEGINS + timedelta(hours=1)
AFTER = BEGINS + timedelta(days=1)


def make_training(seats=None, **changed):
    training = TrainingSessionFactory(seats=seats, title="Two days", language="ru", **changed)
    for part in ("am", "pm"):
        TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, 10), part=part)
    return training


@pytest.fixture
def training():
    return make_training(seats=2)


@pytest.fixture
def people():
    return [EnumeratorFactory(code=f"P{number}", email=f"p{number}@example.org") for number in range(4)]


def row(training, number):
    return Enrolment.objects.get(training_session=training, enumerator__code=f"P{number}")


def statuses(training):
    return list(training.enrolments.order_by("enumerator__code").values_list("status", flat=True))


def told():
    return list(Notice.objects.order_by("pk").values_list("to", "subject"))


def steps():
    return list(StatusChange.objects.values_list("old", "new", "by__username"))


def test_enrolling_beyond_the_seats_fills_the_waiting_list_in_order(training, people):
    assert enrol(training, people[:3], at=BEFORE) == 3
    assert enrol(training, people, at=BEFORE + timedelta(hours=1)) == 1

    assert statuses(training) == ["enrolled", "enrolled", "waiting", "waiting"]
    waiting = training.enrolments.filter(status="waiting").order_by("enrolled_at", "pk")
    assert [one.enumerator.code for one in waiting] == ["P2", "P3"]
    assert steps() == [("enrolled", "waiting", None)] * 2


def test_training_without_a_number_of_seats_takes_everybody(people):
    training = make_training()

    enrol(training, people)

    assert statuses(training) == ["enrolled"] * 4


def test_everybody_enrolled_is_invited_once_and_who_waits_is_told(training, people, coordinator):
    Enumerator.objects.filter(code="P1").update(email="")
    enrol(training, people[:3], at=BEFORE)

    done = invite(training, by=coordinator, at=BEFORE)

    assert (done.mailed, done.waiting, [one.enumerator.code for one in done.without_mail]) == (1, 1, ["P1"])
    assert statuses(training) == ["invited", "invited", "waiting"]
    assert [(one.to, one.key.partition("-")[0], one.language) for one in Notice.objects.order_by("pk")] == [
        ("p2@example.org", "waiting", "kk"),
        ("p0@example.org", "invitation", "kk"),
    ]
    assert row(training, 0).invited_at == BEFORE
    with pytest.raises(Refused) as caught:
        invite(training, by=coordinator, at=BEFORE)
    assert (caught.value.code, Notice.objects.count()) == ("nobody_to_invite", 2)


def test_invitation_tells_days_place_and_the_own_link(training, people, coordinator):
    training.venue, training.link = "School <1>", "https://meet.example.org/a?b=1&c=2"
    training.save()
    Enumerator.objects.update(languages=["en"])
    enrol(training, people[:1])

    invite(training, by=coordinator, at=BEFORE)

    notice = Notice.objects.get()
    assert notice.language == "en"
    for words in (
        "10 November 2022, 09:00–13:00 (UTC+6)",
        "Where: School <1>",
        "https://meet.example.org/a?b=1&c=2",
        invitation_address(row(training, 0)),
    ):
        assert words in notice.body
    assert invitation_address(row(training, 0)).startswith(f"{site.SITE_ADDRESS}/training/invitation/")


@pytest.mark.parametrize(
    ("chosen", "languages", "found"),
    [
        ("kk", ["ru"], "kk"),
        ("", ["en", "ru"], "ru"),
        ("", ["ru", "kk"], "kk"),
        ("", ["fr", "ru"], "ru"),
        ("", ["uz"], "en"),
        (None, [], "en"),
        (None, ["en"], "en"),
    ],
)
def test_language_is_the_chosen_one_else_the_first_of_the_site_that_is_spoken(make_user, chosen, languages, found):
    user = None if chosen is None else make_user("someone", language=chosen)
    person = EnumeratorFactory(languages=languages, user=user)

    assert language_of(person, fallback="en") == found


def test_link_names_one_enrolment_and_cannot_be_made_up(training, people):
    enrol(training, people[:2])
    one, two = row(training, 0), row(training, 1)

    assert enrolment_of(invitation_token(one)) == one
    made_up = f"{two.pk}.{invitation_token(one).partition('.')[2]}"
    assert [enrolment_of(token) for token in (made_up, str(one.pk), "", "x.y", invitation_token(one)[:-1])] == [
        None
    ] * 5


def test_reply_is_kept_with_its_words_and_can_change_until_the_beginning(training, people):
    enrol(training, people[:1], at=BEFORE)
    one = row(training, 0)

    reply(one, accepts=True, note=" Gladly ", at=BEFORE)
    reply(one, accepts=True, note="With a colleague", at=BEFORE)
    reply(one, accepts=False, at=BEFORE)
    reply(one, accepts=True, at=BEGINS - timedelta(seconds=1))

    assert steps() == [("enrolled", "accepted", None), ("accepted", "declined", None), ("declined", "accepted", None)]
    with pytest.raises(Refused) as caught:
        reply(one, accepts=False, at=BEGINS)
    assert (caught.value.code, statuses(training)) == ("training_begun", ["accepted"])


def test_desk_writes_a_reply_down_also_later(training, people, coordinator):
    enrol(training, people[:1])
    one = row(training, 0)

    after = reply(one, accepts=False, note="By phone", by=coordinator, at=DURING)

    assert (after.status, after.reply_note, steps()) == (
        "declined",
        "By phone",
        [("enrolled", "declined", "coordinator")],
    )


def test_seat_given_up_goes_to_the_first_who_waits_and_they_are_asked(training, people, coordinator):
    enrol(training, people, at=BEFORE)
    invite(training, by=coordinator, at=BEFORE)
    Notice.objects.all().delete()

    reply(row(training, 0), accepts=False, at=BEFORE)

    assert statuses(training) == ["declined", "invited", "invited", "waiting"]
    assert [to for to, _subject in told()] == ["p2@example.org"]


def test_seat_given_up_before_the_invitations_is_taken_without_a_mail(training, people, coordinator):
    enrol(training, people)

    reply(row(training, 0), accepts=False, by=coordinator, at=BEFORE)

    assert (statuses(training), told()) == (["declined", "enrolled", "enrolled", "waiting"], [])


def test_seat_given_up_while_the_training_goes_on_is_filled_without_a_mail(training, people, coordinator):
    enrol(training, people, at=BEFORE)
    invite(training, by=coordinator, at=BEFORE)
    Notice.objects.all().delete()

    reply(row(training, 0), accepts=False, by=coordinator, at=DURING)

    assert (statuses(training), told()) == (["declined", "invited", "enrolled", "waiting"], [])


def test_changed_mind_without_a_seat_goes_to_the_end_of_the_line(training, people, coordinator):
    enrol(training, people, at=BEFORE)
    invite(training, by=coordinator, at=BEFORE)
    reply(row(training, 0), accepts=False, at=BEFORE)
    Notice.objects.all().delete()

    after = reply(row(training, 0), accepts=True, at=BEFORE + timedelta(minutes=1))

    assert after.status == "waiting"
    line = training.enrolments.filter(status="waiting").order_by("enrolled_at", "pk")
    assert [one.enumerator.code for one in line] == ["P3", "P0"]
    assert [to for to, _subject in told()] == ["p0@example.org"]


def test_who_waits_cannot_take_a_seat_but_can_leave_the_line(training, people):
    enrol(training, people)
    one = row(training, 2)

    with pytest.raises(Refused) as caught:
        reply(one, accepts=True, at=BEFORE)
    assert caught.value.code == "no_seat"
    reply(one, accepts=False, at=BEFORE)

    assert statuses(training) == ["enrolled", "enrolled", "declined", "waiting"]


def test_more_seats_are_filled_from_the_line_and_fewer_than_taken_refused(training, people, coordinator):
    enrol(training, people, at=BEFORE)
    invite(training, by=coordinator, at=BEFORE)
    TrainingSession.objects.update(seats=3)

    assert fill_seats(training, by=coordinator, at=BEFORE) == 1
    assert statuses(training) == ["invited", "invited", "invited", "waiting"]
    with pytest.raises(Refused, match="3 people have a seat already"):
        refuse_too_few_seats(training, 2)
    refuse_too_few_seats(training, 3)
    refuse_too_few_seats(training, None)


def test_nobody_is_invited_to_a_training_that_began_or_has_no_days(training, people, coordinator):
    enrol(training, people[:1])
    bare = TrainingSessionFactory()
    enrol(bare, people[:1])

    refused = []
    for one, at in ((training, DURING), (training, AFTER), (bare, BEFORE)):
        with pytest.raises(Refused) as caught:
            invite(one, by=coordinator, at=at)
        refused.append(caught.value.code)

    assert (refused, told()) == (["training_begun", "training_over", "no_half_days"], [])


def test_reminder_goes_a_day_before_to_who_was_asked_and_once(training, people, coordinator):
    enrol(training, people[:3], at=BEFORE)
    invite(training, by=coordinator, at=BEFORE)
    reply(row(training, 0), accepts=True, at=BEFORE)
    Notice.objects.all().delete()

    early = send_reminders(now=BEGINS - timedelta(days=1, seconds=1))
    sent = [send_reminders(now=BEGINS - timedelta(hours=hours)) for hours in (24, 20, 1)]
    late = send_reminders(now=BEGINS)

    assert (early, sent, late) == (0, [2, 0, 0], 0)
    assert [to for to, _subject in told()] == ["p0@example.org", "p1@example.org"]
    assert row(training, 0).reminded_at == BEGINS - timedelta(hours=24)


def test_who_was_set_aside_is_not_reminded(training, people, coordinator):
    enrol(training, people[:2], at=BEFORE)
    invite(training, by=coordinator, at=BEFORE)
    change_enumerator_status(people[0], EnumeratorStatus.INACTIVE, by=coordinator, reason="Ill", at=BEFORE)
    Notice.objects.all().delete()

    assert send_reminders(now=BEGINS - timedelta(hours=24)) == 1
    assert [to for to, _subject in told()] == ["p1@example.org"]


def test_beat_asks_for_reminders():
    entry = site.CELERY_BEAT_SCHEDULE["remind-of-trainings"]

    app.loader.import_default_modules()
    assert entry["task"] in app.tasks
    assert remind_of_trainings() == 0


@pytest.mark.django_db(transaction=True)
def test_last_seat_is_taken_by_one_of_two_who_accept_at_once(training, people):
    enrol(training, people[:1], at=BEFORE)
    enrol(training, people[1:3], at=BEFORE)
    for number in (1, 2):
        reply(row(training, number), accepts=False, at=BEFORE)
    Notice.objects.all().delete()
    one, two = row(training, 1), row(training, 2)

    at_once(
        lambda: reply(one, accepts=True, at=BEFORE + timedelta(minutes=1)),
        lambda: reply(two, accepts=True, at=BEFORE + timedelta(minutes=1)),
    )

    assert sorted(statuses(training)) == ["accepted", "enrolled", "waiting"]
    waits = training.enrolments.get(status="waiting")
    assert [to for to, _subject in told()] == [waits.enumerator.email]


@pytest.mark.django_db(transaction=True)
def test_seats_given_up_at_once_are_each_filled_once(training, people):
    enrol(training, people, at=BEFORE)
    one, two = row(training, 0), row(training, 1)

    at_once(lambda: reply(one, accepts=False, at=BEFORE), lambda: reply(two, accepts=False, at=BEFORE))

    assert statuses(training) == ["declined", "declined", "enrolled", "enrolled"]


# --- whatever happens


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["enrol", "invite", "accept", "accept", "decline", "decline", "more_seats"]),
        st.integers(0, 5),
    ),
    max_size=14,
)


@settings(max_examples=60)
@given(seats=st.integers(1, 4), operations=OPERATIONS)
def test_seats_are_never_too_few_and_nobody_is_lost(seats, operations, crowd, coordinator):
    training = make_training(seats=seats)
    known = set()
    for minute, (verb, number) in enumerate(operations):
        at = BEFORE + timedelta(minutes=minute)
        line = waiting_line(training)
        act(verb, number, training, crowd, known, coordinator, at)
        assert_seats_hold(training, known)
        after = waiting_line(training)
        stayed = [one for one in line if one in after]
        assert [one for one in after if one in stayed] == stayed, "nobody overtakes"
        assert after[: len(stayed)] == stayed, "who comes new stands behind"


@pytest.fixture
def crowd():
    return EnumeratorFactory.create_batch(6)


def act(verb, number, training, crowd, known, coordinator, at):
    training.refresh_from_db()
    with suppress(Refused):
        if verb == "enrol":
            enrol(training, crowd[number : number + 2], at=at)
            known |= {one.pk for one in crowd[number : number + 2]}
        elif verb == "invite":
            invite(training, by=coordinator, at=at)
        elif verb == "more_seats":
            TrainingSession.objects.filter(pk=training.pk).update(seats=training.seats + 1)
            fill_seats(training, at=at)
        elif one := Enrolment.objects.filter(training_session=training, enumerator=crowd[number]).first():
            reply(one, accepts=verb == "accept", at=at)


def waiting_line(training):
    rows = training.enrolments.filter(status="waiting").order_by("enrolled_at", "pk")
    return list(rows.values_list("enumerator_id", flat=True))


def assert_seats_hold(training, known):
    training.refresh_from_db()
    seated = training.enrolments.filter(status__in=SEATED).count()
    assert seated <= training.seats
    assert set(training.enrolments.values_list("enumerator_id", flat=True)) == known
    if waiting_line(training):
        assert seated == training.seats, "a seat is free while somebody waits"
