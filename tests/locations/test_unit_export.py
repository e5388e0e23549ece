"""Places for other programs: the table with HXL tags, the polygon with its credit, and who reads them."""

import csv
import io
from datetime import date, datetime

import openpyxl
import pytest
from django.core.management import call_command

from locations.models import AdminUnit
from locations.services.boundaries import import_boundaries
from tests.factories.locations import AdminUnitFactory, user_with
from tests.locations.boundary_files import CREDIT, collection, feature, square

pytestmark = pytest.mark.django_db

EXPORT = "/api/v1/units/export/"
LEVELS = ["country", "adm1", "adm2", "adm3", "adm4"]


@pytest.fixture
def village():
    region = AdminUnitFactory(code="190000000", names={"en": "Almaty region", "ru": "Алматинская область"})
    district = AdminUnitFactory(code="195200000", parent=region, names={"en": "Karasay"}, pcode="KZ195200")
    return AdminUnitFactory(
        code="195233000",
        parent=district,
        names={"en": '=HYPERLINK("x")', "kk": "Жандосов"},
        valid_from="2022-06-08",
        latitude="43.2",
        longitude="-1.5",
    )


def read_csv(response):
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))


def read_xlsx(response):
    assert response.status_code == 200
    return [
        list(row) for row in openpyxl.load_workbook(io.BytesIO(response.content)).active.iter_rows(values_only=True)
    ]


def codes(table):
    return [row[1] for row in table[2:]]


def test_csv_has_the_tags_under_the_header_and_every_place_above(client, village):
    client.force_login(user_with("manager"))
    header, tags, *rows = read_csv(client.get(EXPORT, {"format": "csv", "level": 3}))

    assert len(header) == len(tags) == len(rows[0]) == 29
    assert dict(zip(header, tags, strict=True)) == {
        "unit_id": "#loc+id",
        "code": "#loc+code",
        "level": "#meta+level",
        "type": "#loc+type",
        **{f"{level}_code": f"#{level}+code" for level in LEVELS},
        **{f"{level}_name_{one}": f"#{level}+name+i_{one}" for level in LEVELS for one in ("en", "ru", "kk")},
        "pcode": "#loc+code+v_pcode",
        "valid_from": "#date+start",
        "valid_to": "#date+end",
        "lat": "#geo+lat",
        "lon": "#geo+lon",
    }
    filled = {name: cell for name, cell in zip(header, rows[0], strict=True) if cell}
    assert (len(rows), filled) == (
        1,
        {
            "unit_id": "195233000",
            "code": "195233000",
            "level": "3",
            "type": "rural_okrug",
            "country_code": "000000000",
            "country_name_en": "Kazakhstan",
            "country_name_ru": "Казахстан",
            "country_name_kk": "Қазақстан",
            "adm1_code": "190000000",
            "adm1_name_en": "Almaty region",
            "adm1_name_ru": "Алматинская область",
            "adm2_code": "195200000",
            "adm2_name_en": "Karasay",
            "adm3_code": "195233000",
            # Neutral for a spreadsheet; the number below zero stays a number.
            "adm3_name_en": '\'=HYPERLINK("x")',
            "adm3_name_kk": "Жандосов",
            "valid_from": "2022-06-08",
            "lat": "43.20000",
            "lon": "-1.50000",
        },
    )


def test_workbook_keeps_codes_as_text_and_numbers_and_dates_as_they_are(client, village):
    client.force_login(user_with("manager"))
    header, tags, *rows = read_xlsx(client.get(EXPORT, {"format": "xlsx", "code": "195233000"}))
    row = dict(zip(header, rows[0], strict=True))

    assert (tags[0], len(rows)) == ("#loc+id", 1)
    assert [row[name] for name in ("code", "adm1_code", "level", "lat", "lon", "valid_from", "adm3_name_en")] == [
        "195233000", "190000000", 3, 43.2, -1.5, datetime(2022, 6, 8), "'=HYPERLINK(\"x\")"  # noqa: DTZ001
    ]  # fmt: skip


def test_export_takes_the_filters_of_the_list_and_refuses_others(client, village):
    AdminUnitFactory(code="195233000", unit_id="195233000~2022-06-07", parent=village.parent, valid_to="2022-06-07")
    client.force_login(user_with("manager"))

    def exported(**asked):
        return codes(read_csv(client.get(EXPORT, {"format": "csv", **asked})))

    assert exported() == ["000000000", "190000000", "195200000", "195233000", "195233000"]
    assert exported(on="2022-06-07", level=3) == ["195233000"]
    assert exported(parent="195200000", on="2022-06-08") == ["195233000"]
    assert exported(search="Жандосов", on="2022-06-08") == ["195233000"]
    for asked, name in (({}, "format"), ({"format": "pdf"}, "format"), ({"format": "csv", "lvl": "1"}, "lvl")):
        response = client.get(EXPORT, asked)
        assert (response.status_code, list(response.json()["errors"])) == (400, [name])


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("administrator", ["000000000", "190000000", "195200000", "195233000", "470000000"]),
        ("manager", ["000000000", "190000000", "195200000", "195233000", "470000000"]),
        ("coordinator", ["000000000", "190000000", "195200000", "195233000"]),
        ("enumerator", ["000000000", "190000000", "195200000", "195233000"]),
    ],
)
def test_each_role_reads_the_places_of_its_scope_and_those_above(client, village, role, seen):
    other = AdminUnitFactory(code="470000000")
    client.force_login(user_with(role, village.parent.parent))

    assert codes(read_csv(client.get(EXPORT, {"format": "csv"}))) == seen
    assert [unit["code"] for unit in client.get("/api/v1/units/").json()["results"]] == seen
    found = client.get(f"/api/v1/units/{other.unit_id}/").status_code
    assert found == (200 if other.code in seen else 404)


def test_who_has_no_role_reads_no_places(client, village, stranger):
    assert client.get(EXPORT, {"format": "csv"}).status_code == 401
    client.force_login(stranger)
    assert client.get(EXPORT, {"format": "csv"}).status_code == 403


def test_enumerator_of_a_village_reads_it_and_the_way_to_it_and_works_with_no_place(village):
    AdminUnitFactory(parent=village.parent)
    user = user_with("enumerator", village)

    assert [unit.code for unit in AdminUnit.objects.readable_by(user)] == [
        "000000000", "190000000", "195200000", "195233000"
    ]  # fmt: skip
    assert not AdminUnit.objects.visible_to(user).exists()
    assert not AdminUnit.objects.in_reach_of(user).exists()


@pytest.mark.parametrize("rows", [1, 3])
def test_export_costs_the_same_for_one_row_and_for_three(client, django_assert_num_queries, rows):
    region = AdminUnitFactory()
    for _number in range(rows):
        AdminUnitFactory(parent=region).predecessors.add(region)
    client.force_login(user_with("coordinator", region))

    with django_assert_num_queries(5):  # session, user, scope, places above, places
        table = read_csv(client.get(EXPORT, {"format": "csv", "level": 2}))
    assert len(codes(table)) == rows


def test_whole_gazetteer_is_exported(client):
    call_command("load_gazetteer", stdout=io.StringIO())
    client.force_login(user_with("manager", AdminUnit.objects.get(level=0)))

    table = read_csv(client.get(EXPORT, {"format": "csv", "on": "2022-06-08"}))
    assert len(codes(table)) == AdminUnit.objects.units_on(date(2022, 6, 8)).count()
    assert {len(row) for row in table} == {29}


def test_polygon_comes_as_a_feature_with_its_credit(client, village):
    import_boundaries(collection(feature(square(76, 43), code="195233000")), **CREDIT)
    client.force_login(user_with("enumerator", village))

    assert client.get("/api/v1/units/195233000/boundary/").json() == {
        "type": "Feature",
        "source": "Test survey",
        "licence": "CC BY 4.0",
        "properties": {"unit_id": "195233000", "code": "195233000", "level": 3, "name": '=HYPERLINK("x")'},
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[76.0, 43.0], [77.0, 43.0], [77.0, 44.0], [76.0, 44.0], [76.0, 43.0]]],
        },
    }
    assert client.get("/api/v1/units/195200000/boundary/").status_code == 404
    assert client.get("/api/v1/units/470000000/boundary/").status_code == 404
