"""Test results on the desk: the score sheet of a training, and correcting what was typed wrongly."""

from datetime import date
from decimal import Decimal

import pytest

from tests.factories.training import CheckFactory, EnumeratorFactory, TrainingSessionFactory
from training.models import Enrolment, TestAttempt, TrainingHalfDay
from training.services.attempts import record_attempt

ATTEMPTS = "/admin/training/testattempt/"
DAY = date(2022, 11, 11)


@pytest.fixture
def training(db):
    training = TrainingSessionFactory(theory_pass_mark=70, practical_pass_mark=60, trainer="Demo Trainer")
    for day in (10, 11):
        TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, day), part="am")
    return training


@pytest.fixture
def seats(training, village, other_village):
    """Two people of Almaty region, one of Mangystau, and one who waits."""
    homes = [village, village, other_village, village]
    statuses = ["accepted", "invited", "enrolled", "waiting"]
    return [
        Enrolment.objects.create(
            training_session=training,
            enumerator=EnumeratorFactory(code=f"P{place}", full_name=f"Person {place}", home_unit=home),
            status=status,
        )
        for place, (home, status) in enumerate(zip(homes, statuses, strict=True))
    ]


@pytest.fixture
def address(training):
    return f"/admin/training/trainingsession/{training.pk}/scores/"


def sheet(cells, **shared):
    """``{enrolment: (theory, practical)}`` as the page posts it."""
    head = {"taken_on": "2022-11-11", "examiner": "Ann", "out_of_theory": "50", "out_of_practical": "100"}
    posted = head | shared
    for seat, typed in cells.items():
        for part, text in zip(("theory", "practical"), typed, strict=True):
            posted |= {f"points-{seat.pk}-{part}": text, f"points-{seat.pk}-{part}-number": "1"}
    return posted


def recorded():
    return sorted(TestAttempt.objects.values_list("enumerator__code", "part", "number", "points", "out_of", "passed"))


def cells_of(response):
    return {
        (person.code, cell.part): (cell.typed, cell.fault)
        for person, cells in response.context["sheet"].rows
        for cell in cells
    }


def test_sheet_writes_what_was_typed_for_both_tests(client, coordinator, address, seats):
    client.force_login(coordinator)

    answer = client.post(address, sheet({seats[0]: ("35", "59,5"), seats[1]: ("", " 60 ")}), follow=True)

    assert [str(one) for one in answer.context["messages"]] == ["3 results written."]
    assert recorded() == [
        ("P0", "practical", 1, Decimal("59.5"), Decimal(100), False),
        ("P0", "theory", 1, Decimal(35), Decimal(50), True),
        ("P1", "practical", 1, Decimal(60), Decimal(100), True),
    ]
    first = TestAttempt.objects.first()
    assert (first.examiner, first.taken_on, first.recorded_by) == ("Ann", DAY, coordinator)


def test_sheet_shows_people_in_reach_with_a_seat_and_their_results(client, coordinator, address, training, seats):
    for points in ("50", "75"):
        record_attempt(
            seats[0].enumerator, training_session=training, part="theory", points=Decimal(points), taken_on=DAY, by=None
        )
    client.force_login(coordinator)

    answer = client.get(address)

    shown = [(person.code, [cell.so_far for cell in cells]) for person, cells in answer.context["sheet"].rows]
    assert shown == [("P0", ["50 %, 75 %", ""]), ("P1", ["", ""])]
    assert answer.context["form"].initial["taken_on"] == DAY
    missed = "missed, or not recorded: 10 Nov 2022 morning, 11 Nov 2022 morning"
    assert [missing for _person, _cells, missing in answer.context["sheet"].shown_rows] == [
        [missed, "practical: not taken"],
        [missed, "theory: not taken", "practical: not taken"],
    ]


def test_every_fault_stands_at_its_cell_and_what_was_typed_stays(client, coordinator, address, seats):
    client.force_login(coordinator)

    nonsense = client.post(address, sheet({seats[0]: ("x", "101"), seats[1]: ("49", "12,5,1")}))
    beyond = client.post(address, sheet({seats[0]: ("51", "40"), seats[1]: ("49", "100.5")}))

    assert cells_of(nonsense) == {
        ("P0", "theory"): ("x", "“x” is not a number"),
        ("P0", "practical"): ("101", "Points lie between 0 and 100."),
        ("P1", "theory"): ("49", ""),
        ("P1", "practical"): ("12,5,1", "“12,5,1” is not a number"),
    }
    assert cells_of(beyond) == {
        ("P0", "theory"): ("51", "Points lie between 0 and 50."),
        ("P0", "practical"): ("40", ""),
        ("P1", "theory"): ("49", ""),
        ("P1", "practical"): ("100.5", "Points lie between 0 and 100."),
    }
    assert recorded() == []


def test_wrong_day_is_told_at_its_field_and_the_cells_stay(client, coordinator, address, seats):
    client.force_login(coordinator)

    answer = client.post(address, sheet({seats[0]: ("35", "")}, taken_on="yesterday"))

    assert answer.context["form"].errors == {"taken_on": ["Enter a valid date."]}
    assert cells_of(answer)["P0", "theory"] == ("35", "")
    assert recorded() == []


def test_same_sheet_sent_twice_is_written_once(client, coordinator, address, seats):
    client.force_login(coordinator)
    posted = sheet({seats[0]: ("35", "")})

    client.post(address, posted)
    again = client.post(address, posted)

    assert cells_of(again)["P0", "theory"] == ("35", "Somebody recorded another attempt of Person 0 (P0) meanwhile.")
    assert len(recorded()) == 1


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("stranger", 302)])
def test_sheet_is_not_written_by_who_may_not(request, client, address, seats, role, status):
    client.force_login(request.getfixturevalue(role))

    assert (client.post(address, sheet({seats[0]: ("35", "")})).status_code, recorded()) == (status, [])


def test_row_out_of_reach_is_not_written(client, coordinator, address, seats):
    client.force_login(coordinator)

    client.post(address, sheet({seats[2]: ("35", ""), seats[3]: ("35", "")}))

    assert recorded() == []


def test_training_without_a_test_says_so(client, coordinator, address, training, seats):
    type(training).objects.update(theory_pass_mark=None, practical_pass_mark=None)
    client.force_login(coordinator)

    assert "This training has no test" in client.get(address).content.decode()


def test_sheet_asks_the_same_number_of_queries_for_one_and_three_people(
    client, coordinator, address, seats, village, training, django_assert_max_num_queries
):
    client.force_login(coordinator)
    Enrolment.objects.exclude(pk=seats[0].pk).update(status="declined")
    with django_assert_max_num_queries(30) as one:
        client.get(address)
    Enrolment.objects.update(status="accepted")
    with django_assert_max_num_queries(30) as three:
        client.get(address)

    assert len(one) == len(three)


@pytest.fixture
def attempt(training, seats):
    return record_attempt(
        seats[0].enumerator, training_session=training, part="theory", points=Decimal(80), taken_on=DAY, by=None
    )


def correct(client, attempt, **asked):
    asked = {"points": "8", "out_of": "100", "taken_on": "2022-11-11", "note": "Misread"} | asked
    return client.post(f"{ATTEMPTS}{attempt.pk}/do/correct/", {"confirmed": "1", **asked}, follow=True)


def test_result_is_corrected_and_a_lost_pass_is_said(client, coordinator, attempt):
    client.force_login(coordinator)

    answer = correct(client, attempt)

    attempt.refresh_from_db()
    assert (attempt.points, attempt.passed, attempt.note, attempt.recorded_by) == (8, False, "Misread", coordinator)
    assert [str(one) for one in answer.context["messages"]] == [
        "Corrected: the test is not passed any more. Look whether a certificate has to be revoked."
    ]


def test_impossible_correction_keeps_what_was_typed(client, coordinator, attempt):
    client.force_login(coordinator)

    answer = correct(client, attempt, points="101")

    attempt.refresh_from_db()
    assert (attempt.points, answer.context["form"].non_field_errors()) == (80, ["Points lie between 0 and 100."])


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("other_coordinator", 404)])
def test_wrong_person_corrects_nothing(request, client, attempt, role, status):
    client.force_login(request.getfixturevalue(role))

    assert correct(client, attempt).status_code == status
    attempt.refresh_from_db()
    assert attempt.points == 80


def test_check_of_a_task_is_not_corrected(client, coordinator, village):
    check = CheckFactory(corrective_task__enumerator__home_unit=village)
    client.force_login(coordinator)

    page = client.get(f"{ATTEMPTS}{check.pk}/change/")

    assert page.context["obstacles"] == [("Correct", "it is the check of a corrective task: record another")]


def test_list_is_narrowed_by_result_and_by_trainings_in_reach(client, coordinator, attempt, other_village):
    far = TrainingSessionFactory(code="far", theory_pass_mark=50)
    Enrolment.objects.create(training_session=far, enumerator=EnumeratorFactory(home_unit=other_village))
    client.force_login(coordinator)

    page = client.get(ATTEMPTS, {"result": "not"})
    [offered] = [
        one.lookup_choices
        for one in page.context["cl"].filter_specs
        if getattr(one, "parameter_name", "") == "training"
    ]
    passed = client.get(ATTEMPTS, {"result": "passed", "training": attempt.training_session.code})

    assert (list(page.context["cl"].result_list), list(passed.context["cl"].result_list)) == ([], [attempt])
    assert [code for code, _words in offered] == [attempt.training_session.code]


def test_list_asks_the_same_number_of_queries_at_one_and_three_rows(
    client, coordinator, attempt, village, django_assert_max_num_queries
):
    client.force_login(coordinator)
    client.get(ATTEMPTS)
    with django_assert_max_num_queries(30) as one:
        client.get(ATTEMPTS)
    CheckFactory.create_batch(2, corrective_task__enumerator__home_unit=village)
    with django_assert_max_num_queries(30) as three:
        answer = client.get(ATTEMPTS)

    assert (len(answer.context["cl"].result_list), len(one)) == (3, len(three))
