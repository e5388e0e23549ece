"""People found by what people type: three scripts, either order of the words, a slip, a code, a phone."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories.accounts import UserFactory
from tests.factories.locations import AdminUnitFactory, user_with
from tests.factories.training import EnumeratorFactory
from training.selectors import search_people

pytestmark = pytest.mark.django_db

# As the roster has them, and what has to find each of them first.
PEOPLE = {
    "Айгерім Қасымова": ["Айгерим Касымова", "Aigerim Kassymova", "Aygerim Qasymova", "Касымова Айгерим", "Айгерем"],
    "Нұрлан Жақсыбеков": ["Нурлан Жаксыбеков", "Nurlan Zhaksybekov", "Jaqsybekov Nurlan", "Nurlan Zhaksibekov"],
    "Гүлнар Әбдірахманова": ["Гульнар Абдрахманова", "Gulnar Abdrakhmanova", "Gülnar Äbdirahmanova"],
    "Ерлан Өтегенов": ["Ерлан Утегенов", "Yerlan Utegenov", "Erlan Ötegenov", "Utegenov"],
    "Светлана Щербакова": ["Светлана Щербакова", "Svetlana Shcherbakova", "Scherbakova Svetlana", "Щербокова"],
    "Yuliya Chernyshova": ["Юлия Чернышова", "Iuliia Chernyshova", "Чернышева Юлия", "Юлия Чернишова"],
    "Бауыржан Тоқтаров": ["Бауржан Токтаров", "Bauyrzhan Toktarov", "Bauırjan Toqtarov", "Токтарв Бауржан"],
    "Aleksandr Kim": ["Александр Ким", "Alexandr Kim", "Kim Alexander", "Алексндр Ким"],
    "Шынар Ысқақова": ["Шинар Искакова", "Shynar Yskakova", "Şynar Ysqaqova", "Чинара Искакова"],
    "Динмұхамед Сәтбаев": ["Динмухамед Сатбаев", "Dinmukhamed Satbayev", "Satbaev Dinmukhamed"],
    "Zhanar Mukhamedzhanova": ["Жанар Мухамеджанова", "Жанар Мұхамеджанова", "Janar Muhamedjanova"],
    "Тимур Цой": ["Timur Tsoy", "Цой Тимур", "Timur Coi", "Timor Tsoi"],
}


@pytest.fixture
def home():
    return AdminUnitFactory()


@pytest.fixture
def roster(home):
    return {name: EnumeratorFactory(full_name=name, home_unit=home) for name in PEOPLE}


def found(text, **asked):
    return [person.full_name for person in search_people(text, **asked)]


def test_people_are_found_first_in_three_scripts_in_either_order_and_with_a_slip(roster):
    wrong = {
        spelling: found(spelling)[:1]
        for name, spellings in PEOPLE.items()
        for spelling in (name, *spellings)
        if found(spelling)[:1] != [name]
    }

    assert wrong == {}


def test_person_is_found_by_another_spelling_of_the_name(home):
    EnumeratorFactory(full_name="Мария Ли", other_names=["Lee Maria"], home_unit=home)

    assert found("Lee") == found("Ли Мария") == ["Мария Ли"]


def test_person_is_found_by_code_phone_and_kobo_name(home):
    EnumeratorFactory(full_name="Other", code="E070", phone="+77770001122", home_unit=home)
    person = EnumeratorFactory(
        full_name="Person", code="E07", phone="+77011234567", kobo_username="aigerim_k", home_unit=home
    )

    for text in ("E07", "e07", "+7 (701) 123-45-67", "8 701 123 45 67", "1234567", "aigerim_", "AIGERIM_K"):
        assert search_people(text)[:1] == [person], text
    assert found("E0") == ["Other", "Person"]


def test_who_has_left_stands_behind_and_who_was_merged_is_answered_with_the_other(home):
    active = EnumeratorFactory(full_name="Асель Омарова", home_unit=home)
    EnumeratorFactory(full_name="Асель Омар", status="left", home_unit=home)
    EnumeratorFactory(full_name="Assel Omarova-Kim", status="left", merged_into=active, home_unit=home)

    assert found("Assel") == ["Асель Омарова", "Асель Омар"]
    assert found("Omar Assel") == ["Асель Омар", "Асель Омарова"]
    assert found("Omarova Kim") == ["Асель Омарова"]


def test_people_are_found_within_reach_alone(roster, home):
    other = AdminUnitFactory()
    EnumeratorFactory(full_name="Айгерим Касымова", home_unit=other)

    assert found("Касымова", user=user_with("coordinator", home)) == ["Айгерім Қасымова"]
    assert found("Касымова", user=user_with("coordinator", other)) == ["Айгерим Касымова"]
    assert found("Касымова", user=user_with("manager")) == ["Айгерим Касымова", "Айгерім Қасымова"]
    for text in ("Касымова", "Касмва", "E0", ""):
        assert found(text, user=UserFactory()) == []


@pytest.mark.parametrize("text", ["", " ", "'%_\\", "…", "xyzzy", "0"])
def test_words_that_mean_nobody_find_nobody(roster, text):
    assert found(text) == []


def test_search_costs_the_same_for_one_person_and_for_three(home):
    def queries(text):
        with CaptureQueriesContext(connection) as made:
            search_people(text)
        return len(made)

    EnumeratorFactory(full_name="Асель Омарова", home_unit=home)
    one = [queries(text) for text in ("Assel", "Assl Omarva", "E0")]
    EnumeratorFactory.create_batch(2, full_name="Асель Омарова", home_unit=home)

    assert [queries(text) for text in ("Assel", "Assl Omarva", "E0")] == one


def test_roster_is_searched_blind_to_script_on_the_desk_and_in_choices(client, roster, home):
    client.force_login(user_with("coordinator", home))

    listed = client.get("/admin/training/enumerator/", {"q": "kassymova"}).context["cl"].result_list

    assert [person.full_name for person in listed] == ["Айгерім Қасымова"]
