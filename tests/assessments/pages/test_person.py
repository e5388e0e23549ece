"""A person's page: everything that happened, newest first, for the desk in reach and for the person."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from assessments.services.review import return_submission
from dtm_ops.records.models import Receipt
from tests.factories.training import CertificateFactory, EnumeratorFactory, TeamFactory
from tests.world import make_world
from training.models import Enumerator, TestAttempt
from training.services.absences import note_absence
from training.services.certification import revoke_certificate
from training.services.corrective import cancel_task, raise_task
from training.services.merging import note_two_people
from training.services.roster import change_enumerator_status
from training.services.teams import join_team

PAGE = "/people/E01/"


@pytest.fixture
def world(village, enumerator, sub_area):
    return make_world(village, enumerator, kind=sub_area)


@pytest.fixture
def lived(world, enumerator, region, coordinator):
    """Something of every kind."""
    Enumerator.objects.filter(pk=enumerator.pk).update(phone="+77010000001", organisation="Demo centre")
    return_submission(world.submission, reviewer=coordinator, reason="place", text="Another village")
    TestAttempt.objects.create(
        enumerator=enumerator, training_session=world.training_session, part="theory", points=85, pass_mark=70,
        taken_on=date(2022, 11, 10),
    )  # fmt: skip
    revoke_certificate(world.certificate, on=date(2023, 3, 1), reason="Learn again", by=coordinator)
    task = raise_task(enumerator, what="Repeats", reason="Empty", due_on=timezone.localdate(), by=coordinator)
    cancel_task(task, by=coordinator, reason="Done elsewhere")
    note_absence(enumerator, first_day=date(2023, 4, 1), last_day=date(2023, 4, 5), note="Family")
    join_team(TeamFactory(name="Team A", unit=region), enumerator, valid_from=date(2023, 1, 1), is_lead=True)
    change_enumerator_status(enumerator, "inactive", by=coordinator, reason="Ill")
    return enumerator


def told(response):
    return [(event.kind.value, event.title) for event, _address in response.context["events"]]


def test_timeline_tells_everything_newest_first(client, coordinator, lived, world):
    client.force_login(coordinator)

    page = client.get(PAGE)

    events = [event for event, _address in page.context["events"]]
    assert [event.at for event in events] == sorted((event.at for event in events), reverse=True)
    assert sorted(told(page)) == sorted(
        [
            ("status", "Status: active → temporarily inactive"),
            ("task", "Corrective task: Repeats"),
            ("task", "Corrective task cancelled: Repeats"),
            ("form", f"Form {world.submission.kobo_id}, Zhandosov returned"),
            ("form", f"Form {world.submission.kobo_id}, Zhandosov sent"),
            ("absence", "Absent: leave"),
            ("team", "Leads Team A"),
            ("fieldwork", f"Focus group {world.focus_group}"),
            ("certificate", "Certificate for Baseline sub-area (village) 1 given"),
            ("certificate", "Certificate for Baseline sub-area (village) 1 revoked"),
            ("certificate", "Certificate for Baseline sub-area (village) 1 given"),
            ("certificate", "Certificate for Baseline area (district) 1 given"),
            ("test", "Test, theory, attempt 1: passed"),
            ("training", "Training “Two-day training”"),
        ]
    )
    shown = page.content.decode()
    for words in ("+77010000001", "Demo centre", "Ill", "Team A", "Another village", "85 of 100, pass mark 70 %"):
        assert words in shown


@pytest.mark.parametrize(
    ("kind", "count"), [("task", 2), ("form", 2), ("certificate", 4), ("status", 1), ("absence", 1)]
)
def test_timeline_is_narrowed_by_kind(client, coordinator, lived, kind, count):
    client.force_login(coordinator)

    page = client.get(f"{PAGE}?kind={kind}")

    assert ({one for one, _title in told(page)}, page.context["page"].paginator.count) == ({kind}, count)
    assert client.get(f"{PAGE}?kind=nonsense").status_code == 404


def test_page_is_for_the_desk_in_reach_and_for_the_person(
    client, lived, coordinator, other_coordinator, manager, administrator, stranger
):
    codes, phones = {}, {}
    for user in (coordinator, other_coordinator, manager, administrator, stranger, lived.user):
        client.force_login(user)
        answer = client.get(PAGE)
        codes[user.username] = answer.status_code
        phones[user.username] = "+77010000001" in answer.content.decode()

    assert codes == {
        "coordinator": 200, "other_coordinator": 404, "manager": 200, "administrator": 200, "stranger": 404,
        "enumerator": 200,
    }  # fmt: skip
    # As in the API: contacts for who may change the person's entry, and for the person.
    assert phones == {
        "coordinator": True, "other_coordinator": False, "manager": False, "administrator": True, "stranger": False,
        "enumerator": True,
    }  # fmt: skip


def test_expired_certificate_is_told_once_it_is_over(client, coordinator, enumerator, area):
    CertificateFactory(enumerator=enumerator, form_kind=area, expires_on=timezone.localdate() - timedelta(days=1))
    CertificateFactory(enumerator=enumerator, form_kind=area, expires_on=timezone.localdate())
    client.force_login(coordinator)

    page = client.get(f"{PAGE}?kind=certificate")

    assert [title for _kind, title in told(page)].count("Certificate for Baseline area (district) 1 expired") == 1


def test_rows_that_stayed_with_a_merged_entry_are_told(client, coordinator, enumerator, village):
    drop = EnumeratorFactory(home_unit=village, status="left", merged_into=enumerator)
    note_absence(drop, first_day=date(2023, 4, 1), last_day=date(2023, 4, 5))
    client.force_login(coordinator)

    assert told(client.get(f"{PAGE}?kind=absence")) == [("absence", "Absent: leave")]


def test_page_takes_the_same_number_of_queries_with_three_of_each(
    client, coordinator, lived, village, sub_area, django_assert_num_queries, django_assert_max_num_queries
):
    client.force_login(coordinator)
    client.get(PAGE)
    with django_assert_max_num_queries(40) as first:
        client.get(PAGE)
    for _number in range(2):
        task = raise_task(lived, what="More", reason="Empty", due_on=timezone.localdate(), by=coordinator)
        cancel_task(task, by=coordinator, reason="Done")
        CertificateFactory(enumerator=lived, form_kind=sub_area)
    note_absence(lived, first_day=date(2023, 5, 1), last_day=date(2023, 5, 5))

    with django_assert_num_queries(len(first)):
        client.get(PAGE)


def test_long_timeline_is_paged(client, coordinator, enumerator):
    for number in range(31):
        note_absence(
            enumerator,
            first_day=date(2020, 1, 1) + timedelta(days=number),
            last_day=date(2020, 1, 1) + timedelta(days=number),
        )
    client.force_login(coordinator)

    pages = [client.get(f"{PAGE}?kind=absence&page={number}") for number in (1, 2)]

    assert [len(told(page)) for page in pages] == [30, 1]
    assert "kind=absence&amp;page=1" in pages[1].content.decode()


def test_receipt_of_another_person_is_not_found(client, coordinator, enumerator, village):
    other = EnumeratorFactory(home_unit=village)
    receipt = Receipt.objects.create(kind="leave", title="Left", subject_id=other.pk)
    client.force_login(coordinator)

    assert client.get(f"/people/E01/receipts/{receipt.pk}/").status_code == 404


def test_that_two_entries_are_two_people_is_not_told_to_one_of_them(client, administrator, enumerator, other_village):
    note_two_people(enumerator, EnumeratorFactory(full_name="Unknown Neighbour", home_unit=other_village),
                    by=administrator)  # fmt: skip
    client.force_login(enumerator.user)

    page, receipt = client.get(PAGE), client.get(f"{PAGE}receipts/{Receipt.objects.get().pk}/")

    assert ("Unknown Neighbour" in page.content.decode(), receipt.status_code) == (False, 404)


def test_own_page_leads_to_what_is_on_record(client, enumerator):
    client.force_login(enumerator.user)

    assert 'href="/people/E01/"' in client.get("/my/").content.decode()
    assert client.get(PAGE).status_code == 200
