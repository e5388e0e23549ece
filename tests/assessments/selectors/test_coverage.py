"""Coverage: every target in exactly one bucket."""

from datetime import timedelta

import pytest
from django.utils import timezone

from assessments.selectors.coverage import coverage, targets_in_bucket
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import hold_focus_group, plan_focus_group
from assessments.services.review import approve_submission, reject_submission
from assessments.services.rounds import set_target_status
from tests.factories.assessments import RoundTargetFactory, make_submission

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


def bucket_of(target):
    return targets_in_bucket(target.round).get(pk=target.pk).bucket


def test_bucket_without_anything_is_unassigned(target):
    assert bucket_of(target) == "unassigned"


def test_bucket_with_a_person_and_no_date_is_assigned_no_date(target, enumerator):
    assign_enumerator(plan_focus_group(target), enumerator)

    assert bucket_of(target) == "assigned_no_date"


def test_bucket_with_a_coming_date_is_scheduled_and_then_overdue(target, enumerator):
    start = timezone.now() + timedelta(days=1)
    group = plan_focus_group(target, starts_at=start, ends_at=start + timedelta(hours=2))
    assign_enumerator(group, enumerator)

    assert bucket_of(target) == "scheduled"
    later = timezone.now() + timedelta(days=2)
    assert targets_in_bucket(target.round, now=later).get().bucket == "overdue"


def test_bucket_with_a_date_and_nobody_to_go_is_unassigned(target):
    start = timezone.now() + timedelta(days=1)
    plan_focus_group(target, starts_at=start, ends_at=start + timedelta(hours=2))

    assert bucket_of(target) == "unassigned"


def test_bucket_of_a_held_focus_group_waits_for_its_form(target, enumerator):
    start = timezone.now() - timedelta(days=1)
    group = plan_focus_group(target, starts_at=start, ends_at=start + timedelta(hours=2))
    hold_focus_group(group, by=None)

    assert bucket_of(target) == "held_no_form"


def test_bucket_follows_the_review(target, coordinator):
    submission = make_submission(target)

    assert bucket_of(target) == "in_review"
    approve_submission(submission, reviewer=coordinator)
    assert bucket_of(target) == "covered"
    reject_submission(submission, reviewer=coordinator, reason="other", text="Wrong village")
    assert bucket_of(target) == "unassigned"


@pytest.mark.parametrize("column", ["is_trial", "is_refused"])
def test_bucket_does_not_see_what_never_counts(target, column):
    make_submission(target, **{column: True})

    assert bucket_of(target) == "unassigned"


def test_inaccessible_ends_with_its_last_day(target, coordinator):
    today = timezone.localdate()
    set_target_status(target, "inaccessible", by=coordinator, reason="Snow", until=today)

    assert bucket_of(target) == "inaccessible"
    tomorrow = timezone.now() + timedelta(days=1)
    assert targets_in_bucket(target.round, now=tomorrow).get().bucket == "unassigned"


def test_coverage_of_a_coordinator_holds_only_the_own_region(target, other_village, sub_area, coordinator, manager):
    RoundTargetFactory(round=target.round, unit=other_village, form_kind=sub_area)

    assert [(r.unit.code, r.planned) for r in coverage(target.round, user=coordinator).regions] == [("190000000", 1)]
    assert [(r.unit.code, r.planned) for r in coverage(target.round, user=manager).regions] == [
        ("190000000", 1),
        ("470000000", 1),
    ]
