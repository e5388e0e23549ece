"""The figure rule: a case computed by hand, and what holds for any forms."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.selectors.report import Part, _Form, combine, report
from assessments.selectors.report_districts import region_report
from tests.factories.assessments import AssessmentRoundFactory, make_submission
from tests.factories.figures import approved_form, hand_made_round
from tests.factories.locations import AdminUnitFactory


@pytest.fixture
def hand_made(district, village, other_village, area, sub_area, coordinator, other_coordinator, manager):
    """See `hand_made_round`: the numbers of these tests are computed there by hand."""
    return hand_made_round(
        district=district,
        village=village,
        elsewhere=other_village,
        kinds=(area, sub_area),
        people=(coordinator, other_coordinator, manager),
    )


def rows(breakdown):
    return [(row.code, row.count, row.share) for row in breakdown.rows]


def test_report_takes_each_village_once(hand_made):
    found = report(hand_made)

    assert found.total == 1180
    assert rows(found.by["region"]) == [
        ("190000000", 1130, Decimal("95.8")),
        ("470000000", 50, Decimal("4.2")),
    ]


def test_report_counts_what_forms_do_not_say_as_unknown(hand_made):
    found = report(hand_made)

    assert rows(found.by["sex"]) == [
        ("male", 500, Decimal("42.4")),
        ("female", 250, Decimal("21.2")),
        ("unknown", 430, Decimal("36.4")),
    ]
    assert rows(found.by["nationality"])[-1] == ("unknown", 1180, Decimal("100.0"))
    assert all(breakdown.base == sum(row.count for row in breakdown.rows) for breakdown in found.by.values())


def test_report_compares_years_and_takes_reasons_of_the_reference_year(hand_made):
    found = report(hand_made)

    assert [(row.code, row.count, row.growth) for row in found.by["arrival_year"].rows] == [
        ("2021", 200, None),
        ("2022", 400, Decimal("100.0")),
        ("unknown", 580, None),
    ]
    assert (found.by["reason"].base, rows(found.by["reason"])) == (
        400,
        [
            ("economic", 300, Decimal("75.0")),
            ("sanctions", 50, Decimal("12.5")),
            ("conflict", 0, Decimal("0.0")),
            ("mobilization", 0, Decimal("0.0")),
            ("covid", 0, Decimal("0.0")),
            ("unknown", 50, Decimal("12.5")),
        ],
    )


def test_report_of_a_coordinator_holds_only_the_own_places(hand_made, other_coordinator, stranger):
    assert report(hand_made, user=other_coordinator).total == 50
    assert [row.code for row in report(hand_made, user=other_coordinator).by["region"].rows] == ["470000000"]
    assert report(hand_made, user=stranger).total == 0


def test_region_report_opens_the_parts_of_each_district(hand_made, region, other_region, other_district):
    whole = report(hand_made)
    found = region_report(whole, region)
    elsewhere = region_report(whole, other_region)

    assert [(line.unit.name, line.total, line.share) for line in found.districts] == [
        ("Karasay", 1130, Decimal("100.0"))
    ]
    assert [(part.kind, part.unit.name, part.value) for part in found.districts[0].parts] == [
        ("village", "Zhandosov", 350),
        ("estimate", "Second", 200),
        ("village", "Third", 80),
        ("rest", "Karasay", 500),
    ]
    # A district without a form of its own is its villages.
    assert [(line.unit, line.total) for line in elsewhere.districts] == [(other_district, 50)]


def test_report_ignores_what_is_not_approved(hand_made):
    target = hand_made.targets.get(unit__names__en="Fourth")
    make_submission(target, answers={"total": "9999"})

    assert report(hand_made).total == 1180


def test_report_of_a_round_without_forms_has_no_shares(region, area):
    found = report(AssessmentRoundFactory(code="empty"))

    assert (found.total, found.by["region"].rows, found.by["sex"].share_sum) == (0, (), Decimal(0))


@pytest.mark.parametrize("number", [1, 3])
def test_report_asks_the_same_number_of_queries(
    number, region, sub_area, coordinator, django_assert_num_queries, district
):
    current = AssessmentRoundFactory()
    for index in range(number):
        unit = AdminUnitFactory(parent=district, names={"en": f"Village {index}"})
        approved_form(current, unit, sub_area, {"total": "10"}, by=[coordinator])

    with django_assert_num_queries(9):
        whole = report(current)
        region_report(whole, region)


# --- what holds for any forms. Places: district 1 at "c/r/1/", its villages 11 to 14; district 2 with 21 to 24.

VILLAGES = {1: (11, 12, 13, 14), 2: (21, 22, 23, 24)}
PLACES = {1: "c/r/1/", 2: "c/r/2/"} | {one: f"c/r/{head}/{one}/" for head, ones in VILLAGES.items() for one in ones}


@st.composite
def forms(draw):
    found = []
    for head in draw(st.sets(st.sampled_from([1, 2]))):
        named = draw(st.dictionaries(st.sampled_from(sorted(PLACES.keys() - {1, 2})), st.integers(0, 500), max_size=5))
        total = draw(st.one_of(st.none(), st.integers(0, 3000)))
        found.append(_Form(head, head, PLACES[head], True, total=total, estimates=named))
        men = draw(st.integers(0, 1000))
        found[-1].parts["sex"] = Counter(male=men)
    for unit in draw(st.sets(st.sampled_from(sorted(PLACES.keys() - {1, 2})))):
        total = draw(st.integers(0, 500))
        found.append(_Form(unit, unit, PLACES[unit], False, total=total))
        found[-1].parts["sex"] = Counter(male=draw(st.integers(0, total)))
    return found


def combined(found):
    return list(combine(found, places=PLACES, reference_year="2022"))


@given(forms())
def test_combine_counts_each_approved_village_exactly_once(found):
    parts = Counter(part.unit for line in combined(found) for part in line.parts if part.kind == "village")

    assert parts == Counter(form.unit for form in found if not form.is_area)


@given(forms())
def test_combine_never_takes_an_estimate_beside_its_village_form_nor_twice(found):
    estimates = Counter(part.unit for line in combined(found) for part in line.parts if part.kind == "estimate")

    assert not estimates.keys() & {form.unit for form in found if not form.is_area}
    assert all(times == 1 for times in estimates.values())


@given(forms())
def test_combine_of_district_forms_alone_is_what_they_say(found):
    areas = [form for form in found if form.is_area]
    own = [
        replace(form, estimates={u: v for u, v in form.estimates.items() if u in VILLAGES[form.unit]}) for form in areas
    ]

    assert {line.unit: line.total for line in combined(own)} == {
        form.unit: max(form.total or 0, sum(form.estimates.values())) for form in own
    }


@given(forms(), st.randoms())
def test_combine_does_not_depend_on_the_order_of_forms(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)

    assert combined(shuffled) == combined(found)


@given(forms())
def test_combine_breaks_down_no_more_people_than_there_are(found):
    for line in combined(found):
        assert line.breakdowns["sex"].total() <= line.total
        assert all(isinstance(part, Part) and part.value >= 0 for part in line.parts)
