"""Updates of the classifier and proposals from the field on the desk; closing and merging a place there."""

import json
from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt
from locations.models import AdminUnit, GazetteerUpdate, UnitChange
from locations.selectors.changes import resolve_unit
from locations.services.field_proposals import propose_field_change
from locations.services.unit_changes import refuse_change
from locations.services.units import close_unit, merge_units
from tests.factories.locations import AdminUnitFactory, UnitScopeFactory

pytestmark = pytest.mark.django_db

UNITS = "/admin/locations/adminunit/"
CHANGES = "/admin/locations/unitchange/"
UPDATES = "/admin/locations/gazetteerupdate/"
HEADER = "unit_id,code,level,unit_type,parent_id,name_en,pcode\n"
FILE = (
    HEADER
    + "190000000,190000000,1,region,000000000,Almaty region,KZ19\n"
    + "195200000,195200000,2,district,190000000,Qarasay,\n"
    + "195300000,195300000,2,district,190000000,Talgar,\n"
)


def upload(client, text, **more):
    file = SimpleUploadedFile("kato.csv", text.encode())
    sent = {"file": file, "title": "KATO 2024", "source": "BNS", "effective_on": "2024-01-01", "within": "", **more}
    return client.post(f"{UPDATES}add/", sent)


def listed(client, **asked):
    return [(row.kind, row.place_name) for row in client.get(CHANGES, asked).context["cl"].result_list]


@pytest.fixture
def desk(client, administrator, village, other_village):
    client.force_login(administrator)
    return client


@pytest.fixture
def update(desk):
    upload(desk, FILE)
    return GazetteerUpdate.objects.get()


def test_file_becomes_a_difference_grouped_by_kind(desk, administrator, village):
    answer = upload(desk, FILE)

    update = GazetteerUpdate.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{UPDATES}{update.pk}/change/")
    assert (update.made_by, update.file_name, update.source) == (administrator, "kato.csv", "BNS")
    groups = desk.get(f"{UPDATES}{update.pk}/change/").context["groups"]
    assert [(group["kind"].value, group["count"]) for group in groups] == [
        ("added", 1),
        ("renamed", 1),
        ("corrected", 1),
    ]
    page = desk.get(f"{UPDATES}{update.pk}/change/").content.decode()
    assert "Karasay → Qarasay" in page


def test_problems_of_the_file_are_told_at_once_and_what_was_typed_stays(desk):
    bad = FILE.replace(",2,district,190000000,Talgar", ",9,district,nowhere,Talgar").replace("Qarasay", "")

    answer = upload(desk, bad)

    page = answer.content.decode()
    assert (answer.status_code, GazetteerUpdate.objects.count()) == (200, 0)
    assert [(problem.row, problem.column) for problem in answer.context["problems"]] == [
        (3, "name"), (4, "level"),
    ]  # fmt: skip
    assert 'value="KATO 2024"' in page


@pytest.mark.parametrize(
    ("more", "text", "words"),
    [
        ({"within": "nowhere"}, FILE, "There is no unit"),
        ({"effective_on": ""}, FILE, "This field is required"),
        ({}, HEADER + "195200000,195200000,2,district,190000000,Karasay,\n", "No difference"),
        ({}, "", "The submitted file is empty"),
        ({}, HEADER.replace("code", "kod"), "The column “code” is missing"),
    ],
)
def test_wrong_file_is_refused_in_words(desk, more, text, words):
    assert words in upload(desk, text, **more).content.decode()
    assert GazetteerUpdate.objects.count() == 0


@pytest.mark.parametrize("who", ["manager", "coordinator"])
def test_only_administrators_propose_and_decide(client, update, request, who):
    client.force_login(request.getfixturevalue(who))
    change = update.changes.get(kind="renamed")

    assert upload(client, FILE).status_code == 403
    assert client.get(f"{CHANGES}{change.pk}/change/").status_code == 200
    answer = client.post(f"{CHANGES}{change.pk}/do/accept/", {"confirmed": "1", "fields": ["name_en"], "note": ""})

    change.refresh_from_db()
    assert (answer.status_code, change.status, GazetteerUpdate.objects.count()) == (403, "open", 1)


def test_coordinator_reads_what_lies_in_the_own_units(client, update, coordinator, other_coordinator):
    client.force_login(coordinator)
    own = listed(client)
    client.force_login(other_coordinator)

    assert sorted(own) == [("added", "Talgar"), ("renamed", "Karasay")]
    assert listed(client) == []
    page = client.get(f"{UPDATES}{update.pk}/change/")
    assert (page.context["groups"], "Nothing of it lies within your reach" in page.content.decode()) == ([], True)
    assert client.get(f"{CHANGES}{update.changes.get(kind='renamed').pk}/change/").status_code == 404


def test_columns_are_ticked_one_by_one(desk, update, administrator):
    AdminUnit.objects.filter(unit_id="195200000").update(pcode="old")
    upload(desk, FILE)
    change = UnitChange.objects.filter(kind="renamed").latest("pk")

    asked = desk.get(f"{CHANGES}{change.pk}/do/accept/").content.decode()
    desk.post(f"{CHANGES}{change.pk}/do/accept/", {"confirmed": "1", "fields": ["pcode"], "note": "Spelling stays"})

    change.refresh_from_db()
    unit = AdminUnit.objects.get(unit_id="195200000")
    assert "name (English): Karasay → Qarasay" in asked
    assert (change.status, change.taken, change.decided_by, change.decision_note) == (
        "accepted", ["pcode"], administrator, "Spelling stays",
    )  # fmt: skip
    assert (unit.names, unit.pcode) == ({"en": "Karasay"}, "")


def test_bulk_of_the_list_finds_the_order_and_writes_one_receipt(desk, update):
    chosen = [str(key) for key in update.changes.values_list("pk", flat=True)]

    answer = desk.post(
        CHANGES, {"action": "accept", "_selected_action": chosen, "confirmed": "1", "note": ""}, follow=True
    )

    assert "Accept: done for 3 of 3" in answer.content.decode()
    assert set(update.changes.values_list("status", flat=True)) == {"accepted"}
    assert len(Receipt.objects.get(kind="place_changes").lines) == 3


def test_whole_update_is_decided_by_kind_and_undone_from_the_list(desk, update):
    desk.post(f"{UPDATES}{update.pk}/do/accept_open/", {"confirmed": "1", "kinds": ["added", "renamed"], "note": ""})
    desk.post(f"{UPDATES}{update.pk}/do/refuse_open/", {"confirmed": "1", "kinds": ["corrected"], "note": "No"})
    states = sorted(update.changes.values_list("kind", "status"))
    chosen = [str(key) for key in update.changes.filter(status="accepted").values_list("pk", flat=True)]
    desk.post(CHANGES, {"action": "undo", "_selected_action": chosen, "confirmed": "1", "note": ""})

    assert states == [("added", "accepted"), ("corrected", "refused"), ("renamed", "accepted")]
    assert sorted(update.changes.values_list("kind", "status")) == [
        ("added", "undone"), ("corrected", "refused"), ("renamed", "undone"),
    ]  # fmt: skip
    assert not AdminUnit.objects.filter(code="195300000").exists()


def test_page_out_of_date_decides_nothing(desk, update):
    change = update.changes.get(kind="added")
    seen = {f"seen-{change.pk}": "open", "confirmed": "1", "note": ""}
    refuse_change(UnitChange.objects.get(pk=change.pk), by=None, note="No")

    answer = desk.post(f"{CHANGES}{change.pk}/do/accept/", seen)

    change.refresh_from_db()
    assert (change.status, AdminUnit.objects.filter(code="195300000").exists()) == ("refused", False)
    assert "meanwhile" in answer.content.decode()


def test_list_is_filtered_by_origin_kind_status_and_region(desk, update, enumerator, other_village, administrator):
    propose_field_change("closed", by=enumerator.user, unit=other_village, reason="Empty")
    region = AdminUnit.objects.get(unit_id="470000000")

    assert listed(desk, origin="field") == [("closed", "Boranqul")]
    assert len(listed(desk, origin="classifier")) == len(listed(desk, origin=str(update.pk))) == 3
    assert listed(desk, region=region.path) == [("closed", "Boranqul")]
    assert listed(desk, kind__exact="added") == [("added", "Talgar")]
    assert listed(desk, status__exact="accepted") == []
    assert listed(desk, q="Talgar") == [("added", "Talgar")]


def test_point_is_shown_with_its_accuracy_and_the_way_to_the_known_point(desk, village, enumerator):
    AdminUnit.objects.filter(pk=village.pk).update(latitude="43.20000", longitude="76.60000")
    change = propose_field_change(
        "closed", by=enumerator.user, unit=village, reason="Empty", point=(43.25, 76.6), accuracy=15
    )

    page = desk.get(f"{CHANGES}{change.pk}/change/").content.decode()

    assert "accuracy 15 m" in page
    assert "5.6 km from the known point of Zhandosov" in page


def test_lists_cost_the_same_for_one_row_and_for_three(desk, village, enumerator):
    def queries(address):
        desk.get(address)
        with CaptureQueriesContext(connection) as made:
            assert desk.get(address).status_code == 200
        return len(made)

    def make(number):
        update = GazetteerUpdate.objects.create(title=f"{number}", effective_on=date(2024, 1, 1))
        for kind in ("renamed", "closed", "corrected"):
            UnitChange.objects.create(
                update=update, kind=kind, unit=AdminUnitFactory(parent=village), parent=village,
                effective_on=date(2024, 1, 1), raised_by=enumerator.user, after={"pcode": "X"},
            )  # fmt: skip
        return update

    first = make(1)
    page = f"{UPDATES}{first.pk}/change/"
    one = [queries(CHANGES), queries(UPDATES), queries(page)]
    make(2), make(3)
    for kind in ("renamed", "closed", "corrected"):
        UnitChange.objects.create(
            update=first,
            kind=kind,
            unit=AdminUnitFactory(parent=village),
            parent=village,
            effective_on=date(2024, 1, 1),
        )

    assert [queries(CHANGES), queries(UPDATES), queries(page)] == one


# --- close and merge


def test_place_is_closed_on_its_page_and_stays(desk, village, administrator):
    UnitScopeFactory(unit=village, user=administrator)

    answer = desk.post(
        f"{UNITS}{village.pk}/do/close/", {"confirmed": "1", "last_day": "2026-01-31", "reason": "Flooded"}, follow=True
    )

    village.refresh_from_db()
    receipt = Receipt.objects.get(kind="place_closed")
    assert village.valid_to == date(2026, 1, 31)
    assert [str(message) for message in answer.context["messages"]] == [
        "Closed: Zhandosov. Still at this row: rights (1)."
    ]
    assert (receipt.by, [line["done"] for line in receipt.lines]) == (
        administrator, ["closed, last day 2026-01-31: Flooded", "still point at this row"],
    )  # fmt: skip


def test_district_with_villages_is_not_closed(desk, district, village):
    answer = desk.post(
        f"{UNITS}{district.pk}/do/close/", {"confirmed": "1", "last_day": "2026-01-31", "reason": "Dissolved"}
    )

    district.refresh_from_db()
    assert district.valid_to is None
    assert "Places below “Karasay” are still in force: Zhandosov" in answer.content.decode()
    assert Receipt.objects.count() == 0


def test_place_that_ended_is_not_closed_again_nor_before_it_begins(village):
    AdminUnit.objects.filter(pk=village.pk).update(valid_from="2023-01-01")
    with pytest.raises(Refused, match="begins on 2023-01-01 only"):
        close_unit(village, last_day=date(2022, 1, 1), by=None, reason="x")

    close_unit(village, last_day=date(2024, 1, 1), by=None, reason="x")
    with pytest.raises(Refused, match="has closed already, on 2024-01-01"):
        close_unit(village, last_day=date(2024, 1, 1), by=None, reason="x")


def test_merged_place_leads_to_the_other_on_every_face(desk, village, district):
    twin = AdminUnitFactory(code="195233001", parent=district, names={"en": "Jandosov"})
    merge = {"confirmed": "1", "into": str(village.pk), "reason": "Same well"}

    said = desk.post(f"{UNITS}{twin.pk}/do/merge/", merge, follow=True).content.decode()
    page = desk.get(f"{UNITS}{twin.pk}/change/").content.decode()
    api = desk.get(f"/api/v1/units/{twin.unit_id}/").json()

    twin.refresh_from_db()
    assert (twin.merged_into, twin.valid_to) == (village, timezone.localdate() - timedelta(days=1))
    assert "Merged: Jandosov into Zhandosov" in said
    assert f'href="{UNITS}{village.pk}/change/"' in page
    assert api["merged_into"] == village.unit_id
    assert desk.get(f"/api/v1/units/{village.unit_id}/").json()["merged_into"] is None
    assert (resolve_unit(twin.unit_id), resolve_unit("nowhere")) == (village, None)
    assert list(village.aliases.filter(kind="other").values_list("name", flat=True)) == ["Jandosov"]


@pytest.mark.parametrize("what", ["itself", "circle", "closed", "below", "merged into", "merged already"])
def test_merging_that_makes_no_sense_is_refused(village, district, what):
    one, two = (AdminUnitFactory(parent=district) for _number in range(2))
    third = AdminUnitFactory(parent=district)
    on = date(2024, 1, 1)
    if what in ("merged into", "merged already"):
        merge_units(two, third, by=None, on=on, reason="x")
    if what == "circle":
        merge_units(two, one, by=None, on=on, reason="x")
    if what == "closed":
        AdminUnit.objects.filter(pk=two.pk).update(valid_to="2020-01-01")
    duplicate, into, words = {
        "itself": (one, one, "A place cannot be merged into itself"),
        "circle": (one, two, "A place cannot be merged into itself"),
        "closed": (one, two, "has closed, on 2020-01-01: nothing can be merged into it"),
        "below": (district, one, "lies within the place"),
        "merged into": (one, two, "was itself merged into"),
        "merged already": (two, one, "was merged already, into"),
    }[what]
    before = list(AdminUnit.objects.order_by("pk").values())

    with pytest.raises(Refused, match=words):
        merge_units(duplicate, into, by=None, on=on, reason="x")

    assert list(AdminUnit.objects.order_by("pk").values()) == before


def test_district_with_villages_is_not_merged(district, village, region):
    other = AdminUnitFactory(parent=region)

    with pytest.raises(Refused, match="Places lie below “Karasay”: Zhandosov"):
        merge_units(district, other, by=None, on=date(2024, 1, 1), reason="x")


# --- the command


def test_command_proposes_and_prints_one_json_object(tmp_path, capsys, village):
    file = tmp_path / "kato.csv"
    file.write_text(FILE, encoding="utf-8")
    words = ["propose_gazetteer", str(file), "--title", "KATO", "--effective-on", "2024-01-01", "--json"]

    call_command(*words)
    told = json.loads(capsys.readouterr().out)

    assert told == {
        "update": GazetteerUpdate.objects.get().pk, "changes": 3,
        "kinds": {"corrected": 1, "renamed": 1, "added": 1},
    }  # fmt: skip


def test_command_without_a_difference_says_so(tmp_path, capsys, village):
    file = tmp_path / "kato.csv"
    file.write_text(HEADER + "195200000,195200000,2,district,190000000,Karasay,\n", encoding="utf-8")

    call_command("propose_gazetteer", str(file), "--title", "KATO", "--effective-on", "2024-01-01")

    assert "No difference" in capsys.readouterr().err


def test_command_tells_every_problem(tmp_path, capsys, village):
    file = tmp_path / "kato.csv"
    file.write_text(HEADER + "1,1,2,district,nowhere,A,\n2,2,9,district,190000000,,\n", encoding="utf-8")

    with pytest.raises(CommandError, match="Row 2, parent_id: There is no unit “nowhere”"):
        call_command("propose_gazetteer", str(file), "--title", "K", "--effective-on", "2024-01-01", "--json")

    assert [one["row"] for one in json.loads(capsys.readouterr().out)["errors"]] == [2, 3, 3]


def test_gazetteer_loaded_again_leaves_what_people_decided(desk, village, district, other_district, tmp_path, capsys):
    twin = AdminUnitFactory(code="195233100", parent=district, names={"en": "Jandosov"})
    file = tmp_path / "units.csv"
    file.write_text(
        HEADER
        + "195200000,195200000,2,district,190000000,Karasay,\n"
        + "195233000,195233000,4,village,195200000,Zhandosov,\n"
        + "195233100,195233100,4,village,195200000,Jandosov,\n"
        + "473600000,473600000,2,district,470000000,Beyneu,KZ47\n",
        encoding="utf-8",
    )
    desk.post(f"{UNITS}{twin.pk}/do/merge/", {"confirmed": "1", "into": str(village.pk), "reason": "Same well"})
    upload(desk, HEADER + "195200000,195200000,2,district,470000000,Karasay,\n")
    desk.post(f"{CHANGES}{UnitChange.objects.get(kind='moved').pk}/do/accept/", {"confirmed": "1", "note": ""})
    decided = list(AdminUnit.objects.exclude(pk=other_district.pk).order_by("pk").values())

    call_command("load_gazetteer", str(file))

    assert capsys.readouterr().out == "0 added, 1 changed, 0 unchanged. 3 left as people decided on the desk.\n"
    assert list(AdminUnit.objects.exclude(pk=other_district.pk).order_by("pk").values()) == decided
    assert AdminUnit.objects.get(pk=other_district.pk).pcode == "KZ47"


def test_accepting_a_move_tells_what_waits_at_the_row_of_before(desk, enumerator, village, other_district):
    upload(desk, HEADER + "195233000,195233000,4,village,473600000,Zhandosov,\n")
    move = UnitChange.objects.get()

    alone = desk.post(f"{CHANGES}{move.pk}/do/accept/", {"confirmed": "1", "note": ""}, follow=True)
    desk.post(f"{CHANGES}{move.pk}/do/undo/", {"confirmed": "1", "note": ""})
    desk.post(f"{CHANGES}{move.pk}/do/reopen/", {"confirmed": "1"})
    update = f"{UPDATES}{move.update_id}/do/accept_open/"
    desk.post(update, {"confirmed": "1", "kinds": ["moved"], "note": ""})

    assert "Still at the row of before: enumerators (1)." in alone.content.decode()
    assert Receipt.objects.get().lines[1:] == [
        {"what": "enumerators", "row": "1", "key": "195233000", "done": "still point at this row"}
    ]


def test_code_with_blanks_and_cyrillic_letters_makes_an_id_that_addresses_bear(desk, administrator, district):
    change = propose_field_change("added", by=administrator, reason="x", parent=district, after={"name_en": "New"})

    desk.post(f"{CHANGES}{change.pk}/do/accept/", {"confirmed": "1", "code": "АБ 12", "note": ""})

    assert list(AdminUnit.objects.filter(code="АБ 12").values_list("unit_id", flat=True)) == ["---12"]


@pytest.mark.parametrize("address", [f"{CHANGES}?origin=²", f"{UPDATES}²/change/", "/my/places/new/?unit=%00"])
def test_odd_addresses_are_no_error(desk, address):
    assert desk.get(address, follow=True).status_code in (200, 404)
