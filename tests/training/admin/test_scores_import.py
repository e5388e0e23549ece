"""Results of tests from a file: dry run, every fault at its row and column, all or nothing, round trip."""

from datetime import date
from decimal import Decimal
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import load_workbook

from tests.factories.training import CheckFactory, EnumeratorFactory, TrainingSessionFactory
from training.models import TestAttempt, TrainingHalfDay
from training.services.attempts import record_attempt
from training.services.enrolment import enrol

ATTEMPTS = "/admin/training/testattempt/"
HEAD = "training,code,part,points,out_of,taken_on,examiner\n"


@pytest.fixture
def training(village, other_village):
    training = TrainingSessionFactory(code="t1", theory_pass_mark=70)
    TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, 10), part="am")
    people = [EnumeratorFactory(code=f"P{place}", home_unit=village) for place in range(3)]
    enrol(training, [*people, EnumeratorFactory(code="FAR", home_unit=other_village)])
    return training


def choose(client, text, name="scores.csv"):
    data = text if isinstance(text, bytes) else text.encode()
    return client.post(f"{ATTEMPTS}import/", {"import_file": SimpleUploadedFile(name, data), "format": "0"})


def confirm(client, page):
    return client.post(f"{ATTEMPTS}process_import/", page.context["confirm_form"].initial, follow=True)


def recorded():
    return sorted(TestAttempt.objects.values_list("enumerator__code", "part", "number", "points", "out_of", "passed"))


def test_file_is_checked_first_and_then_recorded_with_number_and_pass_mark(client, coordinator, training):
    client.force_login(coordinator)
    page = choose(client, HEAD + 't1,p0,Theory,35,50,2022-11-10,Ann\nt1,P1,theory,"69,5",,10.11.2022,\n')
    assert (page.context["result"].new, recorded()) == (2, [])

    confirm(client, page)

    assert recorded() == [
        ("P0", "theory", 1, Decimal(35), Decimal(50), True),
        ("P1", "theory", 1, Decimal("69.5"), Decimal(100), False),
    ]
    assert set(TestAttempt.objects.values_list("pass_mark", "recorded_by")) == {(70, coordinator.pk)}


def test_same_file_again_changes_nothing(client, coordinator, training):
    client.force_login(coordinator)
    text = HEAD + "t1,P0,theory,35,50,2022-11-10,Ann\n"
    confirm(client, choose(client, text))

    page = choose(client, text)

    assert (page.context["result"].new, page.context["result"].same, len(recorded())) == (0, 1, 1)


def test_every_fault_of_every_row_is_told_and_nothing_written(client, coordinator, training):
    client.force_login(coordinator)
    rows = [
        "t1,P0,theory,35,50,2022-11-10,",
        "t9,P0,theory,35,50,2022-11-10,",
        "t1,P9,theory,35,50,2022-11-10,",
        "t1,FAR,theory,35,50,2022-11-10,",
        "t1,P1,practical,35,50,2022-11-10,",
        "t1,P1,dance,35,50,2022-11-10,",
        "t1,P1,theory,51,50,2022-11-10,",
        "t1,P1,theory,many,50,2022-11-10,",
        "t1,P1,theory,35,50,2022-11-09,",
        "t1,P1,theory,35,50,soon,",
        "t1,P2,theory,,50,2022-11-10,",
        "t1,P2,theory,1.555,50,2999-01-01,",
    ]

    page = choose(client, HEAD + "\n".join(rows))

    told = [(fault.line, fault.column) for fault in page.context["result"].faults]
    assert told == [
        ("3", "training"), ("4", "code"), ("5", "code"), ("6", "part"), ("7", "part"), ("8", "points"),
        ("9", "points"), ("10", "taken_on"), ("11", "taken_on"), ("12", "points"), ("13", "points"),
        ("13", "taken_on"),
    ]  # fmt: skip
    assert ("confirm_form" in page.context, recorded()) == (False, [])


def test_result_recorded_otherwise_is_not_overwritten_by_a_file(client, coordinator, training):
    client.force_login(coordinator)
    confirm(client, choose(client, HEAD + "t1,P0,theory,35,50,2022-11-10,Ann\n"))

    page = choose(client, HEAD + "t1,P0,theory,35,60,2022-11-10,Ann\n")

    assert [fault.sentence for fault in page.context["result"].faults] == [
        "This result is recorded with other words or out of other points: correct it on its page."
    ]
    assert recorded() == [("P0", "theory", 1, Decimal(35), Decimal(50), True)]


def test_exported_workbook_comes_back_without_a_change(client, coordinator, training, village):
    for person, points in zip(training.enrolments.order_by("pk"), ("35", "70.25"), strict=False):
        record_attempt(
            person.enumerator, training_session=training, part="theory", points=Decimal(points),
            taken_on=date(2022, 11, 10), by=None, examiner="=Ann",
        )  # fmt: skip
    CheckFactory(corrective_task__enumerator__home_unit=village)
    client.force_login(coordinator)
    form = client.get(f"{ATTEMPTS}export/").context["form"]
    fields = {f"{field.html_name}": "on" for field in form if field.html_name.startswith("attemptresource_")}

    answer = client.post(f"{ATTEMPTS}export/", {"format": "0", "resource": "0", **fields})
    sheet = load_workbook(BytesIO(answer.content)).active
    page = choose(client, answer.content, "scores.xlsx")

    assert [row[1].value for row in sheet.iter_rows(min_row=2)] == ["P0", "P1"]
    assert (page.context["result"].faults, page.context["result"].same, page.context["result"].new) == ([], 2, 0)


@pytest.mark.parametrize("role", ["manager", "stranger"])
def test_who_may_not_imports_nothing(request, client, training, role):
    client.force_login(request.getfixturevalue(role))

    assert choose(client, HEAD + "t1,P0,theory,35,50,2022-11-10,Ann\n").status_code in (302, 403)
    assert recorded() == []
