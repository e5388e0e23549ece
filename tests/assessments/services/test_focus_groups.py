"""Planning, moving, holding, cancelling; people in focus groups, never in two at one time."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.kobo.codes import is_code
from assessments.models import FocusGroupSession, SessionAssignment
from assessments.services.assignments import assign_enumerator, withdraw_assignment
from assessments.services.focus_groups import (
    busy_times,
    cancel_focus_group,
    hold_focus_group,
    move_focus_group,
    note_held,
    plan_focus_group,
)
from assessments.services.rounds import close_round
from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import StatusChange
from tests.concurrently import at_once
from tests.factories.training import CertificateFactory, EnumeratorFactory
from training.services.certification import revoke_certificate
from training.services.roster import change_enumerator_status

pytestmark = pytest.mark.django_db

NINE = datetime(2022, 11, 20, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def plan(target):
    def make(hour=0, length=1, **options):
        return plan_focus_group(target, starts_at=NINE + hour * HOUR, ends_at=NINE + (hour + length) * HOUR, **options)

    return make


@pytest.fixture
def colleague(village, sub_area):
    person = EnumeratorFactory(code="E02", home_unit=village)
    CertificateFactory(enumerator=person, form_kind=sub_area)
    return person


def refusal(work, *args, **options):
    with pytest.raises(Refused) as caught:
        work(*args, **options)
    return caught.value.code


def rows():
    return list(SessionAssignment.objects.order_by("pk").values()), list(
        FocusGroupSession.objects.order_by("pk").values()
    )


def history(group):
    return list(StatusChange.objects.about(group).values_list("old", "new", "by__username", "text"))


def test_focus_group_gets_a_code_of_its_own(plan):
    codes = [plan(hour).code for hour in range(5)]

    assert len(set(codes)) == 5
    assert all(is_code(code) for code in codes)


def test_focus_group_of_a_closed_round_is_refused(target, plan, manager):
    close_round(target.round, by=manager)

    assert refusal(plan) == "round_closed"
    assert not FocusGroupSession.objects.exists()


@pytest.mark.parametrize(("starts", "ends"), [(NINE, None), (None, NINE), (NINE, NINE), (NINE, NINE - HOUR)])
def test_times_out_of_order_are_refused(target, plan, starts, ends):
    assert refusal(plan_focus_group, target, starts_at=starts, ends_at=ends) == "times"
    group = plan()
    assert refusal(move_focus_group, group, starts_at=starts, ends_at=ends) == "times"
    assert (group.starts_at, FocusGroupSession.objects.get().starts_at) == (NINE, NINE)


def test_assignment_is_busy_from_leaving_until_the_end(plan, enumerator):
    assignment = assign_enumerator(plan(travel_minutes=90), enumerator)

    assert (assignment.busy_from, assignment.busy_until) == (NINE - 1.5 * HOUR, NINE + HOUR)


def test_person_is_in_no_two_focus_groups_at_once(plan, enumerator):
    assign_enumerator(plan(), enumerator)
    before = rows()[0]

    assert refusal(assign_enumerator, plan(length=3), enumerator) == "double_booking"
    assert refusal(assign_enumerator, plan(1, travel_minutes=30), enumerator) == "double_booking"
    assert rows()[0] == before


def test_focus_groups_back_to_back_and_without_a_date_are_free(target, plan, enumerator):
    for group in (plan(0), plan(1), plan_focus_group(target), plan_focus_group(target)):
        assign_enumerator(group, enumerator)

    assert SessionAssignment.objects.count() == 4


def test_person_is_once_in_a_focus_group_and_again_after_withdrawing(plan, enumerator):
    group = plan()
    first = assign_enumerator(group, enumerator)
    assert refusal(assign_enumerator, group, enumerator, role="note_taker") in {"already_assigned", "double_booking"}

    withdraw_assignment(first)
    withdrawn_at = first.withdrawn_at
    withdraw_assignment(first)
    assert (withdrawn_at is not None, first.withdrawn_at) == (True, withdrawn_at)
    assign_enumerator(group, enumerator, role="note_taker")
    assert list(group.assignments.active().values_list("role", flat=True)) == ["note_taker"]


def test_only_certified_people_go(plan, village, area, enumerator, manager):
    newcomer = EnumeratorFactory(home_unit=village)
    assert refusal(assign_enumerator, plan(), newcomer) == "not_certified"
    CertificateFactory(enumerator=newcomer, form_kind=area)
    assert refusal(assign_enumerator, plan(), newcomer) == "not_certified"
    revoke_certificate(
        enumerator.certificates.get(form_kind__code="baseline_sub_area"), on=NINE.date(), reason="Fraud", by=None
    )
    assert refusal(assign_enumerator, plan(), enumerator) == "not_certified"
    assert not SessionAssignment.objects.exists()


def test_certificate_holds_on_the_day_of_the_focus_group(plan, village, sub_area):
    person = EnumeratorFactory(home_unit=village)
    CertificateFactory(enumerator=person, form_kind=sub_area, expires_on=NINE.date())

    assign_enumerator(plan(), person)
    assert refusal(assign_enumerator, plan(24), person) == "not_certified"


def test_only_active_people_go(plan, enumerator, manager):
    change_enumerator_status(enumerator, "inactive", by=manager, reason="Leave")

    assert refusal(assign_enumerator, plan(), enumerator) == "not_active"


def test_moving_takes_the_people_along(plan, enumerator, colleague):
    group = plan()
    assign_enumerator(group, enumerator)
    gone = assign_enumerator(group, colleague)
    withdraw_assignment(gone)

    move_focus_group(group, starts_at=NINE + 5 * HOUR, ends_at=NINE + 6 * HOUR, travel_minutes=60)

    assert list(group.assignments.order_by("pk").values_list("busy_from", "busy_until")) == [
        (NINE + 4 * HOUR, NINE + 6 * HOUR),
        (NINE, NINE + HOUR),
    ]
    move_focus_group(group, starts_at=None, ends_at=None)
    assert list(group.assignments.active().values_list("busy_from", "busy_until")) == [(None, None)]


def test_moving_into_a_conflict_leaves_everything_as_it_was(plan, enumerator, colleague):
    group, other = plan(), plan(5)
    assign_enumerator(group, enumerator)
    assign_enumerator(group, colleague)
    assign_enumerator(other, colleague)
    before = rows()

    with pytest.raises(Refused, match=colleague.full_name) as caught:
        move_focus_group(group, starts_at=NINE + 5 * HOUR, ends_at=NINE + 6 * HOUR, travel_minutes=7)

    assert caught.value.code == "double_booking"
    assert rows() == before
    assert (group.starts_at, group.travel_minutes) == (NINE, 0)


def test_held_focus_group_neither_moves_nor_takes_people(plan, enumerator, coordinator):
    group = plan()
    hold_focus_group(group, by=coordinator)

    assert refusal(move_focus_group, group, starts_at=None, ends_at=None) == "not_planned"
    assert refusal(assign_enumerator, group, enumerator) == "not_planned"
    assert history(group) == [("planned", "held", "coordinator", "")]


def test_holding_needs_a_date_that_has_begun(target, plan, coordinator):
    assert refusal(hold_focus_group, plan_focus_group(target), by=coordinator) == "no_date"
    assert refusal(hold_focus_group, plan(), by=coordinator, at=NINE - HOUR) == "not_begun"
    assert not StatusChange.objects.exists()


def test_holding_what_was_moved_away_meanwhile_loses(plan, coordinator):
    stale = plan()
    move_focus_group(FocusGroupSession.objects.get(), starts_at=NINE + 900_000 * HOUR, ends_at=NINE + 900_001 * HOUR)

    with pytest.raises(TransitionNotAllowed):
        hold_focus_group(stale, by=coordinator)

    assert FocusGroupSession.objects.get().status == "planned"


def test_cancelling_sets_people_free_and_says_why(plan, enumerator, coordinator):
    group = plan()
    assign_enumerator(group, enumerator)
    assert refusal(cancel_focus_group, group, by=coordinator, reason=" ") == "reason_missing"

    cancel_focus_group(group, by=coordinator, reason=" Snow ")

    assert history(group) == [("planned", "cancelled", "coordinator", "Snow")]
    assert not SessionAssignment.objects.active().exists()
    assign_enumerator(plan(), enumerator)


def test_forms_that_arrive_hold_what_has_begun_in_a_fixed_number_of_queries(
    target, plan, django_assert_max_num_queries
):
    begun = [plan(hour) for hour in range(6)]
    others = [plan_focus_group(target), plan(24 * 365 * 100)]

    with django_assert_max_num_queries(6):
        assert note_held({group.pk for group in [*begun, *others]}) == 6

    assert [group.status for group in FocusGroupSession.objects.order_by("pk")] == ["held"] * 6 + ["planned"] * 2
    assert note_held({group.pk for group in begun}) == 0
    assert history(begun[0]) == [("planned", "held", None, "")]


# --- at the same time


@pytest.mark.django_db(transaction=True)
def test_of_two_coordinators_who_assign_one_person_at_once_one_wins(plan, enumerator):
    first, second = plan(), plan(length=2)

    results = at_once(lambda: assign_enumerator(first, enumerator), lambda: assign_enumerator(second, enumerator))

    assert sorted(type(one).__name__ for one in results) == ["Refused", "SessionAssignment"]
    assert [one.code for one in results if isinstance(one, Refused)] == ["double_booking"]
    assert SessionAssignment.objects.active().count() == 1


@pytest.mark.django_db(transaction=True)
def test_assigning_and_moving_at_once_leave_equal_times(plan, enumerator):
    group = plan()

    at_once(
        lambda: assign_enumerator(group, enumerator),
        lambda: move_focus_group(
            FocusGroupSession.objects.get(pk=group.pk), starts_at=NINE + 5 * HOUR, ends_at=NINE + 6 * HOUR
        ),
    )

    assert_times_are_equal()
    assert SessionAssignment.objects.get().busy_from == NINE + 5 * HOUR


@pytest.mark.django_db(transaction=True)
def test_assigning_and_cancelling_at_once_leave_nobody_bound(plan, enumerator, coordinator):
    group = plan()

    at_once(
        lambda: assign_enumerator(group, enumerator),
        lambda: cancel_focus_group(FocusGroupSession.objects.get(pk=group.pk), by=coordinator, reason="Snow"),
    )

    assert FocusGroupSession.objects.get().status == "cancelled"
    assert not SessionAssignment.objects.active().exists()


# --- whatever happens in whatever order

HOURS = st.integers(0, 5)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("plan"), HOURS, st.integers(0, 90), st.integers(0, 1)),
        st.tuples(st.just("assign"), HOURS, st.integers(0, 90), st.integers(0, 1)),
        st.tuples(
            st.sampled_from(["move", "withdraw", "cancel", "hold"]), HOURS, st.integers(0, 90), st.integers(0, 3)
        ),
    ),
    min_size=4,
    max_size=14,
)


def assert_times_are_equal():
    for assignment in SessionAssignment.objects.active().select_related("focus_group"):
        assert (assignment.busy_from, assignment.busy_until) == busy_times(assignment.focus_group)


def assert_nobody_is_in_two_places():
    active = SessionAssignment.objects.active().exclude(busy_from=None)
    for one in active:
        others = active.exclude(pk=one.pk).filter(enumerator=one.enumerator)
        assert not others.filter(busy_from__lt=one.busy_until, busy_until__gt=one.busy_from).exists()


@settings(max_examples=60)
@given(operations=OPERATIONS)
def test_times_of_people_and_focus_groups_never_part(operations, target, enumerator, colleague, coordinator):
    SessionAssignment.objects.all().delete()
    FocusGroupSession.objects.all().delete()
    people, groups = [enumerator, colleague], []
    for verb, hour, minutes, choice in operations:
        with suppress(Refused):
            carry_out(verb, hour, minutes, choice, target, people, groups, coordinator)
        assert_times_are_equal()
        assert_nobody_is_in_two_places()


def carry_out(verb, hour, minutes, choice, target, people, groups, coordinator):
    starts_at = NINE + hour * HOUR if hour else None
    times = {"starts_at": starts_at, "ends_at": starts_at and starts_at + 2 * HOUR, "travel_minutes": minutes}
    if verb == "plan":
        groups.append(plan_focus_group(target, **times))
        return
    if not groups:
        return
    group = groups[(hour + choice) % len(groups)]
    if verb == "assign":
        assign_enumerator(group, people[choice])
    elif verb == "move":
        move_focus_group(group, **times)
    elif verb == "withdraw" and (assignment := group.assignments.first()):
        withdraw_assignment(assignment)
    elif verb == "cancel":
        cancel_focus_group(group, by=coordinator, reason="Snow")
    elif verb == "hold":
        hold_focus_group(group, by=coordinator)
