"""The page behind a personal link."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.models import AgendaBlock, Attendance, Enrolment, TrainingHalfDay
from training.services.enrolment import enrol, reply
from training.services.invitation_mails import invitation_token

pytestmark = pytest.mark.django_db

BEGINS = datetime(2022, 11, 10, 3, tzinfo=UTC)  # 9:00 in Almaty
BEFORE, DURING, AFTER = BEGINS - timedelta(days=2), BEGINS + timedelta(minutes=5), BEGINS + timedelta(days=1)


@pytest.fixture
def enrolment():
    training = TrainingSessionFactory(seats=1, title="Two <days>", venue="School 1", link="https://meet.example.org/a")
    half_day = TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, 10), part="am")
    AgendaBlock.objects.create(half_day=half_day, topic="Method", minutes=90, speaker="Trainer")
    enrol(training, [EnumeratorFactory(full_name="Aigerim Demo"), EnumeratorFactory(full_name="Secret Other")])
    return training.enrolments.first()


def address(enrolment):
    return f"/training/invitation/{invitation_token(enrolment)}/"


def answer(client, enrolment, word, **more):
    return client.post(address(enrolment), {"answer": word, **more}, follow=True)


def told(response):
    return [str(message) for message in response.context["messages"]]


def status(enrolment):
    enrolment.refresh_from_db()
    return enrolment.status, enrolment.reply_note


def test_page_shows_the_training_and_nobody_else(client, enrolment, time_machine):
    time_machine.move_to(BEFORE)

    page = client.get(address(enrolment)).content.decode()

    for words in (
        "Aigerim Demo",
        "Two &lt;days&gt;",
        "School 1",
        "https://meet.example.org/a",
        "Method",
        "90 min",
        "UTC+6",
    ):
        assert words in page
    assert "Secret Other" not in page


def test_person_accepts_and_changes_the_mind_with_words(client, enrolment, time_machine):
    time_machine.move_to(BEFORE)

    accepted = answer(client, enrolment, "accept", note="Gladly")
    assert (told(accepted), status(enrolment)) == (["Thank you. Your seat is kept for you."], ("accepted", "Gladly"))
    declined = answer(client, enrolment, "decline", note="Ill")

    assert told(declined) == ["Thank you for telling us. Your seat goes to somebody else."]
    assert status(enrolment) == ("declined", "Ill")
    assert list(Enrolment.objects.order_by("pk").values_list("status", flat=True)) == ["declined", "enrolled"]
    back = answer(client, enrolment, "accept")
    assert told(back) == ["All seats are taken. You are on the waiting list, and hear from us when one is free."]
    assert b"Your place on the waiting list: 1" in back.content


def test_refused_answer_is_told_and_what_was_typed_stays(client, enrolment, time_machine):
    other = Enrolment.objects.exclude(pk=enrolment.pk).get()
    time_machine.move_to(BEFORE)

    waits = answer(client, other, "accept", note="Please")
    nonsense = answer(client, enrolment, "perhaps", note="Well")

    assert waits.context["refusal"] == "All seats are taken; Secret Other is on the waiting list."
    assert (nonsense.context["refusal"], nonsense.context["typed"]) == ("Choose one of the answers.", "Well")
    assert b">Please</textarea>" in waits.content
    assert (status(other), status(enrolment)) == (("waiting", ""), ("enrolled", ""))


@pytest.mark.parametrize(("moment", "words"), [(DURING, "The training has begun"), (AFTER, "This training is over.")])
def test_answer_is_closed_when_the_training_has_begun(client, enrolment, time_machine, moment, words):
    time_machine.move_to(moment)

    page = client.get(address(enrolment)).content.decode()
    refused = answer(client, enrolment, "decline")

    assert words in page or "I am here" in page
    assert 'value="decline"' not in page
    assert refused.context["refusal"].startswith(words)
    assert status(enrolment) == ("enrolled", "")


def test_person_says_here_during_a_half_day(client, enrolment, time_machine):
    time_machine.move_to(BEFORE)
    assert b'value="here"' not in client.get(address(enrolment)).content
    early = answer(client, enrolment, "here")
    time_machine.move_to(DURING)
    assert b'value="here"' in client.get(address(enrolment)).content

    here = answer(client, enrolment, "here")

    assert early.context["refusal"] == "No half-day of this training goes on now."
    assert told(here) == ["You are recorded: present."]
    assert list(Attendance.objects.values_list("enrolment", "state", "how")) == [(enrolment.pk, "present", "link")]
    assert b'value="here"' not in here.content


def test_who_declined_is_offered_no_attendance(client, enrolment, coordinator, time_machine):
    reply(enrolment, accepts=False, by=coordinator)
    time_machine.move_to(DURING)

    assert b'value="here"' not in client.get(address(enrolment)).content
    assert "has no seat" in answer(client, enrolment, "here").context["refusal"]
    assert not Attendance.objects.exists()


@pytest.mark.parametrize("token", ["nonsense", "1.x", "999999999.abc"])
def test_made_up_link_is_not_found(client, enrolment, token):
    assert client.get(f"/training/invitation/{token}/").status_code == 404


def test_page_costs_the_same_with_one_half_day_and_three(client, enrolment, django_assert_max_num_queries):
    counts = []
    for parts in ((), ("2022-11-11", "2022-11-12")):
        for day in parts:
            half_day = TrainingHalfDay.objects.create(training_session=enrolment.training_session, day=day, part="pm")
            AgendaBlock.objects.create(half_day=half_day, topic="More")
        with django_assert_max_num_queries(20) as queries:
            client.get(address(enrolment))
        counts.append(len(queries))

    assert counts[0] == counts[1]
