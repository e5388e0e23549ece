"""Opening and closing rounds; why a place is not covered."""

from datetime import date

import pytest

from assessments.models import AssessmentRound, RoundTarget
from assessments.services.rounds import close_round, open_round, set_target_status
from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import StatusChange
from tests.factories.assessments import AssessmentRoundFactory

pytestmark = pytest.mark.django_db


def history(row):
    return list(StatusChange.objects.about(row).values_list("old", "new", "by__username", "text"))


def test_round_opens_closes_and_opens_again(target, manager):
    AssessmentRound.objects.update(status="planned")
    found = AssessmentRound.objects.get()

    open_round(found, by=manager)
    close_round(found, by=manager)
    open_round(found, by=manager)

    assert history(found) == [
        ("planned", "open", "manager", ""), ("open", "closed", "manager", ""), ("closed", "open", "manager", ""),
    ]  # fmt: skip


def test_round_without_targets_does_not_open(manager):
    empty = AssessmentRoundFactory(status="planned")

    with pytest.raises(Refused, match="no targets"):
        open_round(empty, by=manager)

    assert (AssessmentRound.objects.get().status, history(empty)) == ("planned", [])


def test_planned_round_cannot_be_closed(target, manager):
    AssessmentRound.objects.update(status="planned")

    with pytest.raises(TransitionNotAllowed):
        close_round(AssessmentRound.objects.get(), by=manager)

    assert AssessmentRound.objects.get().status == "planned"


def test_place_is_set_aside_with_a_reason_and_opened_again(target, manager):
    set_target_status(target, "inaccessible", by=manager, reason=" Snow ", until=date(2022, 12, 1))
    aside = RoundTarget.objects.get()
    assert (aside.status, aside.status_reason, aside.status_until) == ("inaccessible", "Snow", date(2022, 12, 1))

    set_target_status(aside, "open", by=manager)

    again = RoundTarget.objects.get()
    assert (again.status, again.status_reason, again.status_until) == ("open", "", None)
    assert history(target) == [("open", "inaccessible", "manager", "Snow"), ("inaccessible", "open", "manager", "")]


@pytest.mark.parametrize(
    ("status", "options", "code"),
    [
        ("excluded", {}, "reason_missing"),
        ("shortfall", {"reason": "  "}, "reason_missing"),
        ("excluded", {"reason": "x", "until": date(2022, 12, 1)}, "until_not_meant"),
        ("open", {}, "transition_not_allowed"),
    ],
)
def test_status_of_a_place_without_its_reason_is_refused(target, manager, status, options, code):
    with pytest.raises(Refused) as caught:
        set_target_status(target, status, by=manager, **options)

    assert caught.value.code == code
    assert (RoundTarget.objects.get().status, history(target)) == ("open", [])
