"""The trainer's list on a phone, and the page behind the code in the room."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.models import Attendance, TrainingHalfDay
from training.selectors.attendance import attendance_sheet, paper_sheet
from training.services.enrolment import enrol, reply
from training.services.presence_links import WRONG_FOR_A_CODE, presence_path

pytestmark = pytest.mark.django_db

BEGINS = datetime(2022, 11, 10, 3, tzinfo=UTC)  # 9:00 in Almaty, until 13:00
DURING, AFTER = BEGINS + timedelta(minutes=5), BEGINS + timedelta(hours=4, minutes=1)


@pytest.fixture
def training():
    training = TrainingSessionFactory(code="2022-11")
    for part in ("am", "pm"):
        TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, 10), part=part)
    return training


@pytest.fixture
def morning(training):
    return training.half_days.first()


@pytest.fixture
def people(training, village, other_village):
    """Two of Almaty region and one of Mangystau; all with a seat."""
    homes = [village, other_village, village]
    people = [
        EnumeratorFactory(code=f"P{number}", full_name=f"Person {number}", home_unit=home, phone=f"+7701000000{number}")
        for number, home in enumerate(homes)
    ]
    enrol(training, people)
    return people


ADDRESS = "/training/2022-11/attendance/"


def recorded():
    rows = Attendance.objects.order_by("enrolment__enumerator__code")
    return list(rows.values_list("enrolment__enumerator__code", "half_day__part", "state", "reason", "how"))


def mark(client, training, person, state, **more):
    enrolment = training.enrolments.get(enumerator=person)
    return client.post(ADDRESS, {"enrolment": enrolment.pk, "state": state, **more}, follow=True)


def told(response):
    return [str(message) for message in response.context["messages"]]


# --- the trainer


def test_trainer_marks_people_of_the_half_day_that_goes_on(client, coordinator, training, people, time_machine):
    time_machine.move_to(DURING)
    client.force_login(coordinator)

    mark(client, training, people[0], "late")
    mark(client, training, people[0], "late", reason="Bus")
    answer = mark(client, training, people[2], "present")

    assert recorded() == [("P0", "am", "late", "Bus", "desk"), ("P2", "am", "present", "", "desk")]
    assert answer.context["counts"] == [("present", "present", 1), ("late", "late", 1), ("absent", "absent", 0)]
    assert [enrolment.enumerator.code for enrolment, _row in answer.context["rows"]] == ["P0", "P2"]
    assert answer.redirect_chain[0][0].endswith(f"#p{training.enrolments.get(enumerator=people[2]).pk}")
    assert {row.recorded_by for row in Attendance.objects.all()} == {coordinator}


def test_everybody_left_is_present_with_one_button(client, coordinator, training, people, time_machine):
    time_machine.move_to(DURING)
    client.force_login(coordinator)
    mark(client, training, people[0], "absent")

    answer = client.post(ADDRESS, {"rest": "present"}, follow=True)

    assert told(answer) == ["1 person recorded as present."]
    assert [row[:3] for row in recorded()] == [("P0", "am", "absent"), ("P2", "am", "present")]


def test_list_opens_at_the_half_day_that_fits_the_hour(client, coordinator, training, people, time_machine):
    client.force_login(coordinator)
    shown = []
    for moment in (
        BEGINS - timedelta(days=3),
        DURING,
        AFTER,
        BEGINS + timedelta(hours=4, minutes=50),
        BEGINS + timedelta(days=9),
    ):
        time_machine.move_to(moment)
        shown.append(client.get(ADDRESS).context["half_day"].part)

    assert shown == ["am", "am", "am", "pm", "pm"]


def test_half_day_to_come_is_grey_and_refused(client, coordinator, training, people, time_machine):
    time_machine.move_to(BEGINS - timedelta(hours=2))
    client.force_login(coordinator)

    page = client.get(ADDRESS)
    answer = mark(client, training, people[0], "present")

    assert page.content.decode().count(" disabled>") == 6
    assert page.context["not_begun"].startswith("This half-day begins at 09:00")
    assert (told(answer), recorded()) == ([page.context["not_begun"]], [])


def test_person_out_of_reach_without_a_seat_or_made_up_is_not_marked(
    client, coordinator, training, people, time_machine
):
    reply(training.enrolments.get(enumerator=people[2]), accepts=False, by=coordinator)
    time_machine.move_to(DURING)
    client.force_login(coordinator)

    out_of_reach = mark(client, training, people[1], "present")
    declined = mark(client, training, people[2], "present")
    made_up = client.post(ADDRESS, {"enrolment": "x", "state": "present"}, follow=True)
    asleep = mark(client, training, people[0], "asleep")

    gone = "This person is not on your list any more."
    assert [told(one) for one in (out_of_reach, made_up)] == [[gone], [gone]]
    assert "has no seat (declined)" in told(declined)[0]
    assert (told(asleep), recorded()) == (["“asleep” is no attendance."], [])


@pytest.mark.parametrize("role", ["manager", "stranger", "enumerator"])
def test_page_is_not_there_for_who_runs_no_training(request, client, training, people, role):
    person = request.getfixturevalue(role)
    client.force_login(getattr(person, "user", person))

    assert [client.get(ADDRESS).status_code, client.post(ADDRESS, {"rest": "present"}).status_code] == [404, 404]
    assert recorded() == []


def test_training_without_own_people_is_not_there(client, other_coordinator, training, people):
    training.enrolments.filter(enumerator=people[1]).delete()
    client.force_login(other_coordinator)

    assert [client.get(page).status_code for page in (ADDRESS, "/training/2022-11/sheet.pdf")] == [404, 404]


def test_code_is_on_the_screen_while_the_half_day_goes_on(client, coordinator, training, morning, people, time_machine):
    client.force_login(coordinator)
    seen = []
    for moment in (BEGINS - timedelta(minutes=16), DURING, AFTER):
        time_machine.move_to(moment)
        page = client.get(f"{ADDRESS}?half_day={morning.pk}")
        seen.append('class="qr"' in page.content.decode())

    assert seen == [False, True, False]


def test_sheet_to_print_has_a_row_a_person_and_a_column_a_half_day(client, coordinator, training, people):
    client.force_login(coordinator)

    answer = client.get("/training/2022-11/sheet.pdf")
    data = paper_sheet(attendance_sheet(training, coordinator))

    assert (answer.headers["Content-Type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
    assert [(one["code"], one["name"]) for one in data["people"]] == [("P0", "Person 0"), ("P2", "Person 2")]
    assert data["half_days"] == ["10 Nov 2022 morning", "10 Nov 2022 afternoon"]


def test_list_costs_the_same_with_one_person_and_three(
    client, administrator, training, village, time_machine, django_assert_max_num_queries
):
    time_machine.move_to(DURING)
    client.force_login(administrator)
    counts = []
    for number in (1, 2):
        enrol(training, [EnumeratorFactory(home_unit=village) for _unused in range(number)])
        client.post(ADDRESS, {"rest": "present"})
        client.get(ADDRESS)
        with django_assert_max_num_queries(25) as queries:
            client.get(ADDRESS)
        counts.append(len(queries))

    assert counts[0] == counts[1]


# --- behind the code


def here(client, morning, **data):
    return client.post(presence_path(morning), data)


def test_enumerator_who_is_logged_in_confirms_with_one_tap(client, enumerator, training, morning, time_machine):
    enrol(training, [enumerator])
    time_machine.move_to(DURING)
    client.force_login(enumerator.user)

    page = client.get(presence_path(morning))
    answer = here(client, morning)

    assert (page.context["form"], answer.context["recorded"].state) == (None, "present")
    assert recorded() == [("E01", "am", "present", "", "link")]


def test_others_say_code_and_phone_and_come_late_after_a_quarter_of_an_hour(
    client, training, morning, people, time_machine
):
    time_machine.move_to(BEGINS + timedelta(minutes=16))

    answer = here(client, morning, code="p1", last_digits="0001")

    assert answer.context["recorded"].state == "late"
    assert recorded() == [("P1", "am", "late", "", "link")]


def test_wrong_answer_says_not_what_was_wrong_and_guessing_ends(client, training, morning, people, time_machine):
    time_machine.move_to(DURING)
    unknown = here(client, morning, code="X9", last_digits="0001").context["refusal"]

    refusals = [
        here(client, morning, code="P1", last_digits="9999").context["refusal"] for _try in range(WRONG_FOR_A_CODE)
    ]
    last = here(client, morning, code="P1", last_digits="0001")

    assert set(refusals) == {unknown}
    assert last.context["refusal"].startswith("Too many wrong answers.")
    assert recorded() == []


def test_fault_in_what_was_typed_is_told_at_the_field(client, training, morning, people, time_machine):
    time_machine.move_to(DURING)

    answer = here(client, morning, code="P1", last_digits="12")

    assert answer.context["form"].errors == {"last_digits": ["Four digits, e.g. 4567."]}
    assert b'value="P1"' in answer.content


@pytest.mark.parametrize(
    ("moment", "words"), [(BEGINS - timedelta(minutes=16), "begins at 09:00"), (AFTER, "This half-day is over.")]
)
def test_page_is_closed_before_and_after_the_half_day(client, training, morning, people, time_machine, moment, words):
    time_machine.move_to(moment)

    answer = here(client, morning, code="P1", last_digits="0001")

    assert words in answer.context["closed"]
    assert (b'<form method="post" novalidate' in answer.content, recorded()) == (False, [])


def test_made_up_link_is_not_found(client, training, morning):
    assert client.get(f"/training/here/{morning.pk}/").status_code == 404
