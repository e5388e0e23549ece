"""A training on people's phones: the invitation, the trainer's list, the code in the room; on the desk the sheet."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.browser.conftest import LANGUAGES, WIDTHS
from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.models import AgendaBlock, Attendance, TrainingHalfDay
from training.services.enrolment import enrol
from training.services.invitation_mails import invitation_token
from training.services.presence_links import presence_path

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("Aigerim Demo-01", "Bolat Demo-02", "Нұрғұл Тұрсынбайқызы Демонстрацияланған-03")


def make_training(day, village, *, seats=None):
    """Half-days that last the whole day: the browser's clock is the real one."""
    training = TrainingSessionFactory(
        code="2022-11", title="Базовая оценка: методология DTM и KoboCollect", seats=seats, venue="Алматы",
        link="https://meet.example.org/abc", trainer="Demo Trainer",
    )  # fmt: skip
    for offset, part in ((0, "am"), (1, "am")):
        half_day = TrainingHalfDay.objects.create(
            training_session=training,
            day=day + timedelta(days=offset),
            part=part,
            starts_at="00:00",
            ends_at="23:59:59",
        )
        for topic in ("Цель и задачи проекта", "Методология и компоненты DTM"):
            AgendaBlock.objects.create(half_day=half_day, topic=topic, minutes=90)
    people = [
        EnumeratorFactory(code=f"P{number}", full_name=name, home_unit=village, phone=f"+7701000000{number}")
        for number, name in enumerate(NAMES)
    ]
    enrol(training, people)
    return training


def recorded():
    rows = Attendance.objects.order_by("enrolment__enumerator__code")
    return list(rows.values_list("enrolment__enumerator__code", "state", "reason", "how"))


@pytest.mark.parametrize("script", [True, False])
def test_trainer_records_a_half_day_on_a_phone(visit, coordinator, village, script):
    make_training(timezone.localdate(), village)
    visitor = visit(coordinator, script=script)

    page = visitor.show("/training/2022-11/attendance/", width=390)
    for person, mark in ((0, "Late"), (2, "Absent")):
        card = page.locator("li.card").nth(person)
        card.get_by_role("button", name=mark.lower(), exact=True).click()
        # The page that comes back: a click on the one before it would be lost on a slow machine.
        card.locator("[aria-pressed=true]").wait_for()
    page.get_by_label("Reason").first.fill("Bus")
    page.get_by_role("button", name="Save the reason").first.click()
    page.locator("input[name=reason][value=Bus]").first.wait_for()
    page.get_by_role("button", name="The 1 person not recorded yet: present").click()

    assert page.locator(".counts dd").all_inner_texts() == ["1", "1", "1", "0"]
    assert recorded() == [("P0", "late", "Bus", "desk"), ("P1", "present", "", "desk"), ("P2", "absent", "", "desk")]
    heights = [box.bounding_box()["height"] for box in page.locator(".tick").all()]
    assert min(heights) >= 44


def test_person_in_the_room_follows_the_code_on_the_trainers_screen(visit, coordinator, village):
    training = make_training(timezone.localdate(), village)
    trainer, attendee = visit(coordinator), visit()

    screen = trainer.show("/training/2022-11/attendance/", width=390)
    screen.get_by_text("Code for the screen").click()
    assert screen.locator("svg.qr").bounding_box()["width"] > 250
    link = screen.get_by_role("link", name="The same as a link").get_attribute("href")
    assert link.endswith(presence_path(training.half_days.first()))

    page = attendee.show(presence_path(training.half_days.first()), width=390)
    page.get_by_label("Your code").fill("p1")
    page.get_by_label("Last four digits").fill("0001")
    page.get_by_role("button", name="I am here").click()

    assert page.get_by_role("status").inner_text().startswith("Bolat Demo-02: ")
    # Present, where this runs in the first quarter of an hour of the day.
    assert recorded() in ([("P1", "late", "", "link")], [("P1", "present", "", "link")])


def test_person_answers_an_invitation(visit, village):
    training = make_training(timezone.localdate() + timedelta(days=9), village)
    one = training.enrolments.first()
    visitor = visit(script=False)

    page = visitor.show(f"/training/invitation/{invitation_token(one)}/", width=390)
    page.get_by_label("A word to the coordinator").fill("With a colleague")
    page.get_by_role("button", name="I come").click()

    one.refresh_from_db()
    assert (one.status, one.reply_note) == ("accepted", "With a colleague")
    assert page.get_by_role("button", name="I come").count() == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_of_a_training_fit_in_every_language(visit, coordinator, village, language):
    training = make_training(timezone.localdate(), village, seats=2)
    one, _two, waits = training.enrolments.order_by("enumerator__code")
    desk = f"/admin/training/trainingsession/{training.pk}"
    member, visitor = visit(coordinator, language=language), visit(language=language)

    for width in WIDTHS:
        member.show("/training/2022-11/attendance/", width=width, name=f"training-attendance-{language}")
        for path in ("people", "attendance", "attendance/import", "agenda", "change"):
            member.show(f"{desk}/{path}/", width=width, name=f"desk-training-{path}-{language}")
        for name, path in (
            ("invitation", f"/training/invitation/{invitation_token(one)}/"),
            ("waiting", f"/training/invitation/{invitation_token(waits)}/"),
            ("here", presence_path(training.half_days.first())),
        ):
            visitor.show(path, width=width, name=f"training-{name}-{language}")
