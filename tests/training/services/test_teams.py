"""Teams with dated membership and lead."""

from datetime import date
from threading import Barrier

import pytest

from dtm_ops.common.errors import Refused
from tests.concurrently import at_once
from tests.factories.training import EnumeratorFactory, TeamFactory
from training.models import Enumerator, TeamMembership
from training.selectors.teams import team_lead, team_leads
from training.services.absences import cut_absence, note_absence
from training.services.periods import write_or_refuse
from training.services.teams import hand_over_lead, join_team, leave_team

APRIL, MAY, JUNE, JULY = (date(2023, month, 1) for month in (4, 5, 6, 7))


def members(team):
    return list(
        team.memberships.order_by("enumerator__code", "valid_from").values_list(
            "enumerator__code", "is_lead", "valid_from", "valid_to"
        )
    )


@pytest.fixture
def team(region):
    return TeamFactory(code="almaty", name="Almaty team", unit=region)


@pytest.fixture
def people(db):
    return [EnumeratorFactory(code=code, full_name=f"Person {code}") for code in ("T1", "T2")]


def test_lead_is_handed_over_and_who_led_then_is_answered(team, people, village, region):
    first, second = people
    join_team(team, first, valid_from=APRIL, is_lead=True)
    join_team(team, second, valid_from=APRIL)

    hand_over_lead(team, to=second, on=JUNE)

    assert members(team) == [
        ("T1", True, APRIL, date(2023, 5, 31)),
        ("T1", False, JUNE, None),
        ("T2", False, APRIL, date(2023, 5, 31)),
        ("T2", True, JUNE, None),
    ]
    assert [team_lead(team, day) for day in (date(2023, 3, 31), APRIL, date(2023, 5, 31), JUNE)] == [
        None, first, first, second,
    ]  # fmt: skip
    assert team_lead(village, MAY) == team_lead(region, MAY) == first
    asked = team_leads(region, first=APRIL, last=date(2023, 6, 30))
    assert [(row.enumerator, row.valid_from) for row in asked] == [(first, APRIL), (second, JUNE)]


def test_place_with_a_team_of_its_own_is_answered_by_that_one(team, people, village, other_village):
    own = TeamFactory(code="karasay", unit=village)
    join_team(team, people[0], valid_from=APRIL, is_lead=True)
    join_team(own, people[1], valid_from=APRIL, is_lead=True)

    assert [team_lead(place, MAY) for place in (village, other_village)] == [people[1], None]


def test_who_is_no_member_joins_with_the_lead(team, people):
    hand_over_lead(team, to=people[0], on=MAY)
    hand_over_lead(team, to=people[1], on=MAY)

    assert members(team) == [("T1", False, MAY, None), ("T2", True, MAY, None)]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"who": 0, "valid_from": MAY}, "Person T1 (T1) is in Almaty team on some of these days: since 1 Apr 2023."),
        (
            {"who": 1, "valid_from": APRIL, "is_lead": True},
            "Person T1 (T1) leads Almaty team on some of these days: since 1 Apr 2023.",
        ),
        ({"who": 1, "valid_from": MAY, "valid_to": APRIL}, "The last day is before the first."),
    ],
)
def test_overlapping_membership_is_refused_in_words(team, people, asked, sentence):
    join_team(team, people[0], valid_from=APRIL, is_lead=True)
    who = people[asked.pop("who")]

    with pytest.raises(Refused) as refused:
        join_team(team, who, **asked)

    assert (str(refused.value), len(members(team))) == (sentence, 1)


def test_closed_team_and_who_has_left_are_refused(team, people, region):
    gone = EnumeratorFactory(status="left")
    closed = TeamFactory(unit=region, closed_on=APRIL)

    for where, who in ((closed, people[0]), (team, gone)):
        with pytest.raises(Refused):
            join_team(where, who, valid_from=MAY)

    assert TeamMembership.objects.count() == 0


def test_membership_ends_on_its_day_and_one_to_come_never_began(team, people):
    began = join_team(team, people[0], valid_from=APRIL)
    to_come = join_team(team, people[1], valid_from=JULY)

    leave_team(began, on=MAY)
    leave_team(to_come, on=MAY)
    with pytest.raises(Refused):
        leave_team(began, on=JUNE)

    assert members(team) == [("T1", False, APRIL, MAY)]


@pytest.mark.django_db(transaction=True)
def test_two_teams_that_take_one_person_at_one_time_one_is_told(region):
    person = EnumeratorFactory()
    teams = [TeamFactory(unit=region), TeamFactory(unit=region)]

    ended = at_once(*(lambda one=one: join_team(one, person, valid_from=APRIL) for one in teams))

    assert [one.code for one in ended if isinstance(one, Refused)] == ["in_a_team"]
    assert TeamMembership.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_whoever_a_deadlock_ends_writes_once_more():
    keys = [EnumeratorFactory().pk, EnumeratorFactory().pk]
    each_has_one, tries = Barrier(2), []

    def writing(mine, other):
        first = []

        def write():
            tries.append(mine)
            Enumerator.objects.select_for_update().get(pk=mine)
            if not first:
                first.append(True)
                each_has_one.wait(10)
            Enumerator.objects.select_for_update().get(pk=other)
            return mine

        return lambda: write_or_refuse(write, refusals={})

    assert at_once(writing(*keys), writing(*reversed(keys))) == keys
    assert len(tries) == 3


def test_absence_on_days_of_another_is_refused_in_words(enumerator):
    note_absence(enumerator, first_day=APRIL, last_day=MAY, note=" Leave ")

    with pytest.raises(Refused) as refused:
        note_absence(enumerator, first_day=MAY, last_day=JUNE, kind="sickness")
    with pytest.raises(Refused):
        note_absence(enumerator, first_day=JULY, last_day=JUNE)

    said = "Aigerim Demo (E01) is absent on some of these days already: 1 Apr 2023 – 1 May 2023."
    assert str(refused.value) == said
    rows = enumerator.absences.values_list("kind", "first_day", "last_day", "note")
    assert list(rows) == [("leave", APRIL, MAY, "Leave")]


def test_absence_is_cut_and_one_to_come_goes(enumerator):
    now, later = (note_absence(enumerator, first_day=a, last_day=b) for a, b in ((APRIL, JUNE), (JULY, JULY)))

    for one in (now, later):
        cut_absence(one, on=MAY)

    assert list(enumerator.absences.values_list("first_day", "last_day")) == [(APRIL, MAY)]


@pytest.mark.django_db(transaction=True)
def test_two_who_note_one_absence_at_one_time_one_is_told():
    person = EnumeratorFactory()

    ended = at_once(*[lambda: note_absence(person, first_day=APRIL, last_day=MAY)] * 2)

    assert [one.code for one in ended if isinstance(one, Refused)] == ["absent_already"]
    assert person.absences.count() == 1
