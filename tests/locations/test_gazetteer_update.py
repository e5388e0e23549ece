"""A newer classifier beside the gazetteer: the difference, its acceptance and its undoing."""

import csv
import io
from datetime import date

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import Receipt, StatusChange
from locations.models import AdminUnit, AdminUnitAlias, GazetteerUpdate, UnitChange, UnitScope
from locations.selectors import successors, unit_by_code
from locations.services import GazetteerRefused, load_gazetteer, read_rows
from locations.services.aliases import follow_names
from locations.services.gazetteer_update import NothingDiffers, propose_update
from locations.services.unit_changes import (
    accept_change,
    accept_changes,
    refuse_change,
    refuse_changes,
    reopen_change,
    undo_change,
    undo_changes,
)
from locations.services.unit_writes import UnitWriting
from tests.concurrently import at_once
from tests.factories.accounts import UserFactory
from tests.factories.assessments import RoundTargetFactory

DAY = date(2024, 1, 1)
BEFORE = date(2023, 12, 31)
COLUMNS = ("unit_id", "code", "level", "unit_type", "parent_id", "name_en", "name_ru", "pcode", "latitude", "longitude")
# Two regions; in the first a district with two villages and a town, in the second a district with a village.
OLD = [
    ("0", "0", "0", "country", "", "Country", "Страна", "", "", ""),
    ("1", "1", "1", "region", "0", "North", "Север", "", "", ""),
    ("2", "2", "1", "region", "0", "South", "Юг", "", "", ""),
    ("11", "11", "2", "district", "1", "Lake", "Озеро", "", "", ""),
    ("12", "12", "2", "town", "1", "Rocktown", "Скала", "", "", ""),
    ("21", "21", "2", "district", "2", "Field", "Поле", "", "", ""),
    ("111", "111", "3", "village", "11", "Birch", "Береза", "", "50.00000", "70.00000"),
    ("112", "112", "3", "village", "11", "Aspen", "Осина", "", "", ""),
    ("211", "211", "3", "village", "21", "Wheat", "Пшеница", "", "", ""),
]


def table(lines, columns=COLUMNS):
    written = io.StringIO()
    csv.writer(written).writerows([columns, *lines])
    return read_rows(written.getvalue().encode())


def edited(**changes):
    """The old rows with other cells by unit id (``u11={"name_en": ...}``); None leaves the row out."""
    wanted = {key.removeprefix("u"): value for key, value in changes.items()}
    rows = [dict(zip(COLUMNS, line, strict=True)) for line in OLD]
    kept = [row | (wanted.pop(row["unit_id"], {}) or {}) for row in rows if wanted.get(row["unit_id"], {}) is not None]
    added = [dict.fromkeys(COLUMNS, "") | {"unit_id": key, "code": key} | row for key, row in wanted.items() if row]
    return table([tuple(row[name] for name in COLUMNS) for row in [*kept, *added]])


def propose(rows, *, by=None, **options):
    return propose_update(rows, title="2024", source="BNS", effective_on=DAY, by=by, **options)


def told(update):
    """What is proposed: kind, place, before and after."""
    rows = update.changes.select_related("unit").order_by("pk")
    return [(change.kind, change.unit.unit_id if change.unit else None, change.before, change.after) for change in rows]


def kinds(update):
    return sorted((change.kind, str(change.unit.unit_id if change.unit else "")) for change in update.changes.all())


def one(update, kind, unit_id=None):
    return update.changes.get(kind=kind, **({"unit__unit_id": unit_id} if unit_id else {}))


def snapshot():
    """Every column of every row that a change of places may write."""
    return {
        "units": list(AdminUnit.objects.order_by("pk").values()),
        "links": sorted(AdminUnit.predecessors.through.objects.values_list("from_adminunit", "to_adminunit")),
        "aliases": sorted(AdminUnitAlias.objects.values_list("unit", "name", "language", "kind", "valid_to", "words")),
        "scopes": list(UnitScope.objects.order_by("pk").values()),
    }


def rows_of_units():
    """As `snapshot`, without the keys."""
    links = AdminUnit.predecessors.through.objects.values_list("from_adminunit__unit_id", "to_adminunit__unit_id")
    hidden = {"id", "parent_id", "merged_into_id"}
    units = AdminUnit.objects.order_by("unit_id").select_related("parent")
    return [
        {name: value for name, value in vars(unit).items() if name not in hidden and name[0] != "_"}
        | {
            "parent": unit.parent.unit_id if unit.parent else "",
            "past": sorted(b for a, b in links if a == unit.unit_id),
        }
        for unit in units
    ]


@pytest.fixture
def gazetteer(db):
    load_gazetteer(table(OLD))


@pytest.fixture
def clerk(db):
    return UserFactory(username="clerk")


@pytest.mark.usefixtures("gazetteer")
class TestPropose:
    def test_same_file_differs_in_nothing_and_says_so(self):
        with pytest.raises(NothingDiffers, match="No difference: the file says what the gazetteer says on 2024-01-01"):
            propose(table(OLD))

        assert GazetteerUpdate.objects.count() == UnitChange.objects.count() == 0

    def test_each_kind_is_told_column_by_column_and_nothing_is_written(self, clerk):
        before = snapshot()

        update = propose(
            edited(
                u11={"name_en": "Great Lake", "name_ru": "Большое озеро"},
                u12=None,
                u21={"pcode": "KZ21"},
                u111={"parent_id": "21"},
                u211={"name_en": "Harbour", "name_ru": "Гавань", "unit_type": "station"},
                u113={"level": "3", "unit_type": "village", "parent_id": "11", "name_en": "Cedar"},
            ),
            by=clerk,
        )

        assert told(update) == [
            (
                "renamed", "11",
                {"name_en": "Lake", "name_ru": "Озеро"}, {"name_en": "Great Lake", "name_ru": "Большое озеро"},
            ),
            ("corrected", "21", {"pcode": ""}, {"pcode": "KZ21"}),
            (
                "moved", "111",
                {"parent_id": "11", "unit_id": "111"}, {"parent_id": "21", "unit_id": "111.2024-01-01"},
            ),
            (
                "code_reused", "211",
                {"unit_id": "211", "parent_id": "21", "code": "211", "level": "3", "unit_type": "village",
                 "name_en": "Wheat", "name_ru": "Пшеница"},
                {"unit_id": "211.2024-01-01", "code": "211", "level": "3", "unit_type": "station",
                 "name_en": "Harbour", "name_ru": "Гавань", "parent_id": "21", "valid_from": "2024-01-01"},
            ),
            (
                "added", None, {},
                {"unit_id": "113", "code": "113", "level": "3", "unit_type": "village", "name_en": "Cedar",
                 "parent_id": "11", "valid_from": "2024-01-01"},
            ),
            ("closed", "12", {"valid_to": ""}, {"valid_to": "2023-12-31"}),
        ]  # fmt: skip
        assert snapshot() == before
        assert {(change.raised_by, change.status, change.effective_on) for change in update.changes.all()} == {
            (clerk, "open", DAY)
        }
        assert {change.parent.unit_id for change in update.changes.all()} == {"1", "2", "11", "21"}

    def test_file_of_one_subtree_closes_nothing_elsewhere(self):
        north = [line for line in OLD if line[0] in ("1", "11", "12", "111", "112")]

        update = propose(table([(*north[0][:5], "Northern", *north[0][6:]), *north[1:]]))

        assert kinds(update) == [("renamed", "1")]

    def test_file_of_districts_alone_closes_no_village(self):
        update = propose(table([line for line in OLD if line[2] in "012" and line[0] != "12"]))

        assert kinds(update) == [("closed", "12")]

    def test_district_that_goes_takes_its_villages_along(self):
        update = propose(table([line for line in OLD if line[0] in ("0", "1", "2", "12", "21", "211")]))

        assert kinds(update) == [("closed", "11"), ("closed", "111"), ("closed", "112")]

    def test_row_outside_of_the_place_that_the_file_is_about_is_refused(self):
        with pytest.raises(GazetteerRefused, match="Row 2, parent_id: The place lies outside of North"):
            propose(table([line for line in OLD if line[0] == "21"]), within=AdminUnit.objects.get(unit_id="1"))

    def test_every_problem_of_every_row_is_told_at_once(self):
        rows = edited(
            u11={"parent_id": "nowhere"},
            u12={"level": "9"},
            u111={"latitude": "99"},
            u112={"code": "111"},
            u31={"level": "2", "unit_type": "district", "parent_id": "32", "name_en": "A"},
            u32={"level": "3", "unit_type": "district", "parent_id": "31", "name_en": "B"},
        )

        with pytest.raises(GazetteerRefused) as refused:
            propose(rows)

        assert [(problem.row, problem.column) for problem in refused.value.problems] == [
            (5, "parent_id"), (6, "level"), (8, "latitude"), (9, "code"), (11, "parent_id"), (12, "parent_id"),
        ]  # fmt: skip
        assert UnitChange.objects.count() == 0

    def test_validity_that_ends_before_it_starts_is_refused_at_its_row(self):
        rows = table([(*OLD[3], "2024-02-01", "2024-01-15")], columns=(*COLUMNS, "valid_from", "valid_to"))

        with pytest.raises(GazetteerRefused, match="Row 2, valid_to: The last day of validity is before the first"):
            propose(rows)

    def test_place_that_goes_on_under_another_code_frees_its_own_for_another(self):
        """As Taldykorgan did in 2022, and Konaev got its code: same kind, level and parent."""
        update = propose(
            edited(
                u12={"name_en": "Newtown", "name_ru": "Новый"},
                u29={"level": "2", "unit_type": "town", "parent_id": "2", "name_en": "Rocktown", "name_ru": "Скала"},
            )
        )
        accept_changes(update.changes.all(), by=None)

        assert kinds(update) == [("added", "29"), ("code_reused", "12")]
        assert [unit_by_code("12", day).name_in("en") for day in (BEFORE, DAY)] == ["Rocktown", "Newtown"]
        assert [unit.unit_id for unit in successors("12", BEFORE, on=DAY)] == ["29"]

    def test_file_about_one_place_closes_there_what_it_has_no_row_of(self):
        rows = table([line for line in OLD if line[0] in ("1", "11", "12")])
        north = AdminUnit.objects.get(unit_id="1")

        with pytest.raises(NothingDiffers):
            propose(rows)
        with pytest.raises(NothingDiffers):
            propose(rows, within=north)
        update = propose(table([line for line in OLD if line[0] in ("1", "111")]), within=north)

        assert kinds(update) == [("closed", "112")]


@pytest.mark.usefixtures("gazetteer")
class TestDecide:
    def test_moved_district_goes_on_in_new_rows_and_the_old_ones_tell_where_it_was(self):
        update = propose(edited(u11={"parent_id": "2"}))

        accept_change(one(update, "moved"), by=None)

        found = AdminUnit.objects.filter(code__startswith="11").order_by("unit_id")
        assert list(found.values_list("unit_id", "path", "valid_from", "valid_to", "predecessors__unit_id")) == [
            ("11", "0/1/11/", None, BEFORE, None),
            ("11.2024-01-01", "0/2/11.2024-01-01/", DAY, None, "11"),
            ("111", "0/1/11/111/", None, BEFORE, None),
            ("111.2024-01-01", "0/2/11.2024-01-01/111.2024-01-01/", DAY, None, "111"),
            ("112", "0/1/11/112/", None, BEFORE, None),
            ("112.2024-01-01", "0/2/11.2024-01-01/112.2024-01-01/", DAY, None, "112"),
        ]
        with pytest.raises(NothingDiffers):
            propose(edited(u11={"parent_id": "2"}))

    def test_rights_spellings_and_what_is_to_come_move_along(self, clerk):
        lake = AdminUnit.objects.get(unit_id="11")
        UnitScope.objects.create(user=clerk, unit=lake, role="coordinator")
        coming = AdminUnit.objects.create(
            code="119", unit_id="119", level=3, unit_type="village", parent=lake, names={"en": "Coming"},
            valid_from=date(2024, 6, 1),
        )  # fmt: skip
        follow_names([coming])
        before = snapshot()
        change = one(propose(edited(u11={"parent_id": "2"}, u119={"level": "3", "unit_type": "village",
                                    "parent_id": "11", "name_en": "Coming"})), "moved")  # fmt: skip

        accept_change(change, by=None)
        coming.refresh_from_db()
        scopes = sorted(clerk.unit_scopes.values_list("unit__unit_id", "role"))
        undo_change(change, by=None)

        assert coming.path == "0/2/11.2024-01-01/119/"
        assert scopes == [("11", "coordinator"), ("11.2024-01-01", "coordinator")]
        assert snapshot() == before

    def test_place_below_a_row_that_is_hung_over_has_one_row_whatever_its_first_day(self):
        lake = AdminUnit.objects.get(unit_id="11")
        AdminUnit.objects.filter(pk=lake.pk).update(valid_from=DAY)
        lake.refresh_from_db()

        UnitWriting().move(lake, AdminUnit.objects.get(unit_id="2"), on=DAY)

        found = AdminUnit.objects.filter(code__startswith="11").order_by("unit_id")
        assert list(found.values_list("unit_id", "path", "valid_from", "valid_to")) == [
            ("11", "0/2/11/", DAY, None),
            ("111", "0/2/11/111/", None, None),
            ("112", "0/2/11/112/", None, None),
        ]

    def test_old_name_stays_as_a_spelling(self):
        update = propose(edited(u11={"name_en": "Great Lake"}))

        accept_change(one(update, "renamed"), by=None)

        lake = AdminUnit.objects.get(unit_id="11")
        assert lake.names == {"en": "Great Lake", "ru": "Озеро"}
        assert list(lake.aliases.filter(kind="old").values_list("name", "language", "valid_to", "skeleton")) == [
            ("Lake", "en", BEFORE, "lk")
        ]

    def test_columns_are_accepted_one_by_one_and_a_point_as_a_whole(self, clerk):
        update = propose(edited(u111={"pcode": "P", "latitude": "51", "longitude": "71", "name_en": "Birches"}))
        change = one(update, "renamed")

        accept_change(change, by=clerk, fields=["latitude"], note="the names are wrong")

        unit = AdminUnit.objects.get(unit_id="111")
        assert (unit.latitude, unit.longitude, unit.pcode, unit.names["en"]) == (51, 71, "", "Birch")
        assert (change.status, change.taken, change.decided_by) == ("accepted", ["latitude", "longitude"], clerk)
        step = StatusChange.objects.about(change).get()
        assert (step.old, step.new, step.by, step.text) == ("open", "accepted", clerk, "the names are wrong")

    def test_no_column_at_all_is_refused(self):
        change = one(propose(edited(u11={"pcode": "P"})), "corrected")

        with pytest.raises(Refused, match="Choose at least one column"):
            accept_change(change, by=None, fields=[])

        change.refresh_from_db()
        assert (change.status, AdminUnit.objects.get(unit_id="11").pcode) == ("open", "")

    def test_village_waits_for_its_new_district(self):
        update = propose(
            edited(
                u13={"level": "2", "unit_type": "district", "parent_id": "1", "name_en": "Hill"},
                u131={"level": "3", "unit_type": "village", "parent_id": "13", "name_en": "Oak"},
                u111={"parent_id": "13"},
            )
        )
        village = update.changes.get(after__code="131")
        units = AdminUnit.objects.count()

        with pytest.raises(Refused, match="Decide first about the place above: new place: Hill"):
            accept_change(village, by=None)
        refuse_change(update.changes.get(after__code="13"), by=None, note="no such district")
        with pytest.raises(Refused, match=r"The place above is not there: new place: Hill \(refused\)"):
            accept_change(village, by=None)

        assert AdminUnit.objects.count() == units

    def test_bulk_finds_the_order_by_itself_and_writes_one_receipt(self, clerk):
        update = propose(
            edited(
                u11=None,
                u111={"parent_id": "13"},
                u112=None,
                u13={"level": "2", "unit_type": "district", "parent_id": "2", "name_en": "Hill"},
                u131={"level": "3", "unit_type": "village", "parent_id": "13", "name_en": "Oak"},
            )
        )

        decided = accept_changes(update.changes.order_by("-pk"), by=clerk)

        assert (decided.done, decided.left) == (5, {})
        receipt = Receipt.objects.get()
        assert (receipt, receipt.by, len(receipt.lines)) == (decided.receipt, clerk, 5)
        assert AdminUnit.objects.units_on(DAY).get(code="111").path == "0/2/13/111.2024-01-01/"

    def test_bulk_leaves_what_cannot_be_and_says_why(self):
        update = propose(edited(u11={"name_en": "Great Lake"}, u12=None))
        AdminUnit.objects.filter(unit_id="11").update(names={"en": "Small Lake"})

        decided = accept_changes(update.changes.all(), by=None)

        assert decided.done == 1
        assert [str(refused) for refused in decided.left.values()] == [
            "The place was changed since this was proposed (name_en: Small Lake). Refuse it, or propose it anew."
        ]
        assert sorted(line["done"] for line in decided.receipt.lines)[1] == "accepted"

    def test_place_with_places_below_is_not_closed(self):
        update = propose(table([line for line in OLD if line[0] in ("0", "1", "2", "12", "21", "211")]))

        with pytest.raises(Refused, match="Places below “Lake” are still in force: Birch, Aspen"):
            accept_change(one(update, "closed", "11"), by=None)

        assert AdminUnit.objects.exclude(valid_to=None).count() == 0

    def test_refusal_without_a_reason_is_refused(self):
        change = one(propose(edited(u12=None)), "closed")

        with pytest.raises(Refused, match="Say why"):
            refuse_change(change, by=None, note=" ")

        change.refresh_from_db()
        assert change.status == "open"

    def test_refused_change_can_be_looked_at_again(self, clerk):
        change = one(propose(edited(u12=None)), "closed")
        refuse_change(change, by=clerk, note="It stands")
        assert (change.decided_by, change.decision_note) == (clerk, "It stands")

        reopen_change(change, by=clerk)

        assert (change.status, change.decided_by, change.decision_note) == ("open", None, "")

    def test_refused_change_is_not_accepted(self):
        change = one(propose(edited(u12=None)), "closed")
        refuse_change(change, by=None, note="It stands")

        with pytest.raises(TransitionNotAllowed):
            accept_change(change, by=None)

        assert AdminUnit.objects.get(unit_id="12").valid_to is None


def five_kinds():
    return edited(
        u11={"parent_id": "2"},
        u12=None,
        u21={"name_en": "Meadow"},
        u211={"name_en": "Harbour", "name_ru": "Гавань", "unit_type": "station"},
        u113={"level": "3", "unit_type": "village", "parent_id": "11", "name_en": "Cedar"},
        u112={"pcode": "KZ112"},
    )


@pytest.mark.usefixtures("gazetteer")
class TestUndo:
    def test_half_accepted_half_refused_and_undone_is_as_before(self, clerk):
        before = snapshot()
        update = propose(five_kinds(), by=clerk)
        assert {change.kind for change in update.changes.all()} >= {
            "added",
            "renamed",
            "moved",
            "closed",
            "code_reused",
        }
        chosen = update.changes.filter(kind__in=["moved", "added", "code_reused"])

        accepted = accept_changes(chosen, by=clerk)
        refused = refuse_changes(update.changes.filter(status="open"), by=clerk, note="Not this year")
        assert (accepted.done, refused.done) == (3, 3)
        assert sorted(update.changes.values_list("kind", "status")) == [
            ("added", "accepted"), ("closed", "refused"), ("code_reused", "accepted"), ("corrected", "refused"),
            ("moved", "accepted"), ("renamed", "refused"),
        ]  # fmt: skip
        assert snapshot() != before
        undone = undo_changes(update.changes.filter(status="accepted"), by=clerk, note="A draft of the law")

        assert (undone.done, undone.left) == (3, {})
        assert snapshot() == before
        assert set(update.changes.filter(kind__in=["moved", "added"]).values_list("status", "unit__unit_id")) == {
            ("undone", "11"), ("undone", None),
        }  # fmt: skip

    def test_each_kind_undone_alone_is_as_before(self):
        update = propose(five_kinds())
        before = snapshot()
        for change in update.changes.all():
            accept_change(change, by=None)
            undo_change(change, by=None)
            assert snapshot() == before, change.kind

    def test_undone_addition_can_be_accepted_again_under_the_same_id(self):
        change = one(
            propose(edited(u19={"level": "2", "unit_type": "town", "parent_id": "1", "name_en": "X"})), "added"
        )
        accept_change(change, by=None)
        undo_change(change, by=None)
        assert not AdminUnit.objects.filter(code="19").exists()

        reopen_change(change, by=None)
        accept_change(change, by=None)

        assert (change.unit.unit_id, change.unit.valid_from) == ("19", DAY)

    @pytest.mark.parametrize("what", ["right", "village", "target"])
    def test_addition_in_use_is_not_undone(self, what, clerk, request):
        change = one(
            propose(edited(u19={"level": "2", "unit_type": "town", "parent_id": "1", "name_en": "X"})), "added"
        )
        accept_change(change, by=None)
        words = hang_on(change.unit, what, clerk, request)

        with pytest.raises(Refused, match=words):
            undo_change(change, by=None)

        change.refresh_from_db()
        assert (change.status, change.unit.valid_to) == ("accepted", None)

    def test_place_changed_again_since_is_not_undone(self):
        first = one(propose(edited(u11={"name_en": "Great Lake"})), "renamed")
        accept_change(first, by=None)
        second = one(propose(edited(u11={"name_en": "Greatest Lake"})), "renamed")
        accept_change(second, by=None)
        before = snapshot()

        with pytest.raises(Refused, match="Changed again since: Greatest Lake"):
            undo_change(first, by=None)
        assert snapshot() == before
        undo_change(second, by=None)
        undo_change(first, by=None)

        assert AdminUnit.objects.get(unit_id="11").names == {"en": "Lake", "ru": "Озеро"}
        assert not AdminUnitAlias.objects.filter(kind="old").exists()


def hang_on(unit, what, user, request):
    if what == "right":
        UnitScope.objects.create(user=user, unit=unit, role="coordinator")
        return r"Already in use: rights \(1\)"
    if what == "village":
        AdminUnit.objects.create(
            code="191", unit_id="191", level=3, unit_type="village", parent=unit, names={"en": "Y"}
        )
        return "Already in use: places below: Y"
    request.getfixturevalue("vocabulary")
    RoundTargetFactory(unit=unit)
    return r"Already in use: targets \(1\)"


@pytest.mark.django_db(transaction=True)
def test_two_people_who_decide_at_once_are_not_both_right():
    load_gazetteer(table(OLD))
    change = one(propose(edited(u12=None)), "closed")
    mine, theirs = UnitChange.objects.get(pk=change.pk), UnitChange.objects.get(pk=change.pk)

    outcomes = at_once(lambda: accept_change(mine, by=None), lambda: refuse_change(theirs, by=None, note="It stands"))

    change.refresh_from_db()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "TransitionNotAllowed"]
    assert "changed by somebody else meanwhile" in str(next(filter(None, outcomes)))
    assert (AdminUnit.objects.get(unit_id="12").valid_to is not None) == (change.status == "accepted")
    assert StatusChange.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_who_accept_at_once_write_once():
    load_gazetteer(table(OLD))
    change = one(propose(edited(u11={"parent_id": "2"})), "moved")
    mine, theirs = UnitChange.objects.get(pk=change.pk), UnitChange.objects.get(pk=change.pk)

    outcomes = at_once(lambda: accept_change(mine, by=None), lambda: accept_change(theirs, by=None))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "TransitionNotAllowed"]
    assert AdminUnit.objects.filter(code="11").count() == 2


# --- any edit at all

DISTRICTS = {"11": "1", "12": "1", "21": "2"}
VILLAGES = {"111": "11", "112": "11", "211": "21"}


@st.composite
def edits(draw):
    """What becomes of each place: the region of each district (None: it closes), the district of each village, names,
    codes of another place, columns; and new places.
    """
    other = {"1": "2", "2": "1"}
    new_district = draw(st.booleans())
    homes = {key: draw(st.sampled_from([region, region, other[region], None])) for key, region in DISTRICTS.items()}
    standing = [key for key, region in homes.items() if region] + ["31"] * new_district
    villages = {}
    for key, district in VILLAGES.items():
        stays = [district] if district in standing else []
        villages[key] = draw(st.sampled_from([*stays, *stays, *standing, None]))
    return {
        "new_district": new_district,
        "homes": homes,
        "villages": villages,
        "new_villages": draw(st.lists(st.sampled_from(standing), max_size=2)) if standing else [],
        "renamed": draw(st.sets(st.sampled_from([*DISTRICTS, *VILLAGES]))),
        "reused": draw(st.sets(st.sampled_from([key for key, home in villages.items() if home]), max_size=1))
        if any(villages.values())
        else set(),
        "pcodes": draw(st.sets(st.sampled_from([*DISTRICTS, *VILLAGES]))),
    }


def as_file(edit):
    """The file that says so to `load_gazetteer`: rows that ended, and the rows that go on from the day."""
    columns = (*COLUMNS, "valid_from", "valid_to", "predecessors")
    lines, ids = [], {}
    old = {line[0]: dict(zip(COLUMNS, line, strict=True)) for line in OLD}

    def write(row, **more):
        lines.append(tuple((dict.fromkeys(columns, "") | row | more)[name] for name in columns))

    def place(key, parent, was):
        row = dict(old[key])
        new = row | ({"name_en": f"New {key}", "name_ru": ""} if key in edit["renamed"] else {})
        new |= {"pcode": f"P{key}"} if key in edit["pcodes"] else {}
        begins = {"valid_from": DAY.isoformat(), "unit_id": f"{key}.{DAY}", "parent_id": ids.get(parent, parent)}
        if parent is None:
            return write(row, valid_to=BEFORE.isoformat())
        if key in edit["reused"]:
            write(row, valid_to=BEFORE.isoformat())
            return write(new | {"name_en": f"Other {key}", "name_ru": "", "unit_type": "station"}, **begins)
        if parent == was and ids.get(parent, parent) == parent:
            return write(new)
        ids[key] = f"{key}.{DAY}"
        write(row, valid_to=BEFORE.isoformat())
        return write(new, **begins, predecessors=key)

    for key in ("0", "1", "2"):
        write(old[key])
    for key, region in DISTRICTS.items():
        place(key, edit["homes"][key], region)
    if edit["new_district"]:
        write({"unit_id": "31", "code": "31", "level": "2", "unit_type": "district", "parent_id": "2", "name_en": "N"},
              valid_from=DAY.isoformat())  # fmt: skip
    for key, district in VILLAGES.items():
        place(key, edit["villages"][key], district)
    for number, district in enumerate(edit["new_villages"]):
        row = {
            "unit_id": f"9{number}",
            "code": f"9{number}",
            "level": "3",
            "unit_type": "village",
            "name_en": f"V{number}",
        }
        write(row, parent_id=ids.get(district, district), valid_from=DAY.isoformat())
    return table(lines, columns)


@pytest.mark.usefixtures("gazetteer")
@settings(max_examples=25)
@given(edit=edits())
def test_any_edit_accepted_is_as_loaded_and_undone_is_as_before(edit):
    file = as_file(edit)
    with transaction.atomic():
        load_gazetteer(file)
        loaded = rows_of_units()
        transaction.set_rollback(True)

    with transaction.atomic():
        before = snapshot()
        try:
            update = propose(file)
        except NothingDiffers:
            assert rows_of_units() == loaded
            return
        accepted = accept_changes(update.changes.all(), by=None)
        assert accepted.left == {}
        assert rows_of_units() == loaded
        undone = undo_changes(update.changes.all(), by=None)
        assert undone.left == {}
        assert snapshot() == before
        connection.check_constraints()
        transaction.set_rollback(True)
