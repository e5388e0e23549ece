"""What the field says about places: the pages `/my/places/`, the photo, and who reads it."""

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dtm_ops.common.errors import Refused
from locations.models import AdminUnit, UnitChange
from locations.services.aliases import follow_names
from locations.services.field_proposals import MOST_PHOTO_BYTES, propose_field_change
from locations.services.unit_changes import accept_change, refuse_change
from tests.factories.locations import AdminUnitFactory

pytestmark = pytest.mark.django_db

OWN, NEW = "/my/places/", "/my/places/new/"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF a road sign"
PNG = b"\x89PNG\r\n\x1a\n a road sign"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 a road sign"


@pytest.fixture
def as_enumerator(client, enumerator, village):
    follow_names(AdminUnit.objects.all())
    client.force_login(enumerator.user)
    return client


def picture(content=JPEG, name="sign.jpg"):
    return SimpleUploadedFile(name, content, content_type="image/jpeg")


def ask(unit, kind, **more):
    return (
        NEW
        + "?"
        + "&".join([f"unit={unit.unit_id}", f"kind={kind}", *(f"{key}={value}" for key, value in more.items())])
    )


def test_place_is_found_by_its_name_and_what_has_changed_is_chosen(as_enumerator, village, other_village):
    found = as_enumerator.get(NEW, {"q": "жандосов"}).content.decode()
    none = as_enumerator.get(NEW, {"q": "Boranqul"}).content.decode()
    chosen = as_enumerator.get(NEW, {"unit": village.unit_id}).content.decode()

    assert f'href="?unit={village.unit_id}"' in found
    assert "Karasay" in found
    assert "No place of yours is called so" in none
    assert [
        f"unit={village.unit_id}&amp;kind={kind}" in chosen for kind in ("added", "renamed", "closed", "duplicate")
    ] == [True] * 4


def test_new_village_is_told_with_photo_and_point_and_nothing_is_written(as_enumerator, enumerator, district):
    units = AdminUnit.objects.count()
    sent = {
        "name_kk": "Жаңа", "name_ru": "Жана", "name_en": "", "unit_type": "other", "reason": "Ten houses",
        "latitude": "43,25", "longitude": "76.9", "accuracy": "12", "photo": picture(),
    }  # fmt: skip

    answer = as_enumerator.post(ask(district, "added"), sent)

    assert (answer.status_code, answer.headers["Location"]) == (302, f"{OWN}?sent=1")
    change = UnitChange.objects.get()
    assert (change.kind, change.unit, change.parent, change.raised_by, change.update) == (
        "added", None, district, enumerator.user, None,
    )  # fmt: skip
    assert change.after == {
        "level": "3", "unit_type": "other", "parent_id": district.unit_id, "name_kk": "Жаңа", "name_ru": "Жана",
        "latitude": "43.25000", "longitude": "76.90000", "coordinate_source": "field",
    }  # fmt: skip
    assert (change.latitude, change.longitude, change.accuracy) == (Decimal("43.25"), Decimal("76.9"), 12)
    assert (change.reason, change.photo.name[-4:], "sign" in change.photo.name) == ("Ten houses", ".jpg", False)
    assert AdminUnit.objects.count() == units


def test_accepted_field_proposal_is_a_place_with_the_code_that_was_given(district, enumerator, administrator):
    change = propose_field_change(
        "added",
        by=enumerator.user,
        parent=district,
        reason="Ten houses",
        after={"name_en": "Newly", "unit_type": "village"},
    )

    accept_change(change, by=administrator, code="195299000")

    unit = AdminUnit.objects.get(code="195299000")
    assert (unit.unit_id, unit.path, unit.level, unit.names, unit.valid_from) == (
        "195299000", f"{district.path}195299000/", 3, {"en": "Newly"}, timezone.localdate(),
    )  # fmt: skip


def test_place_without_a_code_gets_a_provisional_one(district, enumerator):
    change = propose_field_change("added", by=enumerator.user, parent=district, reason="x", after={"name_en": "Newly"})

    accept_change(change, by=None)

    assert (change.unit.code, change.unit.unit_type) == (f"new-{change.pk}", "other")


def test_renamed_closed_and_duplicate_are_told(as_enumerator, enumerator, village, district):
    twin = AdminUnitFactory(code="195233001", parent=district, names={"en": "Zhandosov"})
    base = {"reason": "The elder says so"}

    as_enumerator.post(ask(village, "renamed"), {**base, "name_en": "Zhandosovo"})
    as_enumerator.post(ask(village, "closed"), base)
    as_enumerator.post(ask(twin, "duplicate", other=village.unit_id), base)

    today = timezone.localdate().isoformat()
    assert list(UnitChange.objects.order_by("pk").values_list("kind", "unit", "duplicate_of", "before", "after")) == [
        ("renamed", village.pk, None, {"name_en": "Zhandosov"}, {"name_en": "Zhandosovo"}),
        ("closed", village.pk, None, {"valid_to": ""}, {"valid_to": today}),
        ("duplicate", twin.pk, village.pk, {}, {"duplicate_of": village.unit_id}),
    ]


def test_accepted_duplicate_leads_to_the_other(village, district, enumerator):
    twin = AdminUnitFactory(code="195233001", parent=district, names={"en": "Jandosov"})
    change = propose_field_change("duplicate", by=enumerator.user, unit=twin, duplicate_of=village, reason="Same well")

    accept_change(change, by=None)

    twin.refresh_from_db()
    assert (twin.merged_into, twin.valid_to is None) == (village, False)
    assert list(village.aliases.filter(kind="other").values_list("name", flat=True)) == ["Jandosov"]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"name_en": "X"}, "This field is required"),
        ({"reason": "x"}, "Give the place a name"),
        ({"reason": "x", "name_en": "X", "latitude": "43"}, "A point has a latitude and a longitude"),
        ({"reason": "x", "name_en": "X", "latitude": "143", "longitude": "1"}, "less than or equal to 90"),
        ({"reason": "x", "name_en": "X", "photo": picture(b"MZ a program")}, "not a JPEG, PNG or WEBP picture"),
        ({"reason": "x", "name_en": "X", "photo": picture(JPEG + b"0" * MOST_PHOTO_BYTES)}, "larger than 8 MB"),
    ],
)
def test_mistake_is_told_and_what_was_typed_stays(as_enumerator, district, sent, words):
    answer = as_enumerator.post(ask(district, "added"), {"unit_type": "other", **sent})

    assert answer.status_code == 200
    assert words in answer.content.decode()
    if "name_en" in sent:
        assert 'value="X"' in answer.content.decode()
    assert UnitChange.objects.count() == 0


def test_own_proposals_are_listed_with_their_state_and_the_reason(as_enumerator, enumerator, village, coordinator):
    mine = propose_field_change("closed", by=enumerator.user, unit=village, reason="Empty houses")
    propose_field_change("closed", by=coordinator, unit=village, reason="Somebody else's words")
    refuse_change(mine, by=None, note="People are back in summer")

    page = as_enumerator.get(OWN).content.decode()

    assert [word in page for word in ("Empty houses", "refused", "People are back in summer", "Somebody else")] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("who", "status"),
    [("enumerator", 200), ("coordinator", 200), ("manager", 200), ("administrator", 200), ("stranger", 404)],
)
def test_page_opens_to_whoever_has_a_role(client, request, who, status):
    person = request.getfixturevalue(who)
    client.force_login(getattr(person, "user", person))

    assert [client.get(page).status_code for page in (OWN, NEW)] == [status, status]


def test_place_out_of_reach_is_not_there(as_enumerator, other_village):
    assert as_enumerator.get(NEW, {"unit": other_village.unit_id}).status_code == 404
    assert as_enumerator.post(ask(other_village, "closed"), {"reason": "x"}).status_code == 404
    assert UnitChange.objects.count() == 0


def test_nobody_without_a_role_proposes(stranger, village):
    with pytest.raises(Refused, match="You have no role"):
        propose_field_change("closed", by=stranger, unit=village, reason="x")


def test_village_that_is_closed_already_cannot_be_told_of(enumerator, village):
    AdminUnit.objects.filter(pk=village.pk).update(valid_to="2020-01-01")

    with pytest.raises(Refused, match="Choose the place"):
        propose_field_change("closed", by=enumerator.user, unit=village, reason="x")


@pytest.mark.parametrize(("content", "kind"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")])
def test_photo_is_what_its_bytes_say_and_is_served_by_right(
    client, enumerator, village, coordinator, other_coordinator, stranger, content, kind
):
    photo = picture(content, name="<script>.html")
    change = propose_field_change("closed", by=enumerator.user, unit=village, reason="x", photo=photo)
    address = f"/places/photos/{change.pk}/"

    statuses = {}
    for person in (enumerator.user, coordinator, other_coordinator, stranger):
        client.force_login(person)
        statuses[person.username] = client.get(address).status_code
    client.force_login(coordinator)
    answer = client.get(address)

    assert statuses == {"enumerator": 200, "coordinator": 200, "other_coordinator": 404, "stranger": 404}
    assert b"".join(answer.streaming_content) == content
    assert (answer.headers["Content-Type"], answer.headers["X-Content-Type-Options"]) == (kind, "nosniff")
    assert "script" not in answer.headers["Content-Disposition"]
    assert f'filename="place-{change.pk}.' in answer.headers["Content-Disposition"]
    client.logout()
    assert client.get(address).status_code == 302


def test_proposal_without_a_photo_has_none_to_show(as_enumerator, enumerator, village):
    change = propose_field_change("closed", by=enumerator.user, unit=village, reason="x")

    assert as_enumerator.get(f"/places/photos/{change.pk}/").status_code == 404


def test_list_of_own_proposals_costs_the_same_for_one_row_and_for_three(as_enumerator, enumerator, village):
    def queries():
        with CaptureQueriesContext(connection) as made:
            assert as_enumerator.get(OWN).status_code == 200
        return len(made)

    propose_field_change("closed", by=enumerator.user, unit=village, reason="x")
    queries()
    one = queries()
    for _number in range(2):
        propose_field_change("closed", by=enumerator.user, unit=village, reason="x")

    assert queries() == one


def test_pages_are_light_and_need_no_script(as_enumerator, district):
    for page in (OWN, NEW, f"{NEW}?q=kar", ask(district, "added")):
        content = as_enumerator.get(page).content
        assert len(content) < 30_000
        assert b"<script" not in content
