"""Polygons of places: what an import takes and refuses, and which place a point lies in."""

import io
import json
from datetime import date, timedelta

import pytest
import shapely
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from locations.models import AdminUnit, Boundary
from locations.selectors.boundaries import (
    Credit,
    boundary_credits,
    distance_outside,
    distances_outside,
    unit_at,
    units_at,
    units_without_boundary,
)
from locations.services import boundary_file
from locations.services.boundaries import FeatureNote, import_boundaries
from locations.services.boundary_file import BoundariesRefused, read_collection
from tests.concurrently import at_once
from tests.factories.locations import AdminUnitFactory, CountryFactory
from tests.locations.boundary_files import CREDIT, SHARED, collection, feature, square

pytestmark = pytest.mark.django_db

TODAY = date(2026, 1, 15)


@pytest.fixture
def regions():
    """Two, side by side, with points; a third that nobody draws."""
    return [
        AdminUnitFactory(code="110000000", pcode="KZ11", iso_3166_2="KZ-11", latitude="50.5", longitude="70.5"),
        AdminUnitFactory(code="150000000", pcode="KZ15", iso_3166_2="KZ-15", latitude="50.5", longitude="71.5"),
        AdminUnitFactory(code="190000000", pcode="KZ19", iso_3166_2="KZ-19"),
    ]


def two_squares(**changes):
    return collection(
        feature(square(70, 50), code="110000000", name="One", **changes),
        feature(square(71, 50, clockwise=True), code="150000000", name="Two", **changes),
    )


def counts(done):
    return (done.added, done.changed, done.unchanged)


def refusals(asked, **options):
    """What is refused, in words; nothing was written."""
    before = list(Boundary.objects.order_by("pk").values())
    with pytest.raises(BoundariesRefused) as refused:
        import_boundaries(asked, **{**CREDIT, **options})
    assert list(Boundary.objects.order_by("pk").values()) == before
    return [str(problem) for problem in refused.value.problems]


# --- what is taken


def test_import_gives_each_place_its_polygon_and_lists_those_without(regions):
    done = import_boundaries(two_squares(), **CREDIT)

    assert (done.matched_by, counts(done), done.missing) == ("code", (2, 0, 0), (regions[2],))
    assert list(Boundary.objects.values_list("unit__code", "west", "south", "east", "north", "source", "licence")) == [
        ("110000000", 70.0, 50.0, 71.0, 51.0, "Test survey", "CC BY 4.0"),
        ("150000000", 71.0, 50.0, 72.0, 51.0, "Test survey", "CC BY 4.0"),
    ]
    assert list(units_without_boundary(TODAY, level=1)) == [regions[2]]


def test_import_again_changes_nothing_and_a_ring_may_turn_and_begin_anywhere(regions):
    import_boundaries(two_squares(), **CREDIT)
    before = list(Boundary.objects.values())
    ring = square(71, 50)["coordinates"][0]
    turned = {"type": "MultiPolygon", "coordinates": [[[*ring[2:], *ring[1:3]]]]}
    other = collection(feature(square(70, 50, clockwise=True), code="110000000"), feature(turned, code="150000000"))

    assert counts(import_boundaries(two_squares(), **CREDIT)) == (0, 0, 2)
    assert counts(import_boundaries(other, **CREDIT)) == (0, 0, 2)
    assert list(Boundary.objects.values()) == before


def test_import_changes_a_polygon_and_its_credit_in_place(regions):
    import_boundaries(two_squares(), **CREDIT)
    moved = collection(feature(square(70, 50, 0.5), code="110000000"))

    assert counts(import_boundaries(moved, **CREDIT)) == (0, 1, 0)
    assert counts(import_boundaries(moved, source="Another", licence="CC0")) == (0, 1, 0)
    assert Boundary.objects.get(unit=regions[0]).east == 70.5
    assert boundary_credits(regions, on=TODAY) == [Credit("Another", "CC0"), Credit("Test survey", "CC BY 4.0")]


def test_dry_run_says_the_same_and_writes_nothing(regions):
    tried = import_boundaries(two_squares(), **CREDIT, dry_run=True)

    assert (counts(tried), tried.missing, tried.dry_run) == ((2, 0, 0), (regions[2],), True)
    assert not Boundary.objects.exists()


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        ({"ADM0_PCODE": "KZ", "ADM1_PCODE": "KZ11"}, "ADM1_PCODE"),
        ({"shapeISO": "kz-11"}, "shapeISO"),
        ({"kato": 110000000}, "kato"),
        ({"kato": 110000000.0, "name": "110000000 or so"}, "kato"),
        ({"parent_code": "000000000", "code": "110000000"}, "code"),
    ],
)
def test_code_is_found_in_whatever_property_it_stands(regions, properties, found):
    done = import_boundaries(collection(feature(square(70, 50), **properties)), **CREDIT)

    assert (done.matched_by, list(Boundary.objects.values_list("unit__code", flat=True))) == (found, ["110000000"])


def test_code_is_read_from_the_named_property_or_the_id_of_the_feature(regions):
    one = {**feature(square(70, 50), code="110000000", other="150000000"), "id": "KZ19"}

    assert import_boundaries(collection(one), **CREDIT, property="other").matched_by == "other"
    assert import_boundaries(collection(one), **CREDIT, property="id").matched_by == "id"
    assert sorted(Boundary.objects.values_list("unit__code", flat=True)) == ["150000000", "190000000"]
    assert refusals(collection(one), property="nope") == [
        "No feature has the property “nope”. There are: id, code, other."
    ]


def test_district_wins_over_the_region_that_it_also_names(regions):
    district = AdminUnitFactory(code="111000000", parent=regions[0])
    one = collection(feature(square(70, 50), region="110000000", district="111000000"))

    assert import_boundaries(one, **CREDIT).matched_by == "district"
    assert Boundary.objects.get().unit == district


def test_source_and_licence_are_read_from_the_file_and_said_otherwise(regions):
    features = two_squares()["features"]
    import_boundaries(collection(*features, credit="OCHA", license="CC BY-IGO"))

    assert boundary_credits(regions, on=TODAY) == [Credit("OCHA", "CC BY-IGO")]
    assert refusals(two_squares(), source="", licence="x" * 121) == [
        "The file does not say whose polygons these are: name the source.",
        f"“{'x' * 40}…”: longer than 120 characters.",
    ]


def test_self_crossing_polygon_is_repaired_and_told(regions):
    bow = {"type": "Polygon", "coordinates": [[[70, 50], [71, 51], [71, 50], [70, 51], [70, 50]]]}
    done = import_boundaries(collection(feature(bow, code="110000000")), **CREDIT)

    assert done.repaired == (FeatureNote(1, "110000000", "Self-intersection[70.5 50.5]"),)
    assert shapely.geometry.shape(Boundary.objects.get().geometry).area == 0.5


def test_code_of_no_place_can_be_left_out(regions):
    lake = feature(square(60, 45), code="LAKE")
    asked = collection(lake, *two_squares()["features"])

    done = import_boundaries(asked, **CREDIT, skip_unknown=True)
    assert (counts(done), done.unmatched) == ((2, 0, 0), (FeatureNote(1, "LAKE"),))


def test_old_frame_stands_beside_the_one_of_now(regions):
    """Codes and polygons as they were on a day; a place that lives on keeps both."""
    retired = AdminUnitFactory(code="161600000", parent=regions[0], valid_to="2022-06-07")
    import_boundaries(two_squares(), **CREDIT)
    old = collection(feature(square(70, 50, 2), code="110000000"), feature(square(70, 50, 0.5), code="161600000"))

    today = timezone.localdate().isoformat()
    assert refusals(old) == [f"Feature 2 (161600000): no place had this code on {today}."]
    assert counts(import_boundaries(old, **CREDIT, on=date(2022, 6, 7))) == (2, 0, 0)
    assert counts(import_boundaries(old, **CREDIT, on=date(2022, 6, 7))) == (0, 0, 2)
    assert unit_at(51.5, 71.5, on=date(2022, 6, 7), level=1) == regions[0]
    assert unit_at(51.5, 71.5, on=date(2022, 6, 8), level=1) is None
    assert unit_at(50.2, 70.2, on=date(2022, 6, 7), level=2) == retired
    assert unit_at(50.2, 70.2, on=date(2022, 6, 8), level=2) is None


# --- what is refused


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "This is not a GeoJSON FeatureCollection."),
        ([], "This is not a GeoJSON FeatureCollection."),
        (None, "This is not a GeoJSON FeatureCollection."),
        ({"type": "Topology"}, "This is not a GeoJSON FeatureCollection."),
        (collection(), "The collection has no features."),
        ({"type": "FeatureCollection", "features": {}}, "The collection has no features."),
        (
            collection(feature(square(7e6, 5e6), code="110000000"), crs={"properties": {"name": "EPSG:3857"}}),
            "The file names another system of coordinates: degrees of WGS 84 (EPSG:4326) are needed.",
        ),
        (
            collection(feature(square(70, 50), name="Nowhere"), 7),
            "No property of the features holds the code of a place of 2022-06-08. Properties: name.",
        ),
        (
            collection(feature(square(70, 50))),
            "No property of the features holds the code of a place of 2022-06-08. Properties: –.",
        ),
    ],
)
def test_collection_that_cannot_be_read_is_refused_in_words(regions, asked, words):
    assert refusals(asked, on=date(2022, 6, 8)) == [words]


def polygon(*points):
    return {"type": "Polygon", "coordinates": [list(points)]}


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        (None, "there is no geometry."),
        ({"type": "Point", "coordinates": [70, 50]}, "a boundary is a Polygon or a MultiPolygon, not “Point”."),
        ({"type": "Polygon", "coordinates": []}, "the polygon is empty."),
        ({"type": "MultiPolygon", "coordinates": [[]]}, "the polygon is empty."),
        ({"type": "Polygon"}, "the polygon is empty."),
        (polygon(["a", "b"], ["c", "d"]), "the points are not pairs of numbers: longitude, latitude."),
        (polygon([70, 50], [70], [71, 51]), "the points are not pairs of numbers: longitude, latitude."),
        (polygon([70, 50], [71, float("nan")], [71, 51]), "the points are not pairs of numbers: longitude, latitude."),
        (polygon([70, 50], [71, 51], [70, 50]), "a ring has three different points at least."),
        (polygon([70, 50], [71, 51], [72, 52], [70, 50]), "the polygon has no area."),
        (
            square(7_900_000, 6_400_000, 1000),
            "the coordinates are metres of a projected map; degrees of WGS 84 are needed.",
        ),
        (square(179.5, 50), "a longitude lies from -180 to 180 degrees, a latitude from -90 to 90."),
        (square(50, 89.5), "latitude stands before longitude; GeoJSON has the longitude first."),
        (square(50, 70), "latitude stands before longitude; GeoJSON has the longitude first."),
    ],
)
def test_geometry_that_is_no_boundary_is_refused_at_its_feature(regions, geometry, words):
    good = feature(square(71, 50), code="150000000")

    assert refusals(collection(good, feature(geometry, code="110000000"))) == [f"Feature 2 (110000000): {words}"]


def test_everything_that_is_wrong_is_told_at_once(regions):
    asked = collection(
        feature(square(70, 50), code="110000000"),
        feature(square(71, 50), code="999"),
        feature(None, code="150000000"),
        feature(square(71, 50), code="110000000"),
        feature(square(71, 50), other=1),
        "nonsense",
    )

    assert refusals(asked, source="") == [
        "The file does not say whose polygons these are: name the source.",
        f"Feature 2 (999): no place had this code on {timezone.localdate().isoformat()}.",
        "Feature 3 (150000000): there is no geometry.",
        "Feature 4 (110000000): feature 1 draws the same place.",
        "Feature 5: there is no code.",
        "Feature 6: there is no code.",
        "Feature 6: there is no geometry.",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b" \n", "The file is empty."),
        (b"PK\x03\x04shapes", "This is a zip archive or a workbook. Save the polygons as GeoJSON."),
        (b"code,name\n1,2", "The file is not JSON: line 1, column 1 cannot be read."),
        (b'{"type": "FeatureCollection",\n', "The file is not JSON: line 2, column 1 cannot be read."),
        ('{"type": "Область"}'.encode("cp1251"), "The file is not in UTF-8."),
        (b"[" * 200_000, "The file is not JSON that can be read."),
    ],
)
def test_file_that_cannot_be_read_is_refused_in_words(content, words):
    with pytest.raises(BoundariesRefused) as refused:
        read_collection(content)

    assert str(refused.value) == words


def test_file_that_is_too_large_is_refused_in_words(regions, monkeypatch):
    monkeypatch.setattr(boundary_file, "MOST_BYTES", 1 << 20)
    with pytest.raises(BoundariesRefused, match="larger than 1 MB"):
        read_collection(b"x" * ((1 << 20) + 1))
    monkeypatch.setattr(boundary_file, "MOST_POINTS", 9)
    assert refusals(two_squares()) == ["The polygons have more than 9 points: simplify them first."]
    monkeypatch.setattr(boundary_file, "MOST_FEATURES", 1)
    assert refusals(two_squares()) == ["The file has more than 1 features."]


def test_database_holds_one_polygon_for_a_day_with_its_credit(regions):
    import_boundaries(two_squares(), **CREDIT)
    row = Boundary.objects.first()
    row.pk = None
    with pytest.raises(IntegrityError, match="boundary_once_for_a_day"), transaction.atomic():
        row.save()
    row.drawn_for, row.licence = date(2022, 6, 7), ""
    with pytest.raises(IntegrityError, match="boundary_says_whose"), transaction.atomic():
        row.save()


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_write_each_polygon_once():
    units = [AdminUnitFactory(code=code) for code in ("110000000", "150000000")]
    done = at_once(*[lambda: counts(import_boundaries(two_squares(), **CREDIT))] * 2)

    assert sorted(done) == [(0, 0, 2), (2, 0, 0)]
    assert sorted(Boundary.objects.values_list("unit", flat=True)) == sorted(unit.pk for unit in units)


# --- points


def test_point_is_found_in_its_place_and_on_the_border_in_the_first_by_code(regions, django_assert_num_queries):
    import_boundaries(two_squares(), **CREDIT)

    with django_assert_num_queries(2):
        found = units_at([(50.5, 70.5), (50.5, 71), (50.5, 71.2), (49, 70), (51, 72)], on=TODAY, level=1)
    assert found == [regions[0], regions[0], regions[1], None, regions[1]]
    assert units_at([], on=TODAY, level=1) == []
    assert unit_at("50.5", "70.5", on=TODAY, level=2) is None


def test_point_in_a_city_that_was_not_cut_out_belongs_to_the_city(regions):
    city = AdminUnitFactory(code="710000000")
    import_boundaries(collection(feature(square(70.4, 50.4, 0.2), code="710000000")), **CREDIT)
    import_boundaries(two_squares(), **CREDIT)

    assert unit_at(50.5, 70.5, on=TODAY, level=1) == city
    assert unit_at(50.7, 70.5, on=TODAY, level=1) == regions[0]


def test_distance_outside_is_in_metres_and_zero_inside(regions, django_assert_num_queries):
    import_boundaries(two_squares(), **CREDIT)
    one, _two, undrawn = regions

    with django_assert_num_queries(1):
        found = distances_outside(
            [(one, 50.5, 70.5), (one, 50.5, 69.9), (one, 49.9, 70.5), (undrawn, 50, 70)], on=TODAY
        )
    assert found[0] == 0.0
    # A tenth of a degree: cos(50.5°) * 11,120 m along the parallel, 11,120 m along the meridian.
    assert found[1:3] == [pytest.approx(7073, abs=3), pytest.approx(11120, abs=3)]
    assert found[3] is None
    assert distance_outside(one, latitude=50.5, longitude=71, on=TODAY) == 0.0


CUTS = st.lists(st.integers(1, 99), min_size=2, max_size=6, unique=True).map(sorted)


@settings(max_examples=40)
@given(
    columns=CUTS,
    rows=CUTS,
    lean=st.integers(-30, 30),
    points=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20),
)
def test_point_in_a_grid_of_leaning_cells_is_found_in_the_cell_that_holds_it(columns, rows, lean, points):
    """A cell's corners are (column + lean * row, row): convex, and a point is found by counting the cuts before it."""
    with transaction.atomic():
        cells = {
            (x, y): AdminUnitFactory(code=f"c{x:02}{y:02}", parent=CountryFactory())
            for x in range(len(columns) - 1)
            for y in range(len(rows) - 1)
        }
        skew = lean / 100

        def corner(x, y):
            return [60 + (columns[x] + skew * rows[y]) / 10, 40 + rows[y] / 10]

        drawn = [
            feature(polygon(corner(x, y), corner(x + 1, y), corner(x + 1, y + 1), corner(x, y + 1)), code=unit.code)
            for (x, y), unit in cells.items()
        ]
        first = import_boundaries(collection(*drawn), **CREDIT)
        again = import_boundaries(collection(*drawn), **CREDIT)
        asked, expected = [], []
        for across, up in points:
            y = rows[0] + up * (rows[-1] - rows[0])
            x = columns[0] + across * (columns[-1] - columns[0])
            if min(abs(x - cut) for cut in columns) < 0.001 or min(abs(y - cut) for cut in rows) < 0.001:
                continue
            asked.append((40 + y / 10, 60 + (x + skew * y) / 10))
            cell = (sum(cut < x for cut in columns) - 1, sum(cut < y for cut in rows) - 1)
            expected.append(cells[cell])
        found = units_at(asked, on=TODAY, level=1)
        transaction.set_rollback(True)

    assert (counts(first), counts(again)) == ((len(cells), 0, 0), (0, 0, len(cells)))
    assert found == expected


# --- the command


@pytest.fixture
def write_file(tmp_path):
    def write(asked):
        file = tmp_path / "areas.geojson"
        file.write_text(json.dumps(asked))
        return str(file)

    return write


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    call_command("import_boundaries", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_command_tells_in_words_and_with_json_in_one_object(regions, write_file):
    file = write_file({**two_squares(), **CREDIT})
    out, err = run(file)
    assert out == "Matched by “code”: 2 added, 0 changed, 0 unchanged.\n"
    assert err == "Without a polygon (1): Place 190000000 (190000000).\n"

    out, err = run(file, "--json", "--dry-run", "--on", (timezone.localdate() + timedelta(1)).isoformat())
    answer = json.loads(out)
    assert [answer[key] for key in ("property", "source", "added", "changed", "unchanged", "dry_run")] == [
        "code", "Test survey", 0, 0, 2, True
    ]  # fmt: skip
    assert answer["missing"] == [{"unit_id": "190000000", "code": "190000000", "level": 1, "name": "Place 190000000"}]
    assert "Only tried: nothing was written." in err


def test_command_refuses_with_every_problem_and_names_the_option(regions, write_file, tmp_path):
    file = write_file(collection(feature(square(70, 50), code="110000000"), feature(None, code="150000000")))
    with pytest.raises(CommandError) as refused:
        run(file)
    assert str(refused.value).splitlines() == [
        "Nothing was imported.",
        "The file does not say whose polygons these are: name the source. (--source)",
        "The file does not say under which licence the polygons are: name the licence. (--licence)",
        "Feature 2 (150000000): there is no geometry.",
    ]
    with pytest.raises(CommandError, match="No such file"):
        run(str(tmp_path / "nothing.geojson"))
    with pytest.raises(CommandError, match="a date is written like 2022-06-08"):
        run(file, "--on", "yesterday")
    assert not Boundary.objects.exists()


# --- the country


def load_country():
    if not SHARED.exists():
        pytest.skip("the polygons of the country are not beside the project (../shared/data)")
    call_command("load_gazetteer", stdout=io.StringIO())


def import_shared(name, **options):
    return import_boundaries(
        read_collection((SHARED / name).read_bytes()), source="geokz, after OCHA COD-AB", licence="CC BY 4.0", **options
    )


def test_country_is_drawn_whole_and_every_point_lies_in_its_own_polygon():
    load_country()
    regions, districts = import_shared("kz_regions.geojson"), import_shared("kz_districts.geojson")

    assert (counts(regions), regions.missing) == ((20, 0, 0), ())
    assert (counts(districts), [unit.name for unit in districts.missing]) == (
        (224, 0, 0),
        ["Sauran district", "Markakol district", "Ulken Naryn district", "Sarayshyk district"],
    )
    assert counts(import_shared("kz_districts.geojson")) == (0, 0, 224)
    for level, count in ((1, 20), (2, 224)):
        units = list(AdminUnit.objects.units_on(TODAY).level(level).exclude(latitude=None))
        outside = distances_outside([(unit, unit.latitude, unit.longitude) for unit in units], on=TODAY)
        # The border of Tekeli was simplified to 117 m inside of its own point.
        assert (len(units), [unit.name for unit, away in zip(units, outside, strict=True) if away]) == (
            count,
            ["Tekeli city"] if level == 2 else [],
        )
        assert max(outside) < 150
    for level, off in ((1, []), (2, ["Tekeli city"])):
        units = list(AdminUnit.objects.units_on(TODAY).level(level).exclude(latitude=None))
        found = units_at([(unit.latitude, unit.longitude) for unit in units], on=TODAY, level=level)
        assert [unit.name for unit, at in zip(units, found, strict=True) if at != unit] == off


def test_frame_before_the_reform_answers_until_its_last_day():
    load_country()
    day = date(2022, 6, 7)
    import_shared("kz_regions.geojson")
    assert counts(import_shared("kz_regions_2018.geojson", on=day)) == (17, 0, 0)
    assert counts(import_shared("kz_districts_2018.geojson", on=day)) == (216, 0, 0)
    assert refusals(read_collection((SHARED / "kz_districts_2018.geojson").read_bytes()))  # codes of now

    def region_of(latitude, longitude):
        return [unit_at(latitude, longitude, on=on, level=1).name_in("en") for on in (day, date(2022, 6, 8))]

    assert region_of(47.8, 67.7) == ["Karaganda region", "Ulytau region"]  # Zhezkazgan
    assert region_of(50.4, 80.2) == ["East Kazakhstan region", "Abai region"]  # Semey
    assert region_of(49.8, 73.1) == ["Karaganda region", "Karaganda region"]
