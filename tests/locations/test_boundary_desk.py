"""Polygons on the desk: whose they are, what is missing, and a file that is tried before it counts."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from locations.models import AdminUnit, Boundary
from tests.factories.locations import AdminUnitFactory, BoundaryFactory, CountryFactory, user_with
from tests.locations.boundary_files import CREDIT, collection, feature, square

pytestmark = pytest.mark.django_db

LIST = "/admin/locations/boundary/"
IMPORT = f"{LIST}import/"


@pytest.fixture
def region():
    return AdminUnitFactory(code="190000000", names={"en": "Almaty region"})


@pytest.fixture
def login(client):
    def by_role(role, *units):
        client.force_login(user_with(role, *units))
        return client

    return by_role


def upload(asked):
    content = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return SimpleUploadedFile("areas.geojson", content)


def text_of(response):
    return " ".join(response.content.decode().split())


def test_file_is_tried_first_and_imported_when_it_is_confirmed(login, region):
    client = login("administrator")
    other = AdminUnitFactory(code="470000000", names={"en": "Mangystau region"})
    tried = client.post(
        IMPORT, {"file": upload(collection(feature(square(76, 43), code="190000000"))), "property": "code", **CREDIT}
    )
    text = text_of(tried)

    assert not Boundary.objects.exists()
    assert "New: 1. Changed: 0. The same as before: 0." in text
    assert "Boundaries: Test survey (CC BY 4.0)." in text
    assert f"{other.name} (470000000)" in text
    assert tried.context["kept"] == [("source", "Test survey"), ("licence", "CC BY 4.0"), ("property", "code")]

    done = client.post(IMPORT, {"token": tried.context["token"], **dict(tried.context["kept"])}, follow=True)
    assert [str(message) for message in done.context["messages"]] == ["1 polygons added, 0 changed, 0 unchanged."]
    assert list(Boundary.objects.values_list("unit__code", "source")) == [("190000000", "Test survey")]
    again = client.post(IMPORT, {"token": tried.context["token"], **CREDIT}, follow=True)
    assert [str(message) for message in again.context["messages"]] == [
        "The file was chosen too long ago. Choose it again."
    ]


def test_file_with_faults_shows_each_and_keeps_what_was_typed(login, region):
    client = login("administrator")
    asked = collection(feature(square(76, 43), code="190000000"), feature(None, code="190000000"), feature(1, code="9"))
    response = client.post(IMPORT, {"file": upload(asked), "licence": "CC0"})

    assert response.context["form"].errors == {
        "source": ["The file does not say whose polygons these are: name the source."]
    }
    assert [(problem.feature, problem.code) for problem in response.context["problems"]] == [
        (2, "190000000"), (2, "190000000"), (3, "9"), (3, "9")
    ]  # fmt: skip
    assert 'value="CC0"' in text_of(response)
    assert not Boundary.objects.exists()


def test_file_that_is_none_is_told(login):
    client = login("administrator")

    assert "This is not a GeoJSON FeatureCollection." in text_of(client.post(IMPORT, {"file": upload({}), **CREDIT}))
    assert "The file is not JSON: line 1, column 1 cannot be read." in text_of(
        client.post(IMPORT, {"file": upload(b"shapes"), **CREDIT})
    )
    assert client.post(IMPORT, CREDIT).context["form"].errors == {"file": ["This field is required."]}


def test_what_changed_since_the_check_is_told_and_nothing_written(login, region):
    client = login("administrator")
    tried = client.post(IMPORT, {"file": upload(collection(feature(square(76, 43), code="190000000"))), **CREDIT})
    AdminUnit.objects.filter(pk=region.pk).update(valid_to="2022-06-07")

    done = client.post(IMPORT, {"token": tried.context["token"], **CREDIT}, follow=True)
    assert "Something changed since the check: nothing was imported." in text_of(done)
    assert not Boundary.objects.exists()


@pytest.mark.parametrize("role", ["manager", "coordinator"])
def test_file_of_who_is_no_administrator_is_refused(login, region, role):
    client = login(role, region.parent)

    assert client.get(LIST).status_code == 200
    assert "import/" not in text_of(client.get(LIST))
    assert client.get(IMPORT).status_code == 403
    asked = {"file": upload(collection(feature(square(76, 43), code="190000000"))), **CREDIT}
    assert client.post(IMPORT, asked).status_code == 403
    assert not Boundary.objects.exists()


def test_file_that_another_administrator_tried_is_not_found(login, region):
    token = login("administrator").post(
        IMPORT, {"file": upload(collection(feature(square(76, 43), code="190000000"))), **CREDIT}
    ).context["token"]  # fmt: skip
    login("administrator").post(IMPORT, {"token": token, **CREDIT})

    assert not Boundary.objects.exists()


def test_list_shows_level_credit_and_points_of_polygons_in_scope(login, region):
    BoundaryFactory(unit=region)
    BoundaryFactory(unit=AdminUnitFactory())
    client = login("coordinator", region)

    response = client.get(LIST)
    (row,) = response.context["cl"].result_list
    assert (row.unit, row.points) == (region, 5)
    text = text_of(response)
    assert "Almaty region (Kazakhstan)" in text
    assert '<td class="field-licence">CC BY 4.0</td>' in text


@pytest.mark.parametrize("rows", [1, 3])
def test_list_costs_the_same_for_one_row_and_for_three(login, region, rows, django_assert_num_queries):
    for number in range(rows):
        BoundaryFactory(unit=AdminUnitFactory(parent=region), west=70.0 + number)
    client = login("coordinator", region)
    client.get(LIST)

    with django_assert_num_queries(7):  # session, user, scope, count twice, rows, the days to filter by
        response = client.get(LIST)
    assert len(response.context["cl"].result_list) == rows


def test_page_of_a_place_and_of_its_polygon_show_it_with_its_credit(login, region):
    drawn = BoundaryFactory(unit=region)
    BoundaryFactory(unit=region, drawn_for="2022-06-07", source="Before the reform")
    client = login("coordinator", region)

    for address in (f"/admin/locations/adminunit/{region.pk}/change/", f"{LIST}{drawn.pk}/change/"):
        text = text_of(client.get(address))
        assert text.count('class="chart polygon-map"') == 1
        assert "Boundaries: Test survey (CC BY 4.0)." in text
        assert "do not imply official endorsement or acceptance by IOM" in text
    bare = text_of(client.get(f"/admin/locations/adminunit/{region.parent.pk}/change/"))
    assert ("polygon-map" in bare, "endorsement" in bare) == (False, False)


def test_places_without_a_polygon_are_listed_by_level_within_scope(login, region):
    BoundaryFactory(unit=region)
    bare = AdminUnitFactory(parent=region)
    AdminUnitFactory(parent=region, valid_to="2022-06-07")
    AdminUnitFactory(parent=AdminUnitFactory())
    client = login("coordinator", region)

    response = client.get(f"{LIST}missing/", {"level": 2})
    assert list(response.context["page"]) == [bare]
    assert [(level, count) for level, count, _shown in response.context["counts"]] == [
        (0, 1), (1, 0), (2, 1), (3, 0), (4, 0)
    ]  # fmt: skip
    assert list(client.get(f"{LIST}missing/", {"level": "x"}).context["page"]) == [CountryFactory()]
    assert "Every place of this level is drawn." in text_of(client.get(f"{LIST}missing/", {"level": 1}))


def test_polygon_is_deleted_by_administrators_alone(login, region):
    drawn = BoundaryFactory(unit=region)

    assert login("manager").post(f"{LIST}{drawn.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Boundary.objects.exists()
    assert login("administrator").post(f"{LIST}{drawn.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Boundary.objects.exists()


def test_list_of_places_is_exported_as_filtered(login, region):
    AdminUnitFactory(code="195200000", parent=region)
    AdminUnitFactory(code="475200000", parent=AdminUnitFactory(code="470000000"))
    client = login("coordinator", region)
    page = text_of(client.get("/admin/locations/adminunit/", {"level__exact": 2}))
    lines = client.get("/admin/locations/adminunit/export.csv", {"level__exact": 2}).content.decode("utf-8-sig")

    assert '<a href="export.csv?level__exact=2">Export CSV</a>' in page
    assert '<a href="export.xlsx?level__exact=2">Export XLSX</a>' in page
    rows = [line.split(",")[:2] for line in lines.splitlines()]
    assert rows == [["unit_id", "code"], ["#loc+id", "#loc+code"], ["195200000", "195200000"]]
    found = client.get("/admin/locations/adminunit/export.csv", {"q": "195200000"}).content.decode("utf-8-sig")
    assert [line.split(",")[0] for line in found.splitlines()] == ["unit_id", "#loc+id", "195200000"]
