"""/coverage/: plan against done, and the places behind each number."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from random import Random

import openpyxl
import pytest
from django.urls import reverse
from django.utils import timezone

from assessments.enums import Bucket
from assessments.pages.coverage import level_of
from assessments.selectors.coverage import coverage, targets_in_bucket
from assessments.selectors.targets import explain_targets
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import cancel_focus_group, hold_focus_group, plan_focus_group
from assessments.services.review import approve_submission, reject_submission, return_submission
from assessments.services.rounds import set_target_status
from tests.factories.assessments import AssessmentRoundFactory, RoundTargetFactory, make_submission
from tests.factories.locations import AdminUnitFactory, BoundaryFactory

pytestmark = pytest.mark.django_db

START = datetime(2022, 12, 5, 5, tzinfo=UTC)  # 10:00 or 11:00 in Kazakhstan, the same day


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def open_page(client):
    def get(user, name="coverage", code="2022-Q4", **query):
        client.force_login(user)
        return client.get(reverse(name, args=[code]), query)

    return get


def page_text(response):
    return " ".join(response.content.decode().split())


# --- who


@pytest.mark.parametrize("name", ["coverage", "coverage_targets"])
@pytest.mark.parametrize("who", ["administrator", "manager", "coordinator", "other_coordinator"])
def test_coverage_opens_for_who_has_a_desk(name, who, target, open_page, request):
    assert open_page(request.getfixturevalue(who), name).status_code == 200


@pytest.mark.parametrize("name", ["coverage", "coverage_targets"])
def test_coverage_is_not_found_for_others(name, target, open_page, enumerator, stranger, manager):
    assert open_page(enumerator.user, name).status_code == 404
    assert open_page(stranger, name).status_code == 404
    assert open_page(manager, name, code="1999-Q1").status_code == 404


@pytest.mark.parametrize("name", ["coverage", "coverage_targets"])
def test_coverage_asks_for_a_log_in_and_is_read_only(name, target, client, manager):
    assert client.get(reverse(name, args=["2022-Q4"])).status_code == 302
    client.force_login(manager)
    assert client.post(reverse(name, args=["2022-Q4"])).status_code == 405


def test_coverage_of_a_coordinator_names_no_other_region(target, other_village, sub_area, open_page, coordinator):
    RoundTargetFactory(round=target.round, unit=other_village, form_kind=sub_area)

    assert "Mangystau" not in page_text(open_page(coordinator))
    assert "Boranqul" not in page_text(open_page(coordinator, "coverage_targets"))
    refused = open_page(coordinator, "coverage_targets", region="470000000")
    assert (refused.context["filter"].is_valid(), refused.context["rows"]) == (False, [])


# --- what


def test_coverage_says_the_share_and_every_bucket(target, region, area, district, coordinator, open_page, manager):
    RoundTargetFactory(round=target.round, unit=district, form_kind=area)
    approve_submission(make_submission(target), reviewer=coordinator)
    response = open_page(manager)
    line = response.context["lines"][0]

    assert '<b>1</b> of 2 places covered <span class="headline-share">(50.0 %)</span>' in page_text(response)
    assert (line.region.unit, line.region.planned, line.region.share) == (region, 2, "50.0")
    assert [(cell.code, cell.count) for cell in line.cells] == [("covered", 1), ("unassigned", 1)]


def test_coverage_of_a_zero_plan_shows_a_dash(region, open_page, manager):
    current = AssessmentRoundFactory()
    current.regions.create(unit=region, remarks={"en": "This region is an assumption."})
    text = page_text(open_page(manager))

    assert '<b>0</b> of 0 places covered <span class="headline-share">(-)</span>' in text
    assert '<td class="number">0</td><td class="number">-</td>' in text
    assert "This region is an assumption." in text


def test_coverage_numbers_open_exactly_their_rows(target, other_village, sub_area, open_page, manager, client):
    RoundTargetFactory(round=target.round, unit=other_village, form_kind=sub_area)
    line = open_page(manager).context["lines"][1]
    behind = client.get(line.cells[0].href).context["rows"]

    assert (line.cells[0].code, line.cells[0].count) == ("unassigned", 1)
    assert [row.target.unit for row, *_links in behind] == [other_village]


def test_coverage_says_demonstration_and_never_published(target, open_page, manager):
    assert "Demonstration" not in page_text(open_page(manager))
    type(target.round).objects.update(is_demo=True)
    text = page_text(open_page(manager))

    assert "Demonstration" in text
    assert "published" not in text


def test_coverage_map_has_tiles_of_regions_and_faint_others(target, region, country, open_page, manager):
    type(region).objects.filter(pk=region.pk).update(tile_column=5, tile_row=4)
    AdminUnitFactory(parent=country, names={"en": "Ulytau"}, tile_column=2, tile_row=2)
    AdminUnitFactory(parent=country, names={"en": "Later"}, tile_column=3, tile_row=2, valid_from=date(2024, 1, 1))
    drawing = open_page(manager).context["map"].drawing

    assert drawing.count("<rect") == 2
    assert "Almaty" in drawing
    assert 'class="map-tile faint"' in drawing
    assert "Ulytau" in drawing


def test_coverage_map_has_real_polygons_once_every_region_of_the_round_is_drawn(
    target, region, other_region, other_village, sub_area, open_page, manager
):
    RoundTargetFactory(round=target.round, unit=other_village, form_kind=sub_area)
    type(region).objects.filter(pk=region.pk).update(tile_column=5, tile_row=4)
    BoundaryFactory(unit=region, west=76.0, south=43.0)
    half = open_page(manager)
    assert ("polygon-map" in half.context["map"].drawing, half.context["map"].kinds) == (False, ())

    BoundaryFactory(unit=other_region, west=52.0, south=43.0, source="Another survey")
    BoundaryFactory(unit=AdminUnitFactory(names={"en": "Ulytau"}), west=66.0, south=47.0)
    response = open_page(manager)
    text, drawing = page_text(response), response.context["map"].drawing

    assert (drawing.count("<path"), drawing.count("<a "), "map-shape faint" in drawing) == (3, 2, True)
    assert 'href="/coverage/2022-Q4/targets/?region=190000000"' in drawing
    assert "Boundaries: Another survey (CC BY 4.0).</p>" in text
    assert "Boundaries: Test survey (CC BY 4.0).</p>" in text
    assert "do not imply official endorsement or acceptance by IOM" in text
    assert '<a class="button quiet" href="/coverage/2022-Q4/" aria-current="true">Map</a>' in text
    assert '<a class="button quiet" href="/coverage/2022-Q4/?map=tiles">Tiles</a>' in text


def test_coverage_map_is_of_tiles_where_they_are_asked_for(target, region, open_page, manager):
    type(region).objects.filter(pk=region.pk).update(tile_column=5, tile_row=4)
    BoundaryFactory(unit=region)
    response = open_page(manager, map="tiles")

    assert "tile-map" in response.context["map"].drawing
    assert "Boundaries: Test survey" not in page_text(response)
    assert "do not imply official endorsement or acceptance by IOM" in page_text(response)


@pytest.mark.parametrize("number", [1, 3])
def test_coverage_with_polygons_asks_the_same_number_of_queries(
    number, region, client, manager, sub_area, django_assert_num_queries
):
    current = AssessmentRoundFactory()
    for place in [region, AdminUnitFactory(), AdminUnitFactory()][:number]:
        RoundTargetFactory(round=current, unit=AdminUnitFactory(parent=place), form_kind=sub_area)
        BoundaryFactory(unit=place)
    client.force_login(manager)
    client.get("/coverage/2022-Q4/")

    with django_assert_num_queries(11):  # tiles: ten; and whose polygons they are
        response = client.get("/coverage/2022-Q4/")
    assert response.context["map"].drawing.count("<path") == number


@pytest.mark.parametrize(
    ("part", "whole", "level"), [(0, 0, None), (0, 9, 0), (1, 100, 1), (25, 100, 2), (99, 100, 4), (100, 100, 5)]
)
def test_level_of_a_share(part, whole, level):
    assert level_of(part, whole) == level


@pytest.mark.parametrize("seed", range(4))
def test_buckets_of_all_regions_add_up_to_the_plan(seed, country, area, sub_area, enumerator, manager, coordinator):
    random, now = Random(seed), timezone.now()
    current = AssessmentRoundFactory()
    regions = [AdminUnitFactory(parent=country) for _ in range(4)]
    for _ in range(24):
        unit = AdminUnitFactory(parent=random.choice(regions))
        target = RoundTargetFactory(round=current, unit=unit, form_kind=random.choice([area, sub_area]))
        if random.random() < 0.5:
            status = random.choice(["excluded", "inaccessible", "shortfall"])
            set_target_status(target, status, by=manager, reason="Said so")
        for _form in range(random.choice([0, 0, 1, 2])):
            status = random.choice(["received", "approved_first", "returned", "rejected"])
            make_submission(target, review_status=status, is_trial=random.random() < 0.2)
        if random.random() < 0.5:
            group = plan_focus_group(target)
            if random.random() < 0.5:
                assign_enumerator(group, enumerator)
    found = coverage(current, now=now)

    assert found.planned == 24 == sum(region.planned for region in found.regions)
    assert list(found.buckets) == [bucket.value for bucket in Bucket]
    for bucket, count in found.buckets.items():
        assert count == sum(region.buckets[bucket] for region in found.regions)
        assert count == targets_in_bucket(current, bucket=bucket, now=now).count()
    assert all(region.planned == sum(region.buckets.values()) for region in found.regions)
    assert len([row.why for row in explain_targets(targets_in_bucket(current, now=now), now=now) if row.why]) == 24


# --- why


def why(target, now=None):
    (row,) = explain_targets(targets_in_bucket(target.round, now=now).filter(pk=target.pk), now=now)
    return row.bucket, row.why


def test_why_of_what_is_covered_names_who_and_when(target, coordinator):
    approve_submission(make_submission(target), reviewer=coordinator, at=START)

    assert why(target) == ("covered", "Approved by coordinator on 5 Dec 2022.")


def test_why_of_what_waits_names_the_form_and_then_the_first_approval(district, area, coordinator):
    target = RoundTargetFactory(unit=district, form_kind=area)
    submission = make_submission(target)

    assert why(target) == ("in_review", "Form of 30 Jan 2023; nobody has decided yet.")
    approve_submission(submission, reviewer=coordinator, at=START)
    assert why(target) == ("in_review", "Approved once by coordinator on 5 Dec 2022; the final approval is missing.")


def test_why_of_what_was_returned_or_rejected_names_the_reason(target, coordinator):
    submission = make_submission(target)
    return_submission(submission, reviewer=coordinator, reason="arithmetic", text="Men exceed the total", at=START)

    assert why(target) == (
        "returned",
        "Returned by coordinator on 5 Dec 2022: the numbers do not add up. “Men exceed the total”",
    )
    reject_submission(submission, reviewer=coordinator, reason="duplicate", text="Twice", at=START)
    assert why(target) == (
        "unassigned",
        "Nothing is planned. A form was rejected by coordinator on 5 Dec 2022: sent twice.",
    )


@pytest.mark.parametrize(
    ("status", "until", "sentence"),
    [
        ("excluded", None, "Excluded by coordinator on 5 Dec 2022. “100 % snow”"),
        ("shortfall", None, "Closed by coordinator on 5 Dec 2022. “100 % snow”"),
        ("inaccessible", None, "Inaccessible, no end known. Said by coordinator on 5 Dec 2022. “100 % snow”"),
        (
            "inaccessible",
            date(2022, 12, 24),
            "Inaccessible until 24 Dec 2022. Said by coordinator on 5 Dec 2022. “100 % snow”",
        ),
    ],
)
def test_why_of_what_is_not_covered_names_the_reason(target, coordinator, status, until, sentence):
    set_target_status(target, status, by=coordinator, reason="100 % snow", until=until, at=START)

    assert why(target, now=START) == (status, sentence)


def test_why_of_a_focus_group_names_date_and_people(target, enumerator, coordinator):
    group = plan_focus_group(target)
    assert why(target) == ("unassigned", f"Focus group {group.code} has no date, and nobody is assigned.")
    assign_enumerator(group, enumerator)
    assert why(target) == ("assigned_no_date", f"Aigerim Demo assigned (focus group {group.code}); no date yet.")
    cancel_focus_group(group, by=coordinator, reason="Rain")
    assert why(target) == ("unassigned", "The focus group was cancelled, and no other is planned.")

    group = plan_focus_group(target, starts_at=START, ends_at=START + timedelta(hours=2))
    assert why(target) == ("unassigned", f"Focus group {group.code} is planned for 5 Dec 2022; nobody is assigned.")
    assign_enumerator(group, enumerator)
    bucket, sentence = why(target, now=START - timedelta(days=1))
    assert (bucket, sentence.startswith(f"Focus group {group.code} on 5 Dec 2022, 1")) == ("scheduled", True)
    assert why(target) == (
        "overdue",
        f"Focus group {group.code} was planned for 5 Dec 2022 with Aigerim Demo; nobody said that it was held.",
    )
    hold_focus_group(group, by=None)
    assert why(target) == ("held_no_form", f"Focus group {group.code} was held on 5 Dec 2022; no form has come.")


# --- the list and its export


def test_targets_stand_with_the_places_above_them(target, open_page, manager):
    ((row, *_links),) = open_page(manager, "coverage_targets").context["rows"]

    assert (row.place, [unit.name for unit in row.parents]) == ("Zhandosov", ["Almaty region", "Karasay"])


def test_targets_lead_to_the_desk_for_who_may_open_it(target, coordinator, manager, open_page, client):
    submission = make_submission(target)
    ((_row, target_desk, submission_desk),) = open_page(coordinator, "coverage_targets").context["rows"]

    assert (target_desk, submission_desk) == (
        reverse("admin:assessments_roundtarget_change", args=[target.pk]),
        reverse("admin:assessments_kobosubmission_change", args=[submission.pk]),
    )
    assert [client.get(address).status_code for address in (target_desk, submission_desk)] == [200, 200]
    type(manager).objects.filter(pk=manager.pk).update(is_staff=False)
    manager.refresh_from_db()
    assert [links for _row, *links in open_page(manager, "coverage_targets").context["rows"]] == [["", ""]]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({}, ["Karasay", "Zhandosov", "Boranqul"]),
        ({"region": "190000000"}, ["Karasay", "Zhandosov"]),
        ({"kind": "baseline_area"}, ["Karasay"]),
        ({"bucket": "covered"}, ["Boranqul"]),
        ({"bucket": "unassigned", "kind": "baseline_sub_area", "region": "190000000"}, ["Zhandosov"]),
        ({"bucket": "nonsense"}, []),
        ({"region": "\x00"}, []),
        ({"page": "999"}, ["Karasay", "Zhandosov", "Boranqul"]),
    ],
)
def test_targets_are_filtered(
    query, places, target, district, other_village, area, sub_area, other_coordinator, open_page, manager
):
    RoundTargetFactory(round=target.round, unit=district, form_kind=area)
    far = RoundTargetFactory(round=target.round, unit=other_village, form_kind=sub_area)
    approve_submission(make_submission(far), reviewer=other_coordinator)
    response = open_page(manager, "coverage_targets", **query)

    assert (response.status_code, [row.place for row, *_links in response.context["rows"]]) == (200, places)


def sheet_of(response):
    return list(openpyxl.load_workbook(io.BytesIO(response.content)).active.iter_rows(values_only=True))


def test_export_holds_what_is_filtered(target, other_village, sub_area, coordinator, open_page, manager):
    RoundTargetFactory(round=target.round, unit=other_village, form_kind=sub_area)
    approve_submission(make_submission(target, kobo_id=8_000_000_000), reviewer=coordinator, at=START)
    response = open_page(manager, "coverage_targets", region="190000000", bucket="covered", format="xlsx")

    assert response["Content-Disposition"] == 'attachment; filename="coverage-2022-Q4-190000000-covered.xlsx"'
    assert sheet_of(response)[1:] == [
        (
            "Almaty region",
            "Karasay",
            "Zhandosov",
            "195233000",
            "Baseline sub-area (village)",
            "covered",
            "Approved by coordinator on 5 Dec 2022.",
            datetime(2022, 12, 5),  # noqa: DTZ001  a spreadsheet's day
            None,
            None,
            8_000_000_000,
        )
    ]


def test_export_as_csv_is_read_by_excel_and_runs_no_formula(district, sub_area, open_page, manager):
    evil = AdminUnitFactory(parent=district, names={"en": '=HYPERLINK("http://evil")'})
    target = RoundTargetFactory(unit=evil, form_kind=sub_area)
    set_target_status(target, "excluded", by=None, reason="@risk\x01")
    response = open_page(manager, "coverage_targets", format="csv")
    (row,) = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))

    assert response.content.startswith(b"\xef\xbb\xbf")
    assert (row["Place"], row["Why"]) == (
        '\'=HYPERLINK("http://evil")',
        "Excluded by the system on " + timezone.localdate().strftime("%-d %b %Y") + ". “@risk”",
    )
    evil_cell = sheet_of(open_page(manager, "coverage_targets", format="xlsx"))[1][2]
    assert evil_cell == row["Place"]


def test_export_refuses_what_it_does_not_know(target, open_page, manager, coordinator, other_village, sub_area):
    RoundTargetFactory(round=target.round, unit=other_village, form_kind=sub_area)

    assert open_page(manager, "coverage_targets", format="pdf").status_code == 404
    assert open_page(manager, "coverage_targets", format="csv", bucket="nonsense").status_code == 404
    assert open_page(coordinator, "coverage_targets", format="csv", region="470000000").status_code == 404
    assert "Boranqul" not in open_page(coordinator, "coverage_targets", format="csv").content.decode()


# --- how much it asks


def mixed_targets(number, *, district, kind, enumerator, coordinator):
    """For each of ``number``: one covered, one returned, one with a focus group, one closed."""
    for index in range(number):
        units = [AdminUnitFactory(parent=district, names={"en": f"Place {index}"}) for _ in range(4)]
        targets = [RoundTargetFactory(unit=unit, form_kind=kind) for unit in units]
        approve_submission(make_submission(targets[0]), reviewer=coordinator)
        return_submission(make_submission(targets[1]), reviewer=coordinator, reason="other", text="Look again")
        assign_enumerator(plan_focus_group(targets[2]), enumerator)
        set_target_status(targets[3], "excluded", by=coordinator, reason="Flood")


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(
    ("name", "query", "queries"),
    [("coverage", {}, 10), ("coverage_targets", {}, 15), ("coverage_targets", {"format": "csv"}, 12)],
)
def test_coverage_asks_the_same_number_of_queries(
    name,
    query,
    queries,
    number,
    district,
    sub_area,
    enumerator,
    coordinator,
    client,
    manager,
    django_assert_num_queries,
):
    mixed_targets(number, district=district, kind=sub_area, enumerator=enumerator, coordinator=coordinator)
    client.force_login(manager)
    client.get(reverse(name, args=["2022-Q4"]), query)

    with django_assert_num_queries(queries):
        response = client.get(reverse(name, args=["2022-Q4"]), query)
    assert response.status_code == 200
