from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from locations.models import AdminUnit, UnitScope
from tests.factories.accounts import UserFactory
from tests.factories.locations import AdminUnitFactory, CountryFactory, user_with

pytestmark = pytest.mark.django_db

UNITS = "/admin/locations/adminunit/"
RIGHTS = "/admin/locations/unitscope/"


@pytest.fixture
def region():
    return AdminUnitFactory(code="190000000", names={"en": "Almaty region", "ru": "Алматинская область"})


@pytest.fixture
def login(client):
    def by_role(role, *units):
        client.force_login(user_with(role, *units))
        return client

    return by_role


def listed(client, address=UNITS, **asked):
    response = client.get(address, asked)
    assert response.status_code == 200, response
    return [row.unit_id for row in response.context["cl"].result_list]


def queries_of(act):
    """How many queries it makes once content types and the like are in memory."""
    act()
    with CaptureQueriesContext(connection) as made:
        act()
    return len(made)


def posted(unit, **changes):
    """What the form of a unit sends: the dates and texts as they are, no row of its tables, and the changes."""
    tables = {f"aliases{number}-{word}_FORMS": "0" for number in ("", "-2") for word in ("TOTAL", "INITIAL")}
    names = {"names_en": unit.names.get("en", ""), "names_ru": unit.names.get("ru", ""), "names_kk": ""}
    return {"code": unit.code, "unit_type": unit.unit_type, **tables, **names, **changes}


def test_desk_opens_by_role_whatever_is_staff_says(client):
    for user, status in [
        (user_with("administrator"), 200),
        (user_with("manager"), 200),
        (user_with("coordinator"), 200),
        (user_with("enumerator"), 302),
        (UserFactory(is_staff=True), 302),
    ]:
        client.force_login(user)
        assert client.get("/admin/").status_code == status
        assert client.get(UNITS).status_code == status


def test_log_in_of_a_coordinator_works_without_the_staff_flag(client):
    user = user_with("coordinator")
    user.set_password("a long enough word")
    user.save()

    answer = client.post("/admin/login/?next=/admin/", {"username": user.username, "password": "a long enough word"})

    assert (answer.status_code, client.get("/admin/").status_code) == (302, 200)


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("administrator", {"add": True, "change": True, "delete": False, "view": True}),
        ("manager", {"add": False, "change": False, "delete": False, "view": True}),
        ("coordinator", {"add": False, "change": False, "delete": False, "view": True}),
        ("enumerator", {"add": False, "change": False, "delete": False, "view": False}),
    ],
)
def test_rights_on_places_by_role(rf, role, may):
    request = rf.get("/")
    request.user = user_with(role)

    assert admin.site._registry[AdminUnit].get_model_perms(request) == may
    rights_on_rights = {**may, "delete": may["change"]}
    assert admin.site._registry[UnitScope].get_model_perms(request) == rights_on_rights


def test_coordinator_sees_own_places_and_another_place_is_not_there(login, region):
    own, other = AdminUnitFactory(parent=region), AdminUnitFactory(parent=region)
    client = login("coordinator", own)

    assert listed(client) == ["000000000", "190000000", own.unit_id]
    assert client.get(f"{UNITS}{own.pk}/change/").status_code == 200
    for page in ("change", "history", "delete"):
        assert client.get(f"{UNITS}{other.pk}/{page}/").status_code == 404


@pytest.mark.parametrize(("role", "status"), [("administrator", 302), ("manager", 403), ("coordinator", 403)])
def test_place_is_changed_by_administrators_alone(login, region, role, status):
    client = login(role, region)

    answer = client.post(f"{UNITS}{region.pk}/change/", posted(region, names_en="Renamed"))

    region.refresh_from_db()
    assert answer.status_code == status
    assert region.names["en"] == ("Renamed" if status == 302 else "Almaty region")


def test_change_keeps_names_in_languages_that_the_form_does_not_show(login, region):
    AdminUnit.objects.update(names={"en": "Almaty region", "fr": "Région d’Almaty"})

    login("administrator").post(f"{UNITS}{region.pk}/change/", posted(region, names_kk="Алматы облысы"))

    region.refresh_from_db()
    assert region.names == {
        "en": "Almaty region",
        "ru": "Алматинская область",
        "kk": "Алматы облысы",
        "fr": "Région d’Almaty",
    }


def test_new_place_is_added_with_its_path_and_a_wrong_one_is_refused_in_words(login, region):
    client = login("administrator")
    tables = {f"aliases{number}-{word}_FORMS": "0" for number in ("", "-2") for word in ("TOTAL", "INITIAL")}
    new = {"code": "191", "unit_id": "191", "level": 2, "unit_type": "district", "names_en": "Konaev", **tables}

    refused = client.post(f"{UNITS}add/", {**new, "valid_from": "2022-06-08", "valid_to": "2022-06-07"})
    assert refused.status_code == 200
    assert "The last day of validity is before the first." in refused.content.decode()
    assert "Every place but the country is part of another place." in refused.content.decode()
    assert AdminUnit.objects.count() == 2

    assert client.post(f"{UNITS}add/", {**new, "parent": region.pk}).status_code == 302
    assert AdminUnit.objects.get(unit_id="191").path == "000000000/190000000/191/"


def test_place_cannot_be_deleted(login, region):
    client = login("administrator")

    assert client.post(f"{UNITS}{region.pk}/delete/", {"post": "yes"}).status_code == 403
    answer = client.post(UNITS, {"action": "delete_selected", "_selected_action": [region.pk], "post": "yes"})

    assert answer.status_code in (200, 302)
    assert AdminUnit.objects.filter(pk=region.pk).exists()


def test_list_is_searched_in_every_language_and_by_code(login, region):
    AdminUnitFactory()
    client = login("manager")

    for words in ("almaty", "АЛМАТИН", "190000000"):
        assert listed(client, q=words) == ["190000000"]
    assert listed(client, q="'%_\\") == []


def test_list_is_filtered_by_region_kind_level_and_validity(login, region):
    district = AdminUnitFactory(parent=region, valid_to="2022-06-07")
    client = login("manager")

    assert listed(client, region=region.path) == ["190000000", district.unit_id]
    assert listed(client, unit_type="district") == [district.unit_id]
    assert listed(client, level__exact=1) == ["190000000"]
    assert listed(client, validity="today") == ["000000000", "190000000"]
    assert listed(client, validity="closed") == [district.unit_id]
    assert listed(client, validity="coming") == []


def test_list_of_places_costs_the_same_for_one_row_and_for_three(login, region):
    client = login("coordinator", region)
    AdminUnitFactory(parent=region)
    one = queries_of(lambda: client.get(UNITS))
    AdminUnitFactory.create_batch(2, parent=region)

    assert queries_of(lambda: client.get(UNITS)) == one
    assert len(listed(client)) == 5


def test_list_of_rights_costs_the_same_for_one_row_and_for_three(login, region):
    client = login("coordinator", region)
    one = queries_of(lambda: client.get(RIGHTS))
    user_with("enumerator", region)
    user_with("enumerator", AdminUnitFactory(parent=region))

    assert queries_of(lambda: client.get(RIGHTS)) == one
    assert len(client.get(RIGHTS).context["cl"].result_list) == 3


def test_choice_of_places_shows_the_place_above_and_stays_within_reach(login, region):
    own = AdminUnitFactory(parent=region, names={"en": "Zhambyl"})
    AdminUnitFactory(parent=CountryFactory(), names={"en": "Zhambyl"})
    asked = {"app_label": "locations", "model_name": "unitscope", "field_name": "unit", "term": "zham"}

    def offered(client):
        return [row["text"] for row in client.get("/admin/autocomplete/", asked).json()["results"]]

    assert sorted(offered(login("administrator"))) == ["Zhambyl (Almaty region)", "Zhambyl (Kazakhstan)"]
    assert offered(login("coordinator", own)) == ["Zhambyl (Almaty region)"]


@pytest.mark.parametrize(("role", "status"), [("administrator", 302), ("manager", 403), ("coordinator", 403)])
def test_right_is_given_by_administrators_alone(login, region, role, status):
    client = login(role, region)
    person = UserFactory()

    answer = client.post(f"{RIGHTS}add/", {"user": person.pk, "unit": region.pk, "role": "manager"})

    assert answer.status_code == status
    assert person.unit_scopes.count() == (1 if status == 302 else 0)


def test_right_is_taken_away_by_an_administrator(login, region):
    right = user_with("manager", region).unit_scopes.get()

    answer = login("administrator").post(reverse("admin:locations_unitscope_delete", args=[right.pk]), {"post": "yes"})

    assert (answer.status_code, UnitScope.objects.filter(pk=right.pk).count()) == (302, 0)


def test_renamed_place_keeps_what_it_was_called_and_is_found_by_both(login, region):
    client = login("administrator")
    client.post(f"{UNITS}{region.pk}/change/", posted(region, names_en="Zhambyl region", names_ru="Жамбылская область"))

    assert listed(client, q="Жамбыл") == listed(client, q="Almaty") == ["190000000"]
    kept = region.aliases.filter(kind="old").values_list("language", "name", "valid_to")
    yesterday = timezone.localdate() - timedelta(days=1)
    assert sorted(kept) == [("en", "Almaty region", yesterday), ("ru", "Алматинская область", yesterday)]
    region.refresh_from_db()
    assert set(region.aliases.filter(kind="name").values_list("language", "name")) == set(region.names.items())

    client.post(f"{UNITS}{region.pk}/change/", posted(region, names_en="Almaty region"))

    assert not region.aliases.filter(kind="old", name="Almaty region").exists()
    assert region.aliases.filter(kind="old", name="Zhambyl region").exists()


def test_name_spelt_better_leaves_no_old_name(login, region):
    login("administrator").post(f"{UNITS}{region.pk}/change/", posted(region, names_en="Almaty Region"))

    assert not region.aliases.filter(kind="old").exists()


def test_other_spelling_is_kept_by_hand_and_one_of_the_names_is_not_changed_so(login, region):
    client = login("administrator")
    own = region.aliases.get(kind="name", language="en")
    row = {
        "name": "Верненская область",
        "language": "ru",
        "kind": "old",
        "valid_to": "",
        "source": "",
        "unit": region.pk,
    }
    new = {"aliases-TOTAL_FORMS": "1", **{f"aliases-0-{column}": value for column, value in row.items()}}

    assert client.post(f"{UNITS}{region.pk}/change/", posted(region, **new)).status_code == 302
    assert listed(client, q="vernenskaya") == ["190000000"]

    forged = {"aliases-2-TOTAL_FORMS": "1", "aliases-2-INITIAL_FORMS": "1", "aliases-2-0-id": own.pk}
    client.post(
        f"{UNITS}{region.pk}/change/",
        posted(region, **forged, **{"aliases-2-0-unit": region.pk, "aliases-2-0-name": "Forged"}),
    )
    kind = posted(region, **{**new, "aliases-0-name": "Other", "aliases-0-kind": "name"})
    assert client.post(f"{UNITS}{region.pk}/change/", kind).status_code == 200
    assert not region.aliases.filter(name__in=["Forged", "Other"]).exists()
    assert region.aliases.filter(pk=own.pk, name="Almaty region").exists()


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("coordinator", 403)])
def test_other_spelling_is_kept_by_administrators_alone(login, region, role, status):
    row = {"name": "Верненская область", "language": "ru", "kind": "old", "unit": region.pk}
    new = {"aliases-TOTAL_FORMS": "1", **{f"aliases-0-{column}": value for column, value in row.items()}}

    assert login(role, region).post(f"{UNITS}{region.pk}/change/", posted(region, **new)).status_code == status
    assert not region.aliases.filter(kind="old").exists()


def test_list_that_was_searched_costs_the_same_for_one_row_and_for_three(login, region):
    client = login("coordinator", region)
    AdminUnitFactory(parent=region, names={"en": "Abai"})
    one = queries_of(lambda: client.get(UNITS, {"q": "Абай"}))
    AdminUnitFactory.create_batch(2, parent=region, names={"en": "Abai"})

    assert queries_of(lambda: client.get(UNITS, {"q": "Абай"})) == one
    assert len(listed(client, q="Абай")) == 3
    assert listed(client, q="Абай", o="3") == sorted(listed(client, q="Абай"))
