from datetime import date
from functools import partial

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, ProgrammingError, transaction
from django.utils import translation

from locations.models import AdminUnit, UnitScope
from tests.concurrently import at_once
from tests.factories.locations import AdminUnitFactory, CountryFactory, UnitScopeFactory, user_with

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("names", "language", "shown"),
    [
        ({"en": "Abai", "ru": "Абай", "kk": "Абай облысы"}, "kk", "Абай облысы"),
        ({"en": "Abai", "ru": "Абай"}, "kk", "Abai"),
        ({"ru": "Абай"}, "en", "Абай"),
        ({"fr": "Abaï"}, "en", "Abaï"),
        ({"en": ""}, "en", "100000000"),
        ({}, "ru", "100000000"),
    ],
)
def test_name_falls_back_over_languages_to_the_code(names, language, shown):
    unit = AdminUnit(code="100000000", names=names)

    with translation.override(language):
        assert (unit.name, str(unit), unit.name_in(language)) == (shown, shown, shown)


def test_short_name_missing_is_the_name():
    with translation.override("en"):
        assert AdminUnit(code="1", names={"en": "Almaty region"}).short_name == "Almaty region"
        assert AdminUnit(code="1", names={"en": "Almaty region"}, short_names={"en": "Almaty"}).short_name == "Almaty"


def test_new_unit_gets_its_path_from_the_parent():
    region = AdminUnitFactory(code="100000000")
    district = AdminUnitFactory(code="101000000", parent=region)

    assert (region.path, district.path) == ("000000000/100000000/", "000000000/100000000/101000000/")


BROKEN = [
    ("adminunit_level_known", {"level": 5}),
    ("adminunit_root_alone_has_no_parent", {"level": 0}),
    ("adminunit_root_alone_has_no_parent", {"parent": None}),
    ("adminunit_unit_id_letters", {"unit_id": "1/2", "path": "1/2/"}),
    ("adminunit_path_ends_with_itself", {"path": "elsewhere/"}),
    ("adminunit_names_by_language", {"names": ["Abai"]}),
    ("adminunit_dates_in_order", {"valid_from": date(2022, 6, 8), "valid_to": date(2022, 6, 7)}),
    ("adminunit_point_on_earth", {"latitude": 91, "longitude": 70}),
    ("adminunit_point_on_earth", {"latitude": 50}),
    ("adminunit_tile_both_or_none", {"tile_row": 1}),
]


@pytest.mark.parametrize(("constraint", "values"), BROKEN)
def test_database_refuses_a_broken_unit(constraint, values):
    unit = AdminUnitFactory()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        AdminUnit.objects.filter(pk=unit.pk).update(**values)

    assert AdminUnit.objects.get(pk=unit.pk).level == 1


@pytest.mark.parametrize(("constraint", "values"), BROKEN)
def test_form_says_in_words_what_the_database_refuses(constraint, values):
    unit = AdminUnitFactory()
    for name, value in values.items():
        setattr(unit, name, value)

    with pytest.raises(ValidationError) as refused:
        unit.full_clean()

    assert not any("constraint" in message.lower() for message in refused.value.messages)


def test_same_code_is_refused_while_the_days_meet_and_taken_the_day_after():
    AdminUnitFactory(code="191000000", unit_id="191000000~2022-06-07", valid_to=date(2022, 6, 7))
    konaev = AdminUnitFactory.build(code="191000000", parent=CountryFactory(), valid_from=date(2022, 6, 7))

    with pytest.raises(IntegrityError, match="adminunit_code_once_at_a_time"), transaction.atomic():
        konaev.save()
    with pytest.raises(ValidationError, match="Another unit has this code at the same time"):
        konaev.full_clean()
    konaev.valid_from = date(2022, 6, 8)
    konaev.full_clean()
    konaev.save()

    assert AdminUnit.objects.filter(code="191000000").count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_one_code_one_wins_and_one_is_told():
    country = CountryFactory()

    written, refused = sorted(
        at_once(
            *(
                partial(AdminUnitFactory, code="191000000", unit_id=f"191000000~{number}", parent=country)
                for number in (1, 2)
            )
        ),
        key=lambda outcome: isinstance(outcome, Exception),
    )

    assert written.pk == AdminUnit.objects.get(code="191000000").pk
    # Whoever asks first whether the code is free waits for the other; where both wait, PostgreSQL ends one of them.
    assert "adminunit_code_once_at_a_time" in str(refused) or "deadlock detected" in str(refused)


def test_unit_is_never_deleted():
    unit = AdminUnitFactory()

    with pytest.raises(ProgrammingError, match="a unit is never deleted, it closes"), transaction.atomic():
        # Past Django, which stops at the spellings of the place before it asks the database.
        AdminUnit.objects.filter(pk=unit.pk)._raw_delete(using="default")

    assert AdminUnit.objects.filter(unit_id=unit.unit_id).exists()


def test_history_is_kept_by_the_database_also_for_update():
    unit = AdminUnitFactory(note="")

    AdminUnit.objects.filter(pk=unit.pk).update(note="renamed")

    events = unit.events.order_by("pgh_id").values_list("pgh_label", "note")
    assert list(events) == [("insert", ""), ("update", "renamed")]


def test_right_taken_away_stays_in_the_history():
    user = user_with("manager")

    UnitScope.objects.filter(user=user).delete()

    events = UnitScope.pgh_event_model.objects.filter(user=user).order_by("pgh_id")
    assert list(events.values_list("pgh_label", "role")) == [("insert", "manager"), ("delete", "manager")]


def test_right_is_given_once():
    right = UnitScopeFactory()

    with pytest.raises(IntegrityError, match="unitscope_once"), transaction.atomic():
        UnitScopeFactory(user=right.user, unit=right.unit)
    with pytest.raises(IntegrityError, match="unitscope_role_known"), transaction.atomic():
        UnitScope.objects.update(role="king")

    assert list(UnitScope.objects.values_list("role", flat=True)) == ["coordinator"]


def test_units_on_counts_first_and_last_day():
    AdminUnitFactory(code="1", valid_from=date(2022, 6, 8))
    AdminUnitFactory(code="2", valid_to=date(2022, 6, 7))
    AdminUnitFactory(code="3")
    units = AdminUnit.objects.level(1)

    assert [unit.code for unit in units.units_on(date(2022, 6, 7))] == ["2", "3"]
    assert [unit.code for unit in units.units_on(date(2022, 6, 8))] == ["1", "3"]


def test_within_takes_the_subtree_and_not_a_unit_whose_id_begins_alike():
    region = AdminUnitFactory(code="10")
    AdminUnitFactory(code="101", parent=region)
    AdminUnitFactory(code="100")

    assert [unit.code for unit in AdminUnit.objects.within(region)] == ["10", "101"]
