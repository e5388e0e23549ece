"""/reports/: the quarter's figures as people read them."""

import pytest
from django.urls import reverse

from tests.factories.assessments import AssessmentRoundFactory
from tests.factories.figures import approved_form, hand_made_round
from tests.factories.locations import AdminUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def hand_made(district, village, other_village, area, sub_area, coordinator, other_coordinator, manager):
    return hand_made_round(
        district=district,
        village=village,
        elsewhere=other_village,
        kinds=(area, sub_area),
        people=(coordinator, other_coordinator, manager),
    )


@pytest.fixture
def open_page(client):
    def get(user, *place, code="2022-Q4"):
        client.force_login(user)
        return client.get(reverse("report_region" if place else "report", args=[code, *place]))

    return get


def page_text(response):
    return " ".join(response.content.decode().split())


def test_report_opens_for_who_has_a_desk(hand_made, open_page, administrator, manager, coordinator):
    for user in (administrator, manager, coordinator):
        assert open_page(user).status_code == 200
        assert open_page(user, "190000000").status_code == 200


def test_report_is_not_found_for_others(hand_made, open_page, enumerator, stranger, manager):
    for user in (enumerator.user, stranger):
        assert open_page(user).status_code == 404
        assert open_page(user, "190000000").status_code == 404
    assert open_page(manager, code="1999-Q1").status_code == 404
    assert open_page(manager, "no-such-place").status_code == 404
    assert open_page(manager, "195200000").status_code == 404


def test_report_asks_for_a_log_in_and_is_read_only(hand_made, client, manager):
    assert client.get(reverse("report", args=["2022-Q4"])).status_code == 302
    client.force_login(manager)
    assert client.post(reverse("report", args=["2022-Q4"])).status_code == 405


def test_report_of_a_coordinator_holds_the_own_places_alone(hand_made, open_page, coordinator, other_coordinator):
    text = page_text(open_page(other_coordinator))

    assert (open_page(other_coordinator).context["report"].total, "Almaty region" in text) == (50, False)
    assert open_page(other_coordinator, "190000000").status_code == 404
    assert open_page(coordinator).context["report"].total == 1130


def test_report_shows_counts_shares_growth_and_the_base(hand_made, open_page, manager):
    text = page_text(open_page(manager))

    assert '<b>1,180</b> <span class="headline-name">Migrant workers present</span>' in text
    assert '<th scope="row">men</th><td class="number">500</td><td class="number">42.4 %</td>' in text
    assert '<th scope="row">not given in the form</th><td class="number">430</td>' in text
    assert '<td class="number">+100.0 %</td>' in text
    assert "Base: 400 people who arrived in 2022." in text
    assert "Base: all 1,180 who are present." in text
    assert "3 of 5" not in text
    assert "4 of 5 places are covered (80.0 %)" in text


def test_report_says_where_shares_miss_a_hundred(hand_made, open_page, coordinator, manager):
    # Of 1,130: 44.2, 22.1 and 33.6.
    assert "The shares add up to 99.9 % because each is rounded." in page_text(open_page(coordinator))
    missing = {section.code: section.misses for section in open_page(manager).context["sections"]}
    assert missing == {"nationality": None, "sex": None, "arrival_year": None, "reason": None, "migration_type": None}


def test_report_shows_remarks_of_regions_and_of_practice(hand_made, region, other_region, open_page, manager):
    for unit in (region, other_region):
        hand_made.regions.create(unit=unit, remarks={"en": "Invented count."})
    type(hand_made).objects.update(is_demo=True, remarks={"en": "Margins are those of the source."})
    text = page_text(open_page(manager))

    assert "<b>Almaty region, Mangystau region:</b> Invented count." in text
    assert "Demonstration" in text
    assert "Margins are those of the source." in text
    assert "published" not in text
    assert "Invented count." in page_text(open_page(manager, "190000000"))


def test_report_of_a_region_opens_what_each_number_rests_on(hand_made, open_page, manager):
    response = open_page(manager, "190000000")
    ((line, parts),) = response.context["districts"]

    assert (line.unit.name, line.total) == ("Karasay", 1130)
    assert [(part.unit.name, words, part.value) for part, words, _address in parts] == [
        ("Zhandosov", "approved form of this place", 350),
        ("Second", "estimate of the district form", 200),
        ("Third", "approved form of this place", 80),
        ("Karasay", "rest, by the district form", 500),
    ]


def test_report_leads_to_each_form_at_the_desk(hand_made, open_page, client, coordinator):
    ((_line, parts),) = open_page(coordinator, "190000000").context["districts"]
    addresses = [address for _part, _words, address in parts]

    assert addresses == [
        reverse("admin:assessments_kobosubmission_change", args=[part.submission.pk]) for part, *_rest in parts
    ]
    assert [client.get(address).status_code for address in addresses] == [200, 200, 200, 200]


def test_report_without_approved_forms_says_so(region, open_page, manager, vocabulary):
    AssessmentRoundFactory().regions.create(unit=region)

    assert "No form of this round is approved yet." in page_text(open_page(manager))
    assert "No form of this region is approved yet." in page_text(open_page(manager, "190000000"))


@pytest.mark.parametrize(("place", "queries"), [((), 15), (("190000000",), 15)])
@pytest.mark.parametrize("number", [1, 3])
def test_report_asks_the_same_number_of_queries(
    place, queries, number, region, district, sub_area, coordinator, manager, client, django_assert_num_queries
):
    current = AssessmentRoundFactory()
    for index in range(number):
        unit = AdminUnitFactory(parent=district, names={"en": f"Village {index}"})
        approved_form(current, unit, sub_area, {"total": "10", "men": "4"}, by=[coordinator])
    client.force_login(manager)
    address = reverse("report_region" if place else "report", args=["2022-Q4", *place])
    client.get(address)

    with django_assert_num_queries(queries):
        assert client.get(address).status_code == 200
