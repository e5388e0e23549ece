"""The shipped gazetteer of Kazakhstan against what is known of it, and the questions that are asked of it."""

from collections import Counter
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from locations import selectors
from locations.apps import LocationsConfig
from locations.models import AdminUnit
from locations.services import load_gazetteer, read_rows

pytestmark = pytest.mark.django_db

TRAINING_DAY = date(2022, 11, 10)
REFORM = date(2022, 6, 8)
DAY_BEFORE = date(2022, 6, 7)
# Districts, cities of regional significance and districts of cities on the training day, by the region's code.
LEVEL_2 = {
    "10": (8, 2, 0), "11": (17, 3, 0), "15": (12, 1, 0), "19": (9, 1, 0), "23": (7, 1, 0), "27": (12, 1, 0),
    "31": (10, 1, 0), "33": (8, 2, 0), "35": (7, 6, 0), "39": (16, 4, 0), "43": (7, 2, 0), "47": (5, 2, 0),
    "55": (10, 3, 0), "59": (13, 1, 0), "61": (14, 3, 0), "62": (2, 3, 0), "63": (9, 2, 0), "71": (0, 0, 4),
    "75": (0, 0, 8), "79": (0, 0, 5),
}  # fmt: skip
ISO = {f"KZ-{number}" for number in LEVEL_2}


@pytest.fixture(scope="module", autouse=True)
def gazetteer(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        yield load_gazetteer(read_rows(LocationsConfig.GAZETTEER.read_bytes()))
        transaction.set_rollback(True)


def names(units):
    return [unit.name_in("en") for unit in units]


def test_all_units_are_loaded():
    assert Counter(AdminUnit.objects.values_list("level", flat=True)) == {0: 1, 1: 20, 2: 253, 3: 2364}


def test_counts_of_the_training_day_by_region():
    counted = {code: Counter() for code in LEVEL_2}
    for unit in selectors.units_on(TRAINING_DAY, level=2):
        counted[unit.code[:2]][unit.unit_type] += 1
    kinds = ("district", "city_regional", "city_district")
    table = {code: tuple(found[kind] for kind in kinds) for code, found in counted.items()}

    assert table == LEVEL_2
    assert tuple(map(sum, zip(*table.values(), strict=True))) == (166, 38, 17)


def test_twenty_regions_since_the_reform_and_seventeen_before():
    before, after = (selectors.units_on(day, level=1) for day in (DAY_BEFORE, REFORM))

    assert (before.count(), after.count()) == (17, 20)
    assert {unit.name_in("en") for unit in after} - {unit.name_in("en") for unit in before} == {
        "Abai region", "Ulytau region", "Zhetisu region",
    }  # fmt: skip
    assert {unit.iso_3166_2 for unit in after} == ISO


def test_region_and_city_of_one_name_are_told_apart_in_each_language():
    for language in ("en", "ru", "kk"):
        assert len({unit.name_in(language) for unit in AdminUnit.objects.level(1)}) == 20
    region, city = AdminUnit.objects.get(unit_id="190000000"), AdminUnit.objects.get(unit_id="750000000")
    assert region.names == {"en": "Almaty region", "ru": "Алматинская область", "kk": "Алматы облысы"}
    assert city.names == {"en": "Almaty city", "ru": "г. Алматы", "kk": "Алматы қ."}


def test_code_used_twice_is_two_cities():
    taldykorgan, konaev = (selectors.unit_by_code("191000000", day) for day in (DAY_BEFORE, REFORM))

    assert (taldykorgan.name_in("en"), konaev.name_in("en")) == ("Taldykorgan city", "Konaev city")
    assert taldykorgan.parent == konaev.parent
    assert selectors.unit_by_code("331000000", DAY_BEFORE) is None


def test_every_unit_answers_rightly_on_both_days_of_the_reform():
    """No code stands twice on a day; what does not stand has ended before or is still to come, never both."""
    rows = {unit.unit_id: unit for unit in AdminUnit.objects.all()}
    wrong, answered = [], Counter()
    for day in (DAY_BEFORE, REFORM):
        standing = {unit.unit_id: unit for unit in AdminUnit.objects.units_on(day)}
        by_code = {unit.code: unit.unit_id for unit in standing.values()}
        assert len(by_code) == len(standing)
        gone = rows.keys() - standing.keys()
        ended = [rows[key].valid_to is not None and rows[key].valid_to < day for key in gone]
        coming = [rows[key].valid_from is not None and rows[key].valid_from > day for key in gone]
        wrong += [(day, key) for key, end, come in zip(gone, ended, coming, strict=True) if end == come]
        answered[day] = len(standing)
    assert wrong == []
    assert (answered[DAY_BEFORE], answered[REFORM]) == (2601, 2604)


@pytest.mark.parametrize("day", [DAY_BEFORE, REFORM])
def test_selectors_agree_with_the_rows_on_each_unit_of_both_days(day):
    """`unit_by_code` for every code of levels 1 and 2 that ever was, against the dates of the rows."""
    units = list(AdminUnit.objects.filter(level__in=[1, 2]))
    expected = {
        unit.code: unit.unit_id for unit in units if (unit.valid_from or date.min) <= day <= (unit.valid_to or date.max)
    }

    found = {code: selectors.unit_by_code(code, day) for code in {unit.code for unit in units}}

    assert {code: unit.unit_id for code, unit in found.items() if unit} == expected


def test_what_ended_with_the_reform_is_stood_for_and_keeps_its_region_of_then():
    ended = list(AdminUnit.objects.filter(valid_to=DAY_BEFORE).order_by("unit_id"))
    then = selectors.regions_of(ended)
    now = selectors.successors_of(ended, REFORM)

    assert (len(ended), [unit.unit_id for unit in ended if not now[unit.pk]]) == (25, [])
    assert Counter(then[unit.pk].name_in("en") for unit in ended) == {
        "Almaty region": 11, "East Kazakhstan region": 9, "Karaganda region": 5,
    }  # fmt: skip
    assert [unit.unit_id for unit in ended if not unit.path.startswith(then[unit.pk].path)] == []


TODAY = date(2026, 7, 17)


@pytest.mark.parametrize(
    ("code", "day", "on", "stands"),
    [
        ("191000000", DAY_BEFORE, TODAY, ["Taldykorgan city"]),
        ("191000000", REFORM, TODAY, ["Konaev city"]),
        ("191600000", DAY_BEFORE, TODAY, ["Konaev city"]),
        ("632800000", DAY_BEFORE, TRAINING_DAY, ["Semey city"]),
        ("632800000", DAY_BEFORE, TODAY, ["Semey city", "Zhanasemey district"]),
        ("635000000", date(2020, 1, 1), TODAY, ["Kokpekti district", "Samar district"]),
        ("630000000", DAY_BEFORE, TODAY, ["Abai region", "East Kazakhstan region"]),
        ("630000000", TRAINING_DAY, TODAY, ["East Kazakhstan region"]),
        ("191000000", DAY_BEFORE, DAY_BEFORE, ["Taldykorgan city"]),
        ("no such", TODAY, TODAY, []),
    ],
)
def test_successors_stand_for_what_a_code_was(code, day, on, stands):
    assert names(selectors.successors(code, day, on=on)) == stands


def test_region_of_each_unit_costs_one_query(django_assert_num_queries):
    units = list(AdminUnit.objects.filter(unit_id__in=["000000000", "100000000", "101000000", "431047000"]))

    with django_assert_num_queries(1):
        regions = selectors.regions_of(units)

    assert {unit.unit_id: regions[unit.pk].unit_id for unit in units if unit.pk in regions} == {
        "100000000": "100000000",
        "101000000": "100000000",
        "431047000": "430000000",
    }
    assert selectors.region_ids(units) == {key: region.pk for key, region in regions.items()}
    assert selectors.region_of(units[0]) is None


def test_time_zone_is_inherited(django_assert_num_queries):
    places = {"431047000": "Asia/Qyzylorda", "150000000": "Asia/Aqtobe", "751810000": "Asia/Almaty"}
    units = list(AdminUnit.objects.filter(unit_id__in=places))

    with django_assert_num_queries(1):
        zones = selectors.zones_of(units)

    assert {unit.unit_id: zones[unit.pk] for unit in units} == {key: ZoneInfo(name) for key, name in places.items()}
    assert selectors.zone_of(units[0]) == zones[units[0].pk]


def test_each_region_of_the_training_day_has_a_tile_of_its_own():
    tiles = list(selectors.units_on(TRAINING_DAY, level=1).values_list("tile_column", "tile_row"))

    assert len(set(tiles)) == 20
    assert all(0 <= column <= 6 and 0 <= row <= 4 for column, row in tiles)


def test_every_unit_is_named_in_three_languages():
    unnamed = [unit.unit_id for unit in AdminUnit.objects.all() if set(unit.names) != {"en", "ru", "kk"}]

    assert unnamed == []
