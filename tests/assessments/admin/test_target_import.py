"""The list of targets in and out as a table."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import load_workbook

from assessments.models import RoundTarget
from tests.factories.assessments import AssessmentRoundFactory, RoundTargetFactory

TARGETS = "/admin/assessments/roundtarget/"
HEAD = "round;unit_id;form_kind;minimum_informants;source"


def check(client, *lines):
    file = SimpleUploadedFile("targets.csv", "\n".join([HEAD, *lines]).encode())
    return client.post(f"{TARGETS}import/", {"import_file": file, "format": "0", "resource": "0"})


def confirm(client, answer):
    return client.post(f"{TARGETS}process_import/", answer.context["confirm_form"].initial, follow=True)


@pytest.fixture
def desk(client, manager, village, sub_area):
    AssessmentRoundFactory()
    client.force_login(manager)
    return client


def targets():
    return list(
        RoundTarget.objects.order_by("unit__unit_id", "form_kind__code").values_list(
            "round__code", "unit__unit_id", "form_kind__code", "minimum_informants", "source", "status"
        )
    )


def test_targets_are_added_and_changed_by_round_place_and_form_kind(desk, village, district, sub_area):
    RoundTargetFactory(unit=village, form_kind=sub_area, source="old", status="excluded", status_reason="No")

    confirm(
        desk,
        check(desk, "2022-Q4;195233000;baseline_sub_area;5;district form", "2022-Q4;195200000;baseline_area;;"),
    )

    assert targets() == [
        ("2022-Q4", "195200000", "baseline_area", 2, "", "open"),
        ("2022-Q4", "195233000", "baseline_sub_area", 5, "district form", "excluded"),
    ]


def test_every_wrong_code_is_told_and_nothing_written(desk):
    answer = check(
        desk,
        "2022-Q4;195233000;baseline_sub_area;2;",
        "2099-Q1;;village;many;",
        "2022-Q4;195233000;baseline_sub_area;3;",
    )

    assert [(one.line, one.column, one.sentence) for one in answer.context["faults"]] == [
        ("2", "", "stands in the file more than once: lines 2, 4"),
        ("3", "round", "there is no round “2099-Q1”"),
        ("3", "unit_id", "is missing"),
        ("3", "form_kind", "there is no form kind “village”"),
        ("3", "minimum_informants", "“many” is not a whole number"),
        ("4", "", "stands in the file more than once: lines 2, 4"),
    ]
    assert targets() == []


def test_export_names_place_status_and_bucket_and_can_be_read_in_again(desk, village, sub_area):
    RoundTargetFactory(unit=village, form_kind=sub_area)
    before = targets()

    exported = desk.post(f"{TARGETS}export/", {"format": "0", "resource": "0"}).content

    rows = [[cell.value for cell in row] for row in load_workbook(io.BytesIO(exported)).active.iter_rows()]
    assert rows[1] == [
        "2022-Q4", "195233000", "baseline_sub_area", 2, None, "Zhandosov", "open", None, "unassigned",
    ]  # fmt: skip
    file = SimpleUploadedFile("targets.xlsx", exported)
    answer = desk.post(f"{TARGETS}import/", {"import_file": file, "format": "0", "resource": "0"})
    confirm(desk, answer)
    assert targets() == before


@pytest.mark.parametrize(("role", "status"), [("coordinator", 403), ("stranger", 302)])
def test_targets_are_imported_by_managers_and_administrators_alone(request, client, village, role, status):
    client.force_login(request.getfixturevalue(role))

    assert check(client, "2022-Q4;195233000;baseline_sub_area;2;").status_code == status
    assert targets() == []
