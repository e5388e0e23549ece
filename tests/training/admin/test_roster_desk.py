"""People, training sessions and certificates on the desk."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from dtm_ops.records.models import StatusChange
from locations.models import AdminUnit
from locations.services.unit_writes import UnitWriting
from tests.factories.training import CertificateFactory, EnumeratorFactory, TeamFactory, TrainingSessionFactory
from training.models import (
    Attendance,
    Certificate,
    Enrolment,
    Enumerator,
    Team,
    TrainedForm,
    TrainingHalfDay,
    TrainingSession,
)
from training.selectors import why_not_certified

PEOPLE = "/admin/training/enumerator/"
TEAMS = "/admin/training/team/"
SESSIONS = "/admin/training/trainingsession/"
CERTIFICATES = "/admin/training/certificate/"


@pytest.fixture
def session(db, sub_area, area):
    """Two half-days, two forms."""
    session = TrainingSessionFactory(code="2022-11")
    for part in ("am", "pm"):
        TrainingHalfDay.objects.create(training_session=session, day=date(2022, 11, 10), part=part)
    for kind in (area, sub_area):
        TrainedForm.objects.create(training_session=session, form_kind=kind)
    return session


@pytest.fixture
def enrolled(session, village, other_village):
    """Two people of Almaty region and one of Mangystau."""
    homes = [village, village, other_village]
    people = [
        EnumeratorFactory(code=f"P{number}", full_name=f"Person {number}", home_unit=home)
        for number, home in enumerate(homes)
    ]
    return [Enrolment.objects.create(training_session=session, enumerator=person) for person in people]


def press(client, address, row, verb, **asked):
    return client.post(f"{address}{row.pk}/do/{verb}/", {"confirmed": "1", **asked}, follow=True)


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def changes():
    return list(StatusChange.objects.values_list("old", "new", "text"))


def sheet(session, states):
    """What the attendance page posts: ``{enrolment: (morning, afternoon)}``."""
    days = list(session.half_days.all())
    return {
        f"state-{one.pk}-{day.pk}": state for one, row in states.items() for day, state in zip(days, row, strict=True)
    }


def recorded():
    return sorted(Attendance.objects.values_list("enrolment__enumerator__code", "half_day__part", "state"))


def posted(person, **changed):
    blank = {"email": "", "organisation": "", "contract_from": "", "contract_to": "", "kobo_username": ""}
    inlines = ("certificates", "memberships", "absences", "identities")
    inline = {f"{name}-{count}_FORMS": 0 for name in inlines for count in ("TOTAL", "INITIAL")}
    known = {"code": person.code, "full_name": person.full_name, "sex": "female", "languages": "kk,ru"}
    return {**blank, **inline, **known, "home_unit": person.home_unit_id, "phone": "", **changed}


def test_person_is_set_aside_let_go_and_taken_back_with_a_reason(client, coordinator, enumerator):
    client.force_login(coordinator)

    today = timezone.localdate()
    press(client, PEOPLE, enumerator, "set_aside", reason="On leave", since=today)
    press(client, PEOPLE, enumerator, "leave", step="go", reason="Moved away", on=today)
    press(client, PEOPLE, enumerator, "take_back", reason="Came back", since=today)

    assert changes() == [
        ("active", "inactive", "On leave"),
        ("inactive", "left", "Moved away"),
        ("left", "active", "Came back"),
    ]


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("other_coordinator", 404), ("stranger", 302)])
def test_wrong_person_changes_nobody(request, client, enumerator, role, status):
    client.force_login(request.getfixturevalue(role))

    answers = [
        client.post(f"{PEOPLE}{enumerator.pk}/do/set_aside/", {"confirmed": "1", "reason": "No"}),
        client.post(f"{PEOPLE}{enumerator.pk}/change/", posted(enumerator, full_name="Renamed")),
    ]

    enumerator.refresh_from_db()
    assert [answer.status_code for answer in answers] == [status, status]
    assert (enumerator.status, enumerator.full_name, changes()) == ("active", "Aigerim Demo", [])


def test_bulk_action_names_those_who_cannot_take_the_step(client, coordinator, enumerator, village):
    gone = EnumeratorFactory(home_unit=village, status="left")
    client.force_login(coordinator)
    chosen = {"action": "set_aside", "_selected_action": [enumerator.pk, gone.pk]}

    preview = client.post(PEOPLE, chosen)
    assert (preview.context["possible"], preview.context["obstacles"]) == (1, [("not possible while it is “left”", 1)])

    response = client.post(
        PEOPLE, {**chosen, "confirmed": "1", "reason": "On leave", "since": timezone.localdate()}, follow=True
    )
    assert messages_of(response) == ["Set aside: done for 1 of 2. Skipped: 1 – not possible while it is “left”."]
    assert changes() == [("active", "inactive", "On leave")]


def test_phone_is_kept_as_e164_and_status_is_not_typed(client, coordinator, enumerator):
    client.force_login(coordinator)

    client.post(f"{PEOPLE}{enumerator.pk}/change/", posted(enumerator, phone="8 (701) 123-45-67", status="left"))

    enumerator.refresh_from_db()
    assert (enumerator.phone, enumerator.status, enumerator.languages) == ("+77011234567", "active", ["kk", "ru"])


def test_wrong_phone_and_home_out_of_reach_are_told_at_the_field(client, coordinator, enumerator, other_village):
    client.force_login(coordinator)

    answer = client.post(f"{PEOPLE}{enumerator.pk}/change/", posted(enumerator, phone="12", home_unit=other_village.pk))

    assert answer.context["adminform"].errors == {
        "phone": ["“12” is not a phone number."],
        "home_unit": ["Select a valid choice. That choice is not one of the available choices."],
    }


def test_login_of_a_person_is_for_administrators(client, coordinator, administrator, enumerator, manager):
    address = f"{PEOPLE}{enumerator.pk}/change/"
    own = enumerator.user

    client.force_login(coordinator)
    client.post(address, posted(enumerator, user=manager.pk))
    assert Enumerator.objects.get().user == own

    client.force_login(administrator)
    client.post(address, posted(enumerator, user=manager.pk))
    assert Enumerator.objects.get().user == manager


def test_roster_is_filtered_by_language_region_and_status_and_shows_certificates_of_today(
    client, administrator, enumerator, other_village
):
    EnumeratorFactory(code="M1", home_unit=other_village, languages=["uz"], status="left")
    CertificateFactory(
        enumerator=enumerator, form_kind__code="survey", revoked_on=date(2022, 12, 1), revocation_reason="x"
    )
    client.force_login(administrator)

    def listed(**asked):
        return [row.code for row in client.get(PEOPLE, asked).context["cl"].result_list]

    assert listed(language="uz") == ["M1"]
    assert listed(region=enumerator.home_unit.parent.parent.path) == ["E01"]
    assert listed(status__exact="left") == ["M1"]
    assert listed(q="aigerim") == ["E01"]
    body = client.get(PEOPLE, {"q": "E01"}).content.decode()
    assert "Baseline area (district) 1, Baseline sub-area (village) 1</td>" in body
    assert "Almaty region</td>" in body


def test_attendance_sheet_is_written_for_own_people_only(client, coordinator, session, enrolled):
    client.force_login(coordinator)
    states = dict.fromkeys(enrolled, ("present", "late"))

    response = client.post(f"{SESSIONS}{session.pk}/attendance/", sheet(session, states), follow=True)

    assert messages_of(response) == ["4 entries written."]
    assert recorded() == [("P0", "am", "present"), ("P0", "pm", "late"), ("P1", "am", "present"), ("P1", "pm", "late")]
    assert [person.code for person, _cells in response.context["rows"]] == ["P0", "P1"]


def test_blank_cell_stays_not_recorded_and_an_unknown_state_writes_nothing(client, administrator, session, enrolled):
    client.force_login(administrator)
    address = f"{SESSIONS}{session.pk}/attendance/"

    client.post(address, sheet(session, {enrolled[0]: ("present", "")}))
    assert recorded() == [("P0", "am", "present")]

    response = client.post(address, sheet(session, {enrolled[0]: ("absent", "asleep")}), follow=True)
    assert messages_of(response)[-1] == "“asleep” is no attendance."
    assert recorded() == [("P0", "am", "present")]


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("stranger", 302)])
def test_attendance_is_not_written_by_the_wrong_person(request, client, session, enrolled, role, status):
    client.force_login(request.getfixturevalue(role))

    answer = client.post(f"{SESSIONS}{session.pk}/attendance/", sheet(session, {enrolled[0]: ("present", "present")}))

    assert (answer.status_code, recorded()) == (status, [])


def test_training_without_own_people_is_not_there(client, other_coordinator, session, enrolled):
    enrolled[2].delete()
    client.force_login(other_coordinator)

    for page in ("change", "attendance", "do/certify"):
        assert client.get(f"{SESSIONS}{session.pk}/{page}/").status_code == 404


def test_certificates_are_given_in_numbers_and_who_missed_what_is_named(client, coordinator, session, enrolled):
    client.force_login(coordinator)
    client.post(
        f"{SESSIONS}{session.pk}/attendance/",
        sheet(session, {enrolled[0]: ("present", "late"), enrolled[1]: ("present", "absent")}),
    )

    response = press(client, SESSIONS, session, "certify", issued_on="2022-11-11", expires_on="")

    assert messages_of(response)[-1] == (
        "Baseline area (district) 1: 1 certificate; Baseline sub-area (village) 1: 1 certificate. "
        "Without a certificate: Person 1 (P1) – missed, or not recorded: 10 Nov 2022 afternoon; "
        "outside your area: 1."
    )
    assert {one.enumerator.code for one in Certificate.objects.all()} == {"P0"}
    assert [person.code for person in why_not_certified(session)] == ["P1", "P2"]


def test_certificates_before_the_end_of_the_training_are_refused_on_the_page(client, coordinator, session, enrolled):
    client.force_login(coordinator)

    early = press(client, SESSIONS, session, "certify", issued_on="2022-11-09", expires_on="")
    backwards = press(client, SESSIONS, session, "certify", issued_on="2022-11-11", expires_on="2022-11-10")

    assert early.context["form"].non_field_errors() == ["The training is not over on that day."]
    assert backwards.context["form"].errors == {"expires_on": ["The certificate expires before it is issued."]}
    assert Certificate.objects.count() == 0


def test_new_training_of_a_coordinator_needs_an_own_person(client, coordinator, village, sub_area):
    person = EnumeratorFactory(home_unit=village)
    client.force_login(coordinator)
    form = {"code": "t1", "title": "Two days", "venue": "", "link": "", "language": "kk", "trainer": ""}
    empty = {
        f"{one}-{count}": 0
        for one in ("half_days", "trained_forms", "enrolments")
        for count in ("TOTAL_FORMS", "INITIAL_FORMS")
    }

    assert client.post(f"{SESSIONS}add/", {**form, **empty}).status_code == 200
    assert TrainingSession.objects.count() == 0

    client.post(f"{SESSIONS}add/", {**form, **empty, "enrolments-TOTAL_FORMS": 1, "enrolments-0-enumerator": person.pk})
    assert client.get(f"{SESSIONS}{TrainingSession.objects.get().pk}/change/").status_code == 200


def test_certificate_is_revoked_once_and_with_a_reason(client, coordinator, enumerator):
    certificate = enumerator.certificates.first()
    client.force_login(coordinator)

    press(client, CERTIFICATES, certificate, "revoke", on="2022-12-01", reason="Forms were invented")
    again = client.get(f"{CERTIFICATES}{certificate.pk}/change/")

    certificate.refresh_from_db()
    assert (certificate.revoked_on, certificate.revocation_reason) == (date(2022, 12, 1), "Forms were invented")
    assert (again.context["buttons"], again.context["obstacles"][0][1]) == ([], "it is revoked already")


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("other_coordinator", 404)])
def test_certificate_is_not_revoked_by_the_wrong_person(request, client, enumerator, role, status):
    certificate = enumerator.certificates.first()
    client.force_login(request.getfixturevalue(role))

    answer = press(client, CERTIFICATES, certificate, "revoke", on="2022-12-01", reason="No")

    certificate.refresh_from_db()
    assert (answer.status_code, certificate.revoked_on) == (status, None)


def test_people_and_teams_at_a_place_that_moved_are_listed_and_go_on_with_it(
    client, administrator, enumerator, village, other_district
):
    other = EnumeratorFactory(code="E02", home_unit=other_district)
    team = TeamFactory(unit=village)
    UnitWriting().move(village, other_district, on=timezone.localdate())
    newer = AdminUnit.objects.get(predecessors=village)
    client.force_login(administrator)

    listed = [row.code for row in client.get(PEOPLE, {"place": "closed"}).context["cl"].result_list]
    teams = [row.pk for row in client.get(TEAMS, {"place": "closed"}).context["cl"].result_list]
    said = [*messages_of(press(client, PEOPLE, enumerator, "follow_place"))]
    stayed = messages_of(press(client, PEOPLE, other, "follow_place"))
    press(client, TEAMS, team, "follow_place")

    assert (listed, teams) == (["E01"], [team.pk])
    assert said == ["Aigerim Demo (E01): Zhandosov (Beyneu)."]
    assert "“Beyneu” is in force" in stayed[0]
    assert sorted(Enumerator.objects.values_list("code", "home_unit")) == [
        ("E01", newer.pk),
        ("E02", other_district.pk),
    ]
    assert Team.objects.get().unit == newer
    assert client.get(PEOPLE, {"place": "closed"}).context["cl"].result_count == 0


def test_home_that_closed_for_good_is_chosen_by_hand(client, administrator, enumerator, village):
    AdminUnit.objects.filter(pk=village.pk).update(valid_to=date(2024, 1, 1))
    client.force_login(administrator)

    answer = press(client, PEOPLE, enumerator, "follow_place")

    assert "“Zhandosov” has no one successor: choose the place by hand." in messages_of(answer)[0]
    assert Enumerator.objects.get().home_unit == village


def test_certificates_of_a_training_to_come_are_greyed_with_the_reason(client, coordinator, enumerator):
    session = TrainingSessionFactory()
    Enrolment.objects.create(training_session=session, enumerator=enumerator)
    TrainingHalfDay.objects.create(training_session=session, day=timezone.localdate() + timedelta(days=7), part="am")
    client.force_login(coordinator)

    page = client.get(f"{SESSIONS}{session.pk}/change/")

    assert ("Give certificates", "it is not over yet") in [
        (str(label), why) for label, why in page.context["obstacles"]
    ]


def test_languages_are_offered_by_name_and_only_those_within_reach(client, coordinator, other_district, enumerator):
    EnumeratorFactory(home_unit=other_district, languages=["uz"])
    client.force_login(coordinator)

    found = client.get(PEOPLE).context["cl"].filter_specs

    languages = next(one for one in found if one.title == "language")
    assert languages.lookup_choices == [("kk", "Қазақша"), ("ru", "Русский")]
