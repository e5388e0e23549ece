import pytest
from django.urls import reverse

from locations.models import AdminUnit
from tests.factories.locations import AdminUnitFactory, user_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def district():
    region = AdminUnitFactory(code="190000000")
    return AdminUnitFactory(
        code="191000000", parent=region, valid_from="2022-06-08", names={"en": "Konaev", "ru": "Қонаев"}
    )


def unit_ids(response):
    assert response.status_code == 200, response.json()
    return [unit["unit_id"] for unit in response.json()["results"]]


@pytest.mark.parametrize(
    ("role", "status"),
    [("administrator", 200), ("manager", 200), ("coordinator", 200), ("enumerator", 200), (None, 401)],
)
def test_gazetteer_is_read_by_whoever_has_a_role(client, role, status):
    if role:
        client.force_login(user_with(role))

    assert client.get("/api/v1/units/").status_code == status


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_gazetteer_is_not_written(client, district, method):
    client.force_login(user_with("administrator"))

    assert getattr(client, method)(f"/api/v1/units/{district.unit_id}/").status_code == 405
    assert getattr(client, method)("/api/v1/units/").status_code == 405
    assert AdminUnit.objects.count() == 3


def test_coordinator_finds_own_units_and_those_above_and_others_are_not_there(client, district):
    other = AdminUnitFactory()
    client.force_login(user_with("coordinator", district))

    assert unit_ids(client.get("/api/v1/units/")) == ["000000000", "190000000", "191000000"]
    assert client.get(f"/api/v1/units/{district.unit_id}/").status_code == 200
    assert client.get(f"/api/v1/units/{other.unit_id}/").status_code == 404


def test_filters_narrow_by_day_level_parent_and_code(client, district):
    old = AdminUnitFactory(
        code="191000000", unit_id="191000000~2022-06-07", parent=district.parent, valid_to="2022-06-07"
    )
    client.force_login(user_with("manager"))

    def asked(**filters):
        return unit_ids(client.get("/api/v1/units/", filters))

    assert asked(code="191000000") == [district.unit_id, old.unit_id]
    assert asked(code="191000000", on="2022-06-07") == [old.unit_id]
    assert asked(parent="190000000", on="2022-06-08") == [district.unit_id]
    assert asked(level=1) == ["190000000"]
    assert client.get(f"/api/v1/units/{old.unit_id}/").json()["parent"] == "190000000"


@pytest.mark.parametrize("filters", [{"on": "8 June"}, {"level": "two"}, {"level": "9"}])
def test_filter_that_cannot_be_read_is_told(client, filters):
    client.force_login(user_with("manager"))

    response = client.get("/api/v1/units/", filters)

    assert (response.status_code, list(response.json()["errors"])) == (400, list(filters))


def test_parent_that_is_nowhere_gives_no_rows(client, district):
    client.force_login(user_with("manager"))

    assert unit_ids(client.get("/api/v1/units/", {"parent": "'%_\\"})) == []


def test_unit_is_shown_whole_in_the_readers_language(client, district):
    past = AdminUnitFactory(code="191600000", parent=district.parent)
    district.predecessors.add(past)
    client.force_login(user_with("manager"))

    shown = client.get(reverse("unit-detail", args=[district.unit_id]), headers={"accept-language": "ru"}).json()

    assert shown == {
        "unit_id": "191000000",
        "code": "191000000",
        "level": 2,
        "unit_type": "district",
        "parent": "190000000",
        "name": "Қонаев",
        "names": {"en": "Konaev", "ru": "Қонаев"},
        "short_names": {},
        "pcode": "",
        "iso_3166_2": "",
        "iso_3166_2_former": "",
        "valid_from": "2022-06-08",
        "valid_to": None,
        "merged_into": None,
        "predecessors": ["191600000"],
        "latitude": None,
        "longitude": None,
        "coordinate_source": "",
        "time_zone": "",
        "note": "",
    }


@pytest.mark.parametrize("rows", [1, 3])
def test_list_costs_the_same_for_one_row_and_for_three(client, django_assert_num_queries, rows):
    region = AdminUnitFactory()
    for _number in range(rows):
        AdminUnitFactory(parent=region).predecessors.add(region)
    client.force_login(user_with("coordinator", region))
    client.get("/api/v1/units/")

    with django_assert_num_queries(6):  # session, user, scope, count, units with parents, predecessors
        response = client.get("/api/v1/units/", {"level": 2})

    assert len(unit_ids(response)) == rows


def test_search_is_blind_to_script_and_best_first_and_narrows_with_the_other_filters(client, district):
    old = AdminUnitFactory(
        code="191600000", parent=district.parent, valid_to="2022-06-07", names={"ru": "Капчагай", "kk": "Қапшағай"}
    )
    district.predecessors.add(old)
    village = AdminUnitFactory(parent=district, names={"ru": "Конаевка"})
    client.force_login(user_with("manager"))

    def asked(**filters):
        return unit_ids(client.get("/api/v1/units/", filters))

    assert asked(search="Qonaev") == asked(search="конаев") == ["191000000", village.unit_id]
    assert asked(search="Qonaev", level=3) == [village.unit_id]
    assert asked(search="Kapchagay") == [old.unit_id]
    assert asked(search="Kapchagay", on="2022-06-07") == [old.unit_id]
    assert asked(search="Kapchagay", on="2022-06-08") == ["191000000"]
    assert asked(search="Kapchagay", on="2022-06-08", level=3) == []
    assert asked(search="  ") == asked()
    assert asked(search="'%_\\") == []


def test_search_stays_within_what_the_reader_sees(client, district):
    AdminUnitFactory(names={"en": "Konaev"})
    client.force_login(user_with("coordinator", district))

    assert unit_ids(client.get("/api/v1/units/", {"search": "Қонаев"})) == [district.unit_id]
