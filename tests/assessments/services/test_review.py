"""Approving, returning, rejecting: in one step or two, by whom, and what counts afterwards."""

import pytest

from assessments.enums import REVIEW_STEPS, ReviewStatus
from assessments.models import Figure, KoboSubmission
from assessments.services.review import approve_submission, reject_submission, reopen_review, return_submission
from assessments.services.vocabulary import load_vocabulary
from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import StatusChange
from tests.concurrently import at_once
from tests.factories.assessments import RoundTargetFactory, add_revision, make_submission

pytestmark = pytest.mark.django_db


@pytest.fixture
def submission(target):
    """Of the village, to be approved in one step."""
    return make_submission(target)


@pytest.fixture
def area_submission(district, area, target):
    """Of the district, to be approved in two steps."""
    return make_submission(RoundTargetFactory(round=target.round, unit=district, form_kind=area))


@pytest.fixture
def second_manager(make_user, country):
    return make_user("second_manager", role="manager", unit=country)


def history(submission):
    return list(StatusChange.objects.about(submission).values_list("old", "new", "by__username", "reason", "text"))


def state(submission):
    row = KoboSubmission.objects.get(pk=submission.pk)
    return row.review_status, row.approved_revision and row.approved_revision.number, row.covers_alone


def figures(submission):
    rows = Figure.objects.filter(revision__submission=submission).order_by("revision__number", "pk")
    return list(rows.values_list("revision__number", "indicator__code", "category__code", "value"))


def refusal(work, *args, **options):
    with pytest.raises(Refused) as caught:
        work(*args, **options)
    assert str(caught.value)
    return caught.value.code


def test_approval_in_one_step_counts_and_writes_its_figures(submission, coordinator):
    approve_submission(submission, reviewer=coordinator)

    assert state(submission) == ("approved", 1, True)
    assert history(submission) == [("received", "approved", "coordinator", "", "")]
    assert figures(submission) == [(1, "present", None, 10), (1, "sex", "male", 6), (1, "sex", "female", 4)]


def test_approval_in_two_steps_takes_two_people(area_submission, coordinator, manager):
    approve_submission(area_submission, reviewer=coordinator)
    assert (state(area_submission), figures(area_submission)) == (("approved_first", None, False), [])

    approve_submission(area_submission, reviewer=manager)

    assert state(area_submission) == ("approved", 1, True)
    assert [step[:3] for step in history(area_submission)] == [
        ("received", "approved_first", "coordinator"),
        ("approved_first", "approved", "manager"),
    ]
    assert len(figures(area_submission)) == 3


def test_nobody_gives_both_approvals(area_submission, manager, second_manager):
    approve_submission(area_submission, reviewer=manager)

    assert refusal(approve_submission, area_submission, reviewer=manager) == "both_steps"

    assert state(area_submission) == ("approved_first", None, False)
    approve_submission(area_submission, reviewer=second_manager)
    assert state(area_submission) == ("approved", 1, True)


def test_final_approval_is_a_managers(area_submission, coordinator, manager):
    approve_submission(area_submission, reviewer=manager)

    assert refusal(approve_submission, area_submission, reviewer=coordinator) == "not_allowed"
    assert state(area_submission) == ("approved_first", None, False)


@pytest.mark.parametrize("who", ["administrator", "other_coordinator", "stranger", "enumerator"])
def test_wrong_person_decides_nothing(submission, request, who):
    person = request.getfixturevalue(who)
    user = getattr(person, "user", person)

    assert refusal(approve_submission, submission, reviewer=user) == "not_allowed"
    words = {"reviewer": user, "reason": "other", "text": "No"}
    assert refusal(return_submission, submission, **words) == "not_allowed"
    assert refusal(reject_submission, submission, **words) == "not_allowed"

    assert (state(submission), history(submission)) == (("received", None, False), [])


def test_own_submission_is_approved_by_somebody_else(submission, enumerator, coordinator, manager):
    enumerator.user = coordinator
    enumerator.save()
    KoboSubmission.objects.update(enumerator=enumerator)
    submission.refresh_from_db()

    assert refusal(approve_submission, submission, reviewer=coordinator) == "own_submission"
    assert state(submission) == ("received", None, False)
    approve_submission(submission, reviewer=manager)
    assert state(submission) == ("approved", 1, True)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"is_trial": True}, "trial"),
        ({"is_refused": True}, "unread"),
        ({"deleted_at": "2023-01-30T00:00Z"}, "deleted"),
        ({"target": None, "match_state": "unmatched"}, "unmatched"),
    ],
)
def test_what_cannot_count_cannot_be_approved(submission, coordinator, columns, code):
    KoboSubmission.objects.update(**columns)
    submission.refresh_from_db()

    assert refusal(approve_submission, submission, reviewer=coordinator) == code
    assert (state(submission)[0], history(submission)) == ("received", [])


def test_target_that_another_form_covers_is_refused_in_words(submission, target, coordinator):
    rival = make_submission(target)
    approve_submission(submission, reviewer=coordinator)

    with pytest.raises(Refused, match="Another approved form covers Zhandosov") as caught:
        approve_submission(rival, reviewer=coordinator)

    assert caught.value.code == "target_covered"
    assert (state(rival), history(rival), figures(rival)) == (("received", None, False), [], [])
    assert (rival.review_status, rival.approved_revision) == ("received", None)
    reject_submission(submission, reviewer=coordinator, reason="duplicate", text="The other one is better")
    approve_submission(KoboSubmission.objects.get(pk=rival.pk), reviewer=coordinator)
    assert state(rival) == ("approved", 1, True)


def test_many_forms_of_a_target_count_where_the_kind_says_so(target, coordinator, sub_area):
    sub_area.one_per_target = False
    sub_area.save()
    for _unused in range(2):
        approve_submission(make_submission(target), reviewer=coordinator)

    assert KoboSubmission.objects.filter(approved_revision__isnull=False, covers_alone=False).count() == 2


@pytest.mark.parametrize(("verb", "status"), [(return_submission, "returned"), (reject_submission, "rejected")])
def test_sending_away_what_was_approved_takes_it_out_of_the_figures(submission, coordinator, verb, status):
    approve_submission(submission, reviewer=coordinator)

    verb(submission, reviewer=coordinator, reason="place", text="  It is another village ")

    assert state(submission) == (status, None, False)
    assert history(submission)[-1] == ("approved", status, "coordinator", "place", "It is another village")


@pytest.mark.parametrize("verb", [return_submission, reject_submission])
@pytest.mark.parametrize(
    ("reason", "text", "code"),
    [("", "x", "reason_missing"), ("odd", "x", "reason_missing"), ("other", " ", "text_missing")],
)
def test_sending_away_wants_a_reason_and_words(submission, coordinator, verb, reason, text, code):
    assert refusal(verb, submission, reviewer=coordinator, reason=reason, text=text) == code
    assert (state(submission), history(submission)) == (("received", None, False), [])


def test_edit_after_approval_counts_only_when_approved_again(submission, coordinator, manager):
    approve_submission(submission, reviewer=coordinator)
    assert refusal(approve_submission, submission, reviewer=manager) == "already_approved"
    add_revision(submission, {"total": "20"})
    submission.refresh_from_db()
    assert (submission.changed_after_approval, state(submission)) == (True, ("approved", 1, True))

    approve_submission(submission, reviewer=manager)

    assert state(submission) == ("approved", 2, True)
    assert figures(submission)[3:] == [(2, "present", None, 20)]
    assert [step[:3] for step in history(submission)][1:] == [("approved", "approved", "manager")]


def test_figures_of_a_revision_are_written_once(submission, coordinator):
    approve_submission(submission, reviewer=coordinator)
    return_submission(submission, reviewer=coordinator, reason="other", text="Again")
    reopen_review(submission)
    approve_submission(submission, reviewer=coordinator)

    assert len(figures(submission)) == 3


def test_answers_that_cannot_be_read_any_more_stop_the_approval(submission, coordinator):
    type(submission.form).objects.update(
        mapping={"schema": 1, "figures": [{"indicator": "present", "category": "odd", "path": ["total"]}]}
    )
    submission = KoboSubmission.objects.get(pk=submission.pk)

    assert refusal(approve_submission, submission, reviewer=coordinator) == "unknown_code"
    assert (state(submission), history(submission), figures(submission)) == (("received", None, False), [], [])
    assert submission.review_status == "received"


# --- at the same time


def test_return_loses_to_an_earlier_approval(submission, coordinator):
    stale = KoboSubmission.objects.get(pk=submission.pk)
    approve_submission(submission, reviewer=coordinator)

    assert (
        refusal(return_submission, stale, reviewer=coordinator, reason="other", text="Late") == "transition_not_allowed"
    )
    assert (state(submission), len(history(submission))) == (("approved", 1, True), 1)


@pytest.mark.parametrize("columns", [{"deleted_at": "2023-01-30T00:00Z"}, {"target": None, "match_state": "unmatched"}])
def test_approval_loses_to_what_the_sync_did_meanwhile(submission, coordinator, columns):
    stale = KoboSubmission.objects.get(pk=submission.pk)
    KoboSubmission.objects.update(**columns)

    assert refusal(approve_submission, stale, reviewer=coordinator) == "transition_not_allowed"
    assert (state(submission), figures(submission)) == (("received", None, False), [])


def test_approval_of_content_that_was_edited_meanwhile_loses(submission, coordinator):
    stale = KoboSubmission.objects.get(pk=submission.pk)
    add_revision(submission, {"total": "20"})

    assert refusal(approve_submission, stale, reviewer=coordinator) == "transition_not_allowed"
    assert (state(submission), figures(submission)) == (("received", None, False), [])


@pytest.mark.django_db(transaction=True)
def test_of_two_reviewers_at_once_one_wins_and_the_other_is_told(submission, coordinator, manager):
    first, second = (KoboSubmission.objects.get(pk=submission.pk) for _unused in range(2))

    results = at_once(
        lambda: approve_submission(first, reviewer=coordinator),
        lambda: return_submission(second, reviewer=manager, reason="other", text="No"),
    )

    assert sorted(type(one).__name__ for one in results) == ["StatusChange", "TransitionNotAllowed"]
    assert len(history(submission)) == 1
    assert state(submission)[0] == history(submission)[0][1]


@pytest.mark.django_db(transaction=True)
def test_two_forms_of_one_target_approved_at_once_cover_it_once(submission, target, coordinator, manager):
    rival = make_submission(target)

    results = at_once(
        lambda: approve_submission(submission, reviewer=coordinator),
        lambda: approve_submission(rival, reviewer=manager),
    )

    codes = [one.code for one in results if isinstance(one, Refused)]
    assert codes == ["target_covered"]
    assert KoboSubmission.objects.filter(review_status="approved").count() == 1
    assert Figure.objects.count() == 3


def test_submission_meets_every_step_of_the_table_by_some_verb(submission, coordinator):
    """Each status can be reached and left again; nothing ends in a dead end."""
    load_vocabulary()
    assert set(REVIEW_STEPS) == set(ReviewStatus.values)
    assert all(REVIEW_STEPS.values())
    with pytest.raises(TransitionNotAllowed):
        reopen_review(submission)
