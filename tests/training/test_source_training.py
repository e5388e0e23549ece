"""The training of 10 and 11 November 2022, from the course to twenty certificates, through the pages alone."""

import re
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from django.core import mail
from django.test import Client

from dtm_ops.common.exports import write_xlsx
from dtm_ops.records.tasks import send_notices
from tests.factories.training import EnumeratorFactory
from training.models import Attendance, Certificate, Course, TrainingSession
from training.services.courses import load_courses
from training.services.presence_links import presence_path
from training.tasks import remind_of_trainings

pytestmark = pytest.mark.django_db

DESK = "/admin/training/trainingsession/"
FIRST = datetime(2022, 11, 10, 3, tzinfo=UTC)  # 9:00 in Almaty
LANGUAGES = (["kk", "ru"], ["ru"], ["en"])


@pytest.fixture
def people(village, other_village):
    """Ten of Almaty region and ten of Mangystau, and two more who wait."""
    return [
        EnumeratorFactory(
            code=f"E{number:02}",
            home_unit=village if number % 2 else other_village,
            email=f"e{number:02}@example.org",
            phone=f"+770100000{number:02}",
            languages=LANGUAGES[number % 3],
        )
        for number in range(1, 23)
    ]


def press(client, address, verb, **asked):
    return client.post(f"{address}do/{verb}/", {"confirmed": "1", **asked}, follow=True)


def letters():
    """Links by the person they were mailed to; the box is emptied."""
    links = {one.to[0][:3].upper(): re.search(r"http\S+/training/invitation/\S+/", one.body)[0] for one in mail.outbox}
    mail.outbox.clear()
    return links


def path_of(link):
    return "/" + link.split("/", 3)[3]


def answer(client, link, word):
    return client.post(path_of(link), {"answer": word}, follow=True)


def sheet(client, address, rows):
    file = BytesIO(write_xlsx(["code", "full_name", "2022-11-11 am"], rows))
    file.name = "sheet.xlsx"
    checked = client.post(f"{address}attendance/import/", {"file": file}).context
    assert checked["reading"].faults == []
    return client.post(f"{address}attendance/import/", {"checked": checked["checked"]}, follow=True)


def test_training_from_the_course_to_twenty_certificates(
    client, client_of, administrator, vocabulary, people, time_machine
):
    load_courses()
    course = Course.objects.get(code="baseline-two-days")
    desk, anybody = client_of(administrator), client
    time_machine.move_to(FIRST - timedelta(days=9))

    # Opened with twenty seats for twenty-two people, and everybody is asked.
    press(
        desk, f"/admin/training/course/{course.pk}/", "open", code="2022-11", language="ru", first_day="2022-11-10",
        seats=20, link="https://meet.example.org/dtm", people=[person.pk for person in people],
    )  # fmt: skip
    training = TrainingSession.objects.get()
    address = f"{DESK}{training.pk}/"
    press(desk, address, "invite")
    assert send_notices() == 22
    links = letters()

    # One cannot come: the first who waits gets the seat. Everybody accepts by the own link.
    answer(anybody, links["E05"], "decline")
    assert send_notices() == 1
    assert list(letters()) == ["E21"]
    came = [code for code in links if code not in ("E05", "E22")]
    for code in came:
        answer(anybody, links[code], "accept")
    assert sorted(training.enrolments.values_list("status", flat=True)) == ["accepted"] * 20 + ["declined", "waiting"]

    time_machine.move_to(FIRST - timedelta(hours=23))
    assert (remind_of_trainings(), remind_of_trainings(), send_notices()) == (20, 0, 20)

    # First morning: by the code in the room and by the own link. Then the trainer's phone, a sheet, the desk's screen.
    halves = list(training.half_days.all())
    time_machine.move_to(FIRST + timedelta(minutes=5))
    for person in people:
        if person.code in came[:10]:
            anybody.post(presence_path(halves[0]), {"code": person.code, "last_digits": person.phone[-4:]})
    for code in came[10:]:
        answer(anybody, links[code], "here")
    time_machine.move_to(FIRST + timedelta(hours=5, minutes=5))
    desk.post("/training/2022-11/attendance/", {"rest": "present"})
    time_machine.move_to(FIRST + timedelta(days=1, hours=4))
    sheet(desk, address, [[code, "", "Қ" if code > "E03" else "о: автобус"] for code in came])
    time_machine.move_to(FIRST + timedelta(days=1, hours=9))
    rows = training.enrolments.filter(status="accepted")
    desk.post(f"{address}attendance/", {f"state-{row.pk}-{halves[3].pk}": "present" for row in rows})

    counted = [Attendance.objects.filter(half_day=one).values_list("how", flat=True) for one in halves]
    assert [(len(hows), *sorted(set(hows))) for hows in counted] == [
        (20, "link"), (20, "desk"), (20, "sheet"), (20, "desk"),
    ]  # fmt: skip
    assert Attendance.objects.filter(state="late", reason="автобус").count() == 3

    # Twenty people certified for both forms; who declined and who waited are none of them.
    press(desk, address, "certify", issued_on="2022-11-11", expires_on="")
    assert set(Certificate.objects.values_list("enumerator__code", flat=True)) == set(came)
    assert len(came) == 20
    assert Certificate.objects.count() == 40
    assert set(Certificate.objects.values_list("issued_on", flat=True)) == {date(2022, 11, 11)}


@pytest.fixture
def client_of():
    """A browser of somebody who is logged in, beside the one of nobody."""

    def make(user):
        browser = Client()
        browser.force_login(user)
        return browser

    return make
