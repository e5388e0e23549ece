"""A training session on the desk: from the course to the filled sheet."""

import re
from datetime import date, timedelta
from io import BytesIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from dtm_ops.common.exports import write_xlsx
from dtm_ops.records.models import Notice
from tests.factories.training import EnumeratorFactory, TrainingSessionFactory
from training.admin.people_form import MOST_OFFERED
from training.models import AgendaBlock, Attendance, Course, Enrolment, TrainingHalfDay, TrainingSession
from training.services.attendance import record_attendance
from training.services.courses import load_courses
from training.services.enrolment import enrol, reply
from training.services.invitation_mails import invitation_address

SESSIONS = "/admin/training/trainingsession/"
COURSES = "/admin/training/course/"


@pytest.fixture
def session(db):
    """Two half-days of 10 November 2022, which are over."""
    session = TrainingSessionFactory(code="2022-11", seats=2)
    for part in ("am", "pm"):
        TrainingHalfDay.objects.create(training_session=session, day=date(2022, 11, 10), part=part)
    return session


@pytest.fixture
def people(village, other_village):
    """Two of Almaty region and one of Mangystau."""
    homes = [village, other_village, village]
    return [
        EnumeratorFactory(
            code=f"P{number}", full_name=f"Person {number}", home_unit=home, email=f"p{number}@example.org"
        )
        for number, home in enumerate(homes)
    ]


@pytest.fixture
def coming(session):
    """The same, still to come."""
    TrainingHalfDay.objects.all().delete()
    TrainingHalfDay.objects.create(training_session=session, day=date.today() + timedelta(days=9), part="am")  # noqa: DTZ011  a day far enough from midnight
    return session


def press(client, address, row, verb, **asked):
    return client.post(f"{address}{row.pk}/do/{verb}/", {"confirmed": "1", **asked}, follow=True)


def messages_of(response):
    return [re.sub(r"<[^>]*>", "", str(message)) for message in response.context["messages"]]


def recorded():
    rows = Attendance.objects.order_by("enrolment__enumerator__code", "half_day__part")
    return list(rows.values_list("enrolment__enumerator__code", "half_day__part", "state", "reason", "how"))


def upload(client, session, rows, header=("code", "full_name", "2022-11-10 am", "2022-11-10 pm")):
    file = BytesIO(write_xlsx(header, rows))
    file.name = "sheet.xlsx"
    return client.post(f"{SESSIONS}{session.pk}/attendance/import/", {"file": file})


# --- courses


def test_training_is_opened_from_a_course_with_its_people(client, coordinator, vocabulary, people):
    call_command("load_courses")
    course = Course.objects.get(code="baseline-two-days")
    client.force_login(coordinator)
    asked = {
        "code": "2023-01",
        "language": "kk",
        "first_day": "2023-01-10",
        "seats": "1",
        "people": [people[0].pk, people[2].pk],
    }

    answer = press(client, COURSES, course, "open", **asked)

    training = TrainingSession.objects.get()
    assert messages_of(answer) == ["Opened: Базалық бағалау, екі күн"]
    assert f'<a href="{SESSIONS}{training.pk}/change/">' in answer.content.decode()
    assert [(one.day, one.part) for one in training.half_days.all()] == [
        (date(2023, 1, 10), "am"), (date(2023, 1, 10), "pm"), (date(2023, 1, 11), "am"), (date(2023, 1, 11), "pm"),
    ]  # fmt: skip
    assert list(training.enrolments.values_list("enumerator__code", "status")) == [
        ("P0", "enrolled"),
        ("P2", "waiting"),
    ]


def test_training_of_a_coordinator_needs_own_people_and_a_free_code(client, coordinator, vocabulary, people):
    load_courses()
    course = Course.objects.get(code="baseline-refresher")
    TrainingSessionFactory(code="taken")
    client.force_login(coordinator)
    asked = {"code": "new", "language": "kk", "first_day": "2023-01-10"}

    without = press(client, COURSES, course, "open", **asked)
    with_stranger = press(client, COURSES, course, "open", **asked, people=[people[1].pk])
    taken = press(client, COURSES, course, "open", **{**asked, "code": "taken"}, people=[people[0].pk])

    assert without.context["form"].errors == {"people": ["This field is required."]}
    assert "people" in with_stranger.context["form"].errors
    assert taken.context["form"].non_field_errors() == ["Another training has this code."]
    assert TrainingSession.objects.count() == 1


def test_new_training_with_too_many_seats_or_too_long_a_link_is_told_at_the_field(client, administrator, vocabulary):
    load_courses()
    course = Course.objects.get(code="baseline-refresher")
    client.force_login(administrator)
    asked = {"code": "new", "language": "kk", "first_day": "2023-01-10"}

    answer = press(client, COURSES, course, "open", **asked, seats="99999", link=f"https://example.org/{'x' * 200}")

    assert set(answer.context["form"].errors) == {"seats", "link"}
    assert TrainingSession.objects.count() == 0


def test_course_that_is_not_offered_says_why_it_opens_nothing(client, administrator, vocabulary):
    course = Course.objects.create(code="old", names={"en": "Old"}, is_offered=False)
    client.force_login(administrator)

    page = client.get(f"{COURSES}{course.pk}/change/")

    assert (page.context["buttons"], page.context["obstacles"][0][1]) == ([], "the course is not offered any more")


# --- people


def test_people_are_enrolled_within_reach_and_invited_with_links(client, coordinator, coming, people):
    coming.enrolments.create(enumerator=people[0])
    people[0].email = ""
    people[0].save()
    client.force_login(coordinator)

    offered = client.get(f"{SESSIONS}{coming.pk}/do/enrol/").context["form"].fields["people"].queryset
    assert [person.code for person in offered] == ["P2"]
    enrolled = press(client, SESSIONS, coming, "enrol", people=[people[2].pk])
    invited = press(client, SESSIONS, coming, "invite")

    assert messages_of(enrolled) == ["1 person enrolled."]
    assert messages_of(invited) == [
        "1 invitation by mail. Without a mailbox, pass their links on: Person 0 (P0). People and invitations"
    ]
    assert list(Notice.objects.values_list("to", flat=True)) == ["p2@example.org"]
    page = client.get(f"{SESSIONS}{coming.pk}/people/")
    assert [(one.enrolment.enumerator.code, bool(one.notice)) for one, _link in page.context["people"]] == [
        ("P0", False), ("P2", True),
    ]  # fmt: skip
    assert page.content.decode().count("/training/invitation/") == 2


def test_people_to_enrol_are_found_in_any_script_and_stay_ticked(client, coordinator, coming, people, other_region):
    coming.enrolments.create(enumerator=EnumeratorFactory(home_unit=people[0].home_unit))
    people[2].full_name = "Айгерім Қасымова"
    people[2].save()
    client.force_login(coordinator)
    address = f"{SESSIONS}{coming.pk}/do/enrol/"

    def offered(**asked):
        page = client.post(address, {"confirmed": "1", "find": "1", **asked})
        form = page.context["form"]
        return [name for _key, name in form.fields["people"].choices], form.initial["people"], form.errors

    ticked = [str(people[0].pk)]
    assert offered(words="Kasymova Aigerim") == (["Айгерім Қасымова (P2), Zhandosov"], [], {})
    assert offered(words="Kasymova", people=ticked) == (
        ["Person 0 (P0), Zhandosov", "Айгерім Қасымова (P2), Zhandosov"], ticked, {},
    )  # fmt: skip
    assert offered(words="nobody", people=[str(people[1].pk)])[0] == []
    assert offered(region=other_region.path)[0] == []
    assert coming.enrolments.count() == 1
    assert messages_of(press(client, SESSIONS, coming, "enrol", words="Kasymova", people=ticked)) == [
        "1 person enrolled."
    ]


def test_of_a_large_roster_the_first_are_offered_at_the_same_cost(
    client, coordinator, coming, village, people, django_assert_num_queries
):
    coming.enrolments.create(enumerator=people[0])
    client.force_login(coordinator)
    address = f"{SESSIONS}{coming.pk}/do/enrol/"
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    EnumeratorFactory.create_batch(MOST_OFFERED, home_unit=village)

    with django_assert_num_queries(len(few)):
        field = client.get(address).context["form"].fields["people"]

    assert len(list(field.choices)) == MOST_OFFERED
    assert "Only the first 100 are listed" in field.help_text


def test_invite_button_says_why_it_is_grey(client, coordinator, session, coming, people):
    client.force_login(coordinator)
    enrol(session, people[:1])
    whys = []
    changes = (
        lambda: None,
        lambda: reply(Enrolment.objects.get(), accepts=True, by=coordinator),
        lambda: TrainingHalfDay.objects.update(day=date(2022, 11, 10)),
        lambda: TrainingHalfDay.objects.all().delete(),
    )
    for change in changes:
        change()
        page = client.get(f"{SESSIONS}{session.pk}/change/")
        whys += [{str(label): why for label, why in page.context["obstacles"]}.get("Invite", "")]

    assert whys == ["", "nobody is left to invite: enrol people first", "it has begun", "it has no half-days yet"]


def test_reply_told_to_the_desk_is_written_for_own_people_only(client, coordinator, session, people):
    enrol(session, people)
    own, other = session.enrolments.get(enumerator=people[0]), session.enrolments.get(enumerator=people[1])
    client.force_login(coordinator)
    address = f"{SESSIONS}{session.pk}/people/"

    told = client.post(address, {"enrolment": own.pk, "answer": "decline", "note": "By phone"}, follow=True)
    refused = client.post(address, {"enrolment": other.pk, "answer": "decline"}, follow=True)

    assert (messages_of(told), messages_of(refused)) == (
        ["Person 0 (P0): declined"],
        ["This person is not on your list any more."],
    )
    assert list(session.enrolments.values_list("status", "reply_note")) == [
        ("declined", "By phone"), ("enrolled", ""), ("waiting", ""),
    ]  # fmt: skip


def test_own_links_and_mailboxes_are_for_who_may_write(client, coordinator, manager, session, people):
    enrol(session, people[:1])
    link = invitation_address(session.enrolments.get())
    seen = {}
    for user in (coordinator, manager):
        client.force_login(user)
        text = client.get(f"{SESSIONS}{session.pk}/people/").content.decode()
        seen[user.username] = ("Person 0" in text, link in text, "p0@example.org" in text)

    assert seen == {"coordinator": (True, True, True), "manager": (True, False, False)}


def test_seats_below_those_taken_are_refused_and_more_are_filled(client, administrator, coming, people):
    enrol(coming, people)
    client.force_login(administrator)
    page = client.get(f"{SESSIONS}{coming.pk}/change/").context
    form = {name: value or "" for name, value in page["adminform"].form.initial.items()}
    inlines = {
        f"{one.formset.prefix}-{name}": value
        for one in page["inline_admin_formsets"]
        for name, value in (("TOTAL_FORMS", 0), ("INITIAL_FORMS", 0))
    }

    refused = client.post(f"{SESSIONS}{coming.pk}/change/", {**form, **inlines, "seats": 1})
    assert refused.context["adminform"].errors == {"seats": ["2 people have a seat already."]}
    client.post(f"{SESSIONS}{coming.pk}/change/", {**form, **inlines, "seats": 3})
    assert list(coming.enrolments.values_list("status", flat=True)) == ["enrolled"] * 3


# --- attendance


def test_reason_is_kept_with_late_and_absent_and_who_wrote_it(client, coordinator, session, people):
    session.seats = None
    session.save()
    enrol(session, people)
    one, _stranger, two = session.enrolments.order_by("enumerator__code")
    morning, afternoon = session.half_days.all()
    client.force_login(coordinator)
    posted = {
        f"state-{one.pk}-{morning.pk}": "late", f"reason-{one.pk}-{morning.pk}": "Bus",
        f"state-{two.pk}-{morning.pk}": "present", f"reason-{two.pk}-{morning.pk}": "None",
        f"state-{two.pk}-{afternoon.pk}": "",
    }  # fmt: skip

    for count in (2, 0):
        answer = client.post(f"{SESSIONS}{session.pk}/attendance/", posted, follow=True)
        assert messages_of(answer)[-1:] == [f"{count} entries written."]

    assert recorded() == [("P0", "am", "late", "Bus", "desk"), ("P2", "am", "present", "", "desk")]
    assert {row.recorded_by for row in Attendance.objects.all()} == {coordinator}


def test_page_does_not_overwrite_what_was_recorded_since_it_was_drawn(client, coordinator, session, people):
    enrol(session, people[:1])
    own, morning = session.enrolments.get(), session.half_days.first()
    record_attendance(morning, {own: "present"})
    client.force_login(coordinator)
    page = client.get(f"{SESSIONS}{session.pk}/attendance/")
    record_attendance(morning, {own: "absent"}, reasons={own: "Ill"})

    drawn = {"drawn_at": page.context["drawn_at"], f"state-{own.pk}-{morning.pk}": "present"}
    answer = client.post(f"{SESSIONS}{session.pk}/attendance/", drawn, follow=True)

    assert messages_of(answer) == [
        "0 entries written.",
        "Somebody else wrote these meanwhile, and they stay as they are: Person 0 (P0), 10 Nov 2022 morning (absent).",
    ]
    assert recorded() == [("P0", "am", "absent", "Ill", "desk")]


def test_half_day_to_come_is_grey_and_says_when_it_begins(client, coordinator, coming, people):
    enrol(coming, people[:1])
    cell = f"{coming.enrolments.get().pk}-{coming.half_days.get().pk}"
    client.force_login(coordinator)

    page = client.get(f"{SESSIONS}{coming.pk}/attendance/").content.decode()
    answer = client.post(f"{SESSIONS}{coming.pk}/attendance/", {f"state-{cell}": "present"}, follow=True)

    assert "attendance cannot be recorded before it" in page
    assert f"state-{cell}" not in page
    assert messages_of(answer)[0].startswith("This half-day begins at 09:00")
    assert recorded() == []


def test_filled_sheet_is_checked_first_and_comes_in_whole(client, coordinator, session, people):
    enrol(session, [people[0], people[2]])
    client.force_login(coordinator)

    checked = upload(client, session, [["P0", "Person 0", "P", "L: bus"], ["p2", "", "н", ""]])
    marks = checked.context["reading"].marks
    assert [(mark.enrolment.enumerator.code, mark.half_day.part, mark.state, mark.reason) for mark in marks] == [
        ("P0", "am", "present", ""),
        ("P0", "pm", "late", "bus"),
        ("P2", "am", "absent", ""),
    ]
    assert recorded() == []
    done = client.post(
        f"{SESSIONS}{session.pk}/attendance/import/", {"checked": checked.context["checked"]}, follow=True
    )

    assert messages_of(done) == ["3 entries written."]
    assert recorded() == [
        ("P0", "am", "present", "", "sheet"),
        ("P0", "pm", "late", "bus", "sheet"),
        ("P2", "am", "absent", "", "sheet"),
    ]
    again = client.get(f"{SESSIONS}{session.pk}/attendance/sheet.xlsx")
    rows = list(load_workbook(BytesIO(again.content)).active.iter_rows(values_only=True))
    assert rows == [
        ("code", "full_name", "2022-11-10 am", "2022-11-10 pm"),
        ("P0", "Person 0", "P", "L: bus"),
        ("P2", "Person 2", "A", None),
    ]
    file = BytesIO(again.content)
    file.name = "sheet.xlsx"
    unchanged = client.post(f"{SESSIONS}{session.pk}/attendance/import/", {"file": file}).context["reading"]
    assert (unchanged.marks, unchanged.same, unchanged.faults) == ([], 3, [])


def test_faults_of_a_sheet_are_told_all_at_once_and_nothing_is_written(client, administrator, session, people):
    enrol(session, people)
    TrainingHalfDay.objects.create(training_session=session, day=date(2099, 1, 1), part="am")
    client.force_login(administrator)
    header = ["code", "2022-11-10 am", "2022-11-10 pm", "2099-01-01 am", "grade"]
    rows = [
        ["P0", "asleep", "P", "P", ""],
        ["X9", "P", "", "", ""],
        ["P2", "P", "", "", ""],
        ["P1", "P", "", "", "5"],
        ["P1", "L", "", "", ""],
    ]

    answer = upload(client, session, rows, header)

    told = [(line, column) for line, column, _sentence in answer.context["reading"].faults]
    assert told == [
        (None, "2099-01-01 am"), (None, "grade"), (2, "2022-11-10 am"), (3, "code"), (4, "2022-11-10 am"), (6, "code"),
    ]  # fmt: skip
    assert "checked" not in answer.content.decode().partition("<form")[2].partition("file")[0]
    assert recorded() == []


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"\x00\x01\x02" * 50])
def test_file_that_is_no_sheet_is_refused_in_words(client, administrator, session, people, data):
    enrol(session, people[:1])
    client.force_login(administrator)
    file = BytesIO(data)
    file.name = "sheet.xlsx"

    answer = client.post(f"{SESSIONS}{session.pk}/attendance/import/", {"file": file})

    assert (list(answer.context["form"].errors), recorded()) == (["file"], [])


def test_checked_sheet_that_was_changed_or_belongs_to_another_is_refused(
    client, coordinator, administrator, session, people
):
    enrol(session, [people[0]])
    client.force_login(administrator)
    packed = upload(client, session, [["P0", "", "P", ""]]).context["checked"]
    address = f"{SESSIONS}{session.pk}/attendance/import/"

    changed = client.post(address, {"checked": f"x{packed}"}, follow=True)
    client.force_login(coordinator)
    of_another = client.post(address, {"checked": packed}, follow=True)

    assert (messages_of(changed), messages_of(of_another)) == (
        ["The file was checked too long ago. Choose it again."],
    ) * 2
    assert recorded() == []


def test_sheet_checked_before_somebody_else_wrote_is_refused(client, administrator, session, people):
    enrol(session, [people[0]])
    client.force_login(administrator)
    packed = upload(client, session, [["P0", "", "P", ""]]).context["checked"]
    record_attendance(session.half_days.first(), {session.enrolments.get(): "absent"})

    answer = client.post(f"{SESSIONS}{session.pk}/attendance/import/", {"checked": packed}, follow=True)

    assert messages_of(answer) == [
        "Something changed since the check: nothing was imported. Choose the file again to see what."
    ]
    assert recorded() == [("P0", "am", "absent", "", "desk")]


# --- agenda and lists


def test_agenda_is_written_and_offers_the_topics_of_all_courses(client, coordinator, vocabulary, session, people):
    load_courses()
    enrol(session, people[:1])
    morning = session.half_days.first()
    client.force_login(coordinator)
    address = f"{SESSIONS}{session.pk}/agenda/"

    page = client.get(address)
    posted = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 0, "form-0-half_day": morning.pk, "form-0-order": 1,
              "form-0-minutes": 60, "form-0-topic": "Method", "form-0-speaker": "Trainer",
              "form-1-half_day": morning.pk, "form-1-order": 0, "form-1-topic": ""}  # fmt: skip
    client.post(address, posted)

    assert "Принцип «не навреди»" in page.context["topics"]
    assert list(AgendaBlock.objects.values_list("half_day", "order", "minutes", "topic", "speaker")) == [
        (morning.pk, 1, 60, "Method", "Trainer")
    ]


def test_trainings_are_filtered_by_when_course_language_and_region(client, administrator, session, people, vocabulary):
    load_courses()
    course = Course.objects.get(code="baseline-refresher")
    later = TrainingSessionFactory(code="later", language="kk", course=course)
    TrainingHalfDay.objects.create(training_session=later, day=date(2099, 1, 1), part="am")
    enrol(session, people[:1])
    enrol(later, people[1:2])
    client.force_login(administrator)

    def listed(**asked):
        return [row.code for row in client.get(SESSIONS, asked).context["cl"].result_list]

    assert (listed(when="over"), listed(when="coming"), listed(when="now")) == (["2022-11"], ["later"], [])
    assert (listed(course__id__exact=course.pk), listed(language__exact="kk")) == (["later"], ["later"])
    assert listed(region=people[0].home_unit.parent.parent.path) == ["2022-11"]
    row = client.get(SESSIONS, {"when": "over"}).context["cl"].result_list[0]
    assert (row.seated_people, row.accepted_people, row.waiting_people, row.certified_people) == (1, 0, 0, 0)


@pytest.mark.parametrize("page", [SESSIONS, COURSES, "/admin/records/notice/"])
def test_lists_cost_the_same_with_one_row_and_three(
    client, administrator, vocabulary, people, page, django_assert_max_num_queries
):
    def add(number):
        course = Course.objects.create(code=f"course-{number}", names={"en": "Course"})
        session = TrainingSessionFactory(course=course)
        TrainingHalfDay.objects.create(training_session=session, day=date(2022, 11, 10), part="am")
        enrol(session, people)
        Notice.objects.create(key=str(number), to="a@example.org", subject="Subject", body="Text")

    client.force_login(administrator)
    add(0)
    client.get(page)
    with django_assert_max_num_queries(30) as one:
        client.get(page)
    add(1)
    add(2)
    with django_assert_max_num_queries(30) as three:
        client.get(page)

    assert len(one) == len(three)


@pytest.mark.parametrize("page", ["attendance", "people", "attendance/import", "agenda"])
def test_pages_of_a_training_cost_the_same_with_one_person_and_three(
    client, administrator, session, village, page, django_assert_max_num_queries
):
    session.seats = None
    session.save()
    client.force_login(administrator)
    address = f"{SESSIONS}{session.pk}/{page}/"
    counts = []
    for number in (1, 2):
        for _unused in range(number):
            enrol(session, [EnumeratorFactory(home_unit=village)])
        client.get(address)
        with django_assert_max_num_queries(30) as queries:
            client.get(address)
        counts.append(len(queries))

    assert counts[0] == counts[1]
