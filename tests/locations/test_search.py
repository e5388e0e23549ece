"""Places found by what people type, over the whole shipped gazetteer: 15,620 places, 55,000 spellings."""

import random
from datetime import date

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from locations.models import AdminUnit, AdminUnitAlias
from locations.querysets import forget_scope
from locations.selectors import search_units
from locations.services import add_alias, follow_names
from tests.factories.accounts import UserFactory
from tests.factories.locations import AdminUnitFactory, user_with

pytestmark = pytest.mark.django_db

REFORM = date(2022, 6, 8)
DAY_BEFORE = date(2022, 6, 7)

# The place by its unit id, and what has to find it first.
SPELLINGS = {
    # Karaganda region, and the city
    "350000000": ["Қарағанды", "Караганда", "Karaganda", "Qaraghandy", "Karagandy", "Qarağandy", "Карагнада",
                  "караганд", "Карагандинская область", "Karaganda region", "Қарағанды облысы"],
    "351000000": ["г. Караганда", "Karaganda city", "Қарағанды қаласы", "город Караганда"],
    # Almaty, the city and the region
    "750000000": ["Алматы", "Almaty", "Алма-Ата", "Alma-Ata", "Алмаата", "Верный"],
    "190000000": ["Алматинская область", "Almaty region", "Алматы облысы", "Almaty oblysy"],
    # Astana
    "710000000": ["Астана", "Astana", "Целиноград", "Нур-Султан", "Nursultan", "Нұр-Сұлтан", "Tselinogrd"],
    # Shymkent
    "790000000": ["Шымкент", "Чимкент", "Shymkent", "Chimkent", "Şymkent", "Шымкетн"],
    # Ust-Kamenogorsk
    "631000000": ["Усть-Каменогорск", "Ust Kamenogorsk", "Өскемен", "Oskemen", "Öskemen", "Усть Каменогорс"],
    # Semey of today
    "101000000": ["Семей", "Semey", "Semei", "Семипалатинск", "Semipalatinsk"],
    # Zhambyl region, and Taraz, which was Dzhambul
    "310000000": ["Жамбыл", "Zhambyl", "Jambyl", "Žambyl", "Джамбулская область", "Zhmbyl"],
    "311000000": ["Тараз", "Taraz", "Джамбул", "Аулие-Ата"],
    # Atyrau city, Aktau, Petropavlovsk, Uralsk
    "231000000": ["Гурьев", "Guryev", "г.Атырау"],
    "471000000": ["Актау", "Ақтау", "Aqtaý", "Шевченко"],
    "591000000": ["Петропавловск", "Петропавл", "Petropavl"],
    "271000000": ["Уральск", "Орал", "Oral", "Uralsk"],
    # Kostanay region, Kyzylorda region
    "390000000": ["Костанай", "Қостанай", "Qostanay", "Kostanai"],
    "430000000": ["Кызылорда", "Қызылорда", "Qyzylorda", "Кзылорда"],
    # Taldykorgan of today, Konaev, Ekibastuz, Balkhash, Kokshetau
    "331000000": ["Талдыкорган", "Талды-Курган", "Taldyqorghan", "Талдықорған"],
    "191000000": ["Қонаев", "Конаев", "Qonaev", "Капчагай", "Қапшағай"],
    "552200000": ["Экибастуз", "Екібастұз", "Ekibastuz", "Yekibastuz"],
    "351600000": ["Балхаш", "Балқаш", "Balkhash", "Balqash"],
    "111000000": ["Кокшетау", "Көкшетау", "Kokshetau", "Кокчетав"],
    # Mangystau region, Zhetisu region, Zhezkazgan, Altai district, which was Zyryanovsk
    "470000000": ["Мангистау", "Маңғыстау", "Mańǵystaý", "Mangystau"],
    "330000000": ["Жетісу", "Жетысу", "Jetisu", "Zhetysu", "область Жетысу"],
    "621000000": ["Жезказган", "Джезказган", "Жезқазған", "Zhezqazghan"],
    "634800000": ["Зыряновский район"],
    "113800000": ["Атбасар", "Atbasar"],
    # Abai by the place above
    "353200000": ["Караганда Абай", "Abai Karaganda", "Карагандинская область, Абайский район"],
    "100000000": ["Абай", "Abay", "область Абай"],
    # Samar, and a district that is named in a middle word
    "635600000": ["Восточно-Казахстанская область, Самар"],
    "315000000": ["Турара Рыскулова", "район им. Турара Рыскулова", "Turar Ryskulov"],
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def gazetteer(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("load_gazetteer")
        yield
        transaction.set_rollback(True)


def found(text, **asked):
    return [unit.unit_id for unit in search_units(text, **asked)]


def test_table_is_as_long_as_it_has_to_be():
    assert len(SPELLINGS) >= 20
    assert sum(map(len, SPELLINGS.values())) >= 100


@pytest.mark.parametrize(
    ("unit_id", "spelling"), [(unit_id, spelling) for unit_id, some in SPELLINGS.items() for spelling in some]
)
def test_spelling_finds_its_place_first(unit_id, spelling):
    assert found(spelling)[:1] == [unit_id]


def test_every_file_of_the_shipped_gazetteer_is_loaded_and_a_second_load_changes_nothing(capsys):
    counted = AdminUnit.objects.filter(level=4).count()
    spellings = AdminUnitAlias.objects.count()
    events = AdminUnit.pgh_event_model.objects.count(), AdminUnitAlias.pgh_event_model.objects.count()

    call_command("load_gazetteer", "--json")

    assert '"added": 0, "changed": 0, "unchanged": 15620' in capsys.readouterr().out
    assert (counted, AdminUnit.objects.exclude(level=0).filter(parent=None).count()) == (12_982, 0)
    assert AdminUnitAlias.objects.count() == spellings
    assert (AdminUnit.pgh_event_model.objects.count(), AdminUnitAlias.pgh_event_model.objects.count()) == events


def test_load_puts_back_a_spelling_that_is_missing_and_makes_old_keys_again():
    unit = AdminUnit.objects.get(unit_id="350000000")
    unit.aliases.filter(kind="name").delete()
    some = list(AdminUnitAlias.objects.order_by("pk")[:5].values_list("pk", flat=True))
    AdminUnitAlias.objects.filter(pk__in=some).update(search_key="old", skeleton="old", words=[])

    call_command("load_gazetteer")

    assert names_of(unit, "name") == set(unit.names.items())
    assert not AdminUnitAlias.objects.filter(search_key="old").exists()


def names_of(unit, kind):
    return set(unit.aliases.filter(kind=kind).values_list("language", "name"))


def test_spellings_follow_the_names_through_any_renames():
    dice = random.Random(3)
    units = dice.sample(list(AdminUnit.objects.exclude(level=0)), 40)
    for _round in range(5):
        for unit in units:
            words = ["".join(dice.sample("қараңғыabcдж", 5)) for _language in range(3)]
            unit.names = {
                code: word for code, word in zip(("en", "ru", "kk"), words, strict=True) if dice.random() < 0.8
            }
            unit.short_names = {"en": words[0]} if dice.random() < 0.5 else {}
        AdminUnit.objects.bulk_update(units, ["names", "short_names"])
        follow_names(units)

        assert all(names_of(unit, "name") == set(unit.names.items()) for unit in units)
        assert all(names_of(unit, "short") == set(unit.short_names.items()) for unit in units)
        assert follow_names(units) == 0


def test_names_repeat_so_each_place_comes_with_the_one_above(django_assert_num_queries):
    with django_assert_num_queries(2):  # the spellings, the places with those above
        labels = [unit.choice_label for unit in search_units("Жамбылский район", limit=3)]

    assert labels == [
        "Zhambyl district (Almaty region)",
        "Zhambyl district (Zhambyl region)",
        "Zhambyl district (North Kazakhstan region)",
    ]


def test_search_costs_the_same_for_few_and_for_many(django_assert_num_queries):
    for limit in (1, 20):
        with django_assert_num_queries(2):
            assert len(search_units("Актобе", limit=limit)) == limit
    for limit in (1, 3):
        with django_assert_num_queries(3):  # and a slip of the hand
            search_units("Павлодр", limit=limit)


@pytest.mark.parametrize(
    ("text", "day", "first"),
    [
        ("Талдыкорган", DAY_BEFORE, "191000000~2022-06-07"),
        ("Талдыкорган", REFORM, "331000000"),
        ("191000000~2022", REFORM, "331000000"),
        ("191000000", DAY_BEFORE, "191000000~2022-06-07"),
        ("191000000", REFORM, "191000000"),
        ("Капчагай", DAY_BEFORE, "191600000~2022-06-07"),
        ("Капчагай", REFORM, "191000000"),
        ("район Абай Восточно-Казахстанская", DAY_BEFORE, "633200000~2022-06-07"),
        ("область Абай", REFORM, "100000000"),
        ("Улытауский район", DAY_BEFORE, "356000000~2022-06-07"),
        ("Улытауский район", REFORM, "623800000"),
        ("Улытау", REFORM, "620000000"),
    ],
)
def test_place_is_answered_as_it_was_on_the_day(text, day, first):
    assert found(text, on=day)[:1] == [first]


def test_closed_place_is_answered_with_its_successor_though_another_place_fits():
    assert "103200000" in found("район Абай Восточно-Казахстанская", on=REFORM)
    assert found("район Абай Восточно-Казахстанская", on=REFORM, level=2) == ["103200000"]


def test_only_places_in_force_on_the_day_are_answered():
    for day in (DAY_BEFORE, REFORM):
        for text in ("Абай", "Семей", "19", "Талдыкорган"):
            units = search_units(text, on=day, limit=100)
            assert units == [unit for unit in units if (unit.valid_from or day) <= day <= (unit.valid_to or day)]
            assert len(set(units)) == len(units)


def test_closed_place_stands_behind_those_in_force():
    assert found("Талдыкорган")[-1] == "191000000~2022-06-07"


def test_level_and_queryset_narrow():
    pavlodar = AdminUnit.objects.get(unit_id="550000000")

    assert found("Караганда", level=2) == ["351000000"]
    assert found("Улытау", on=REFORM, level=2)[:1] == ["623800000"]
    assert found("Абай", units=AdminUnit.objects.within(pavlodar).level(2)) == []
    assert all(unit.startswith("55") for unit in found("Аксу", units=AdminUnit.objects.within(pavlodar)))


def test_coordinator_finds_own_places_and_who_has_no_rights_finds_none():
    karaganda = AdminUnit.objects.get(unit_id="350000000")
    coordinator = user_with("coordinator", karaganda)

    own = search_units("Абай", user=coordinator, limit=50)
    closed = found("Талдыкорган", user=coordinator, on=REFORM)

    assert own
    assert all(unit.path.startswith(karaganda.path) for unit in own)
    assert closed == []
    for nobody in (UserFactory(), user_with("enumerator")):
        forget_scope(nobody)
        assert [found(text, user=nobody) for text in ("Абай", "350000000", "Караганда Абай", "Павлодр")] == [[]] * 4


def test_codes_are_found_by_their_beginning():
    assert found("350000000") == ["350000000"]
    assert found("kz-35") == found("KZ35")[:1] == ["350000000"]
    assert found("KZ-KAR") == ["350000000"]
    assert found("35100")[:1] == ["351000000"]
    assert set(found("10323", limit=50)) == set(
        AdminUnit.objects.filter(code__startswith="10323").values_list("unit_id", flat=True)[:50]
    )


def test_merged_place_is_answered_with_what_it_was_merged_into():
    unit = AdminUnit.objects.get(unit_id="353200000")
    gone, last = AdminUnit.objects.filter(level=4, parent__path__startswith=unit.path)[:2]
    for place, target in ((gone, last), (last, unit)):
        place.valid_to, place.merged_into = date(2026, 1, 31), target
        place.save()
    add_alias(gone, "Нигдебулак")

    assert found("Нигдебулак") == ["353200000"]
    assert found("Нигдебулак", on=date(2026, 1, 31)) == [gone.unit_id]
    assert found("Нигдебулак", on=date(2026, 2, 1)) == ["353200000"]


@pytest.mark.parametrize("text", ["", "  ", "'%_\\", "xyzzy", "…", "г.", "с", "東京", "a" * 500])
def test_words_that_mean_nothing_find_nothing_or_little(text):
    assert len(search_units(text)) <= 20


def test_kind_words_alone_are_a_name():
    village = AdminUnitFactory(parent=AdminUnit.objects.get(unit_id="353200000"), names={"ru": "Село"})

    assert found("село")[:1] == [village.unit_id]


def test_database_plans_by_index():
    """The keys are asked through their indexes, not by reading all spellings."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE locations_adminunitalias")
    plan = AdminUnitAlias.objects.filter(search_key__startswith="karagan").explain()

    assert "alias_search_key" in plan
