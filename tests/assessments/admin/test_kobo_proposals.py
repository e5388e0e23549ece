"""What somebody else set at Kobo: shown to the reviewer, never taken silently; and the outbox on the desk."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assessments.models import KoboForm, KoboSubmission, StatusPush
from assessments.selectors.kobo_status import proposal_for
from assessments.services.review import approve_submission, reject_submission, return_submission
from dtm_ops.records.models import StatusChange
from tests.factories.assessments import RoundTargetFactory, make_submission

LIST = "/admin/assessments/kobosubmission/"
PUSHES = "/admin/assessments/statuspush/"
APPROVED, NOT_APPROVED, HOLD = (
    "validation_status_approved", "validation_status_not_approved", "validation_status_on_hold",
)  # fmt: skip
WORDS = {"reason": "other", "text": "Look again"}
AT = timezone.now() - timedelta(hours=3)


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def submission(target, enumerator):
    found = make_submission(target, enumerator=enumerator)
    found.server.username = "iom"
    found.server.save()
    return found


def set_at_kobo(submission, uid, by="aliya", at=AT):
    """As the sync reads it."""
    KoboSubmission.objects.filter(pk=submission.pk).update(kobo_status=uid, kobo_status_by=by, kobo_status_at=at)
    submission.refresh_from_db()


def page(submission):
    return f"{LIST}{submission.pk}/change/"


def seen(submission):
    columns = ("review_status", "current_revision_id", "target_id", "enumerator_id")
    return ":".join(f"{getattr(submission, name)}" for name in columns)


def answer(client, submission, verb, **asked):
    carried = {"confirmed": "1", f"seen-{submission.pk}": seen(submission)}
    return client.post(f"{LIST}{submission.pk}/do/{verb}/", {**carried, **asked}, follow=True)


def state(submission):
    row = KoboSubmission.objects.get(pk=submission.pk)
    pushes = StatusPush.objects.filter(submission=row).order_by("pk")
    return row.review_status, proposal_for(row) is not None, list(pushes.values_list("wanted", "state"))


def proposed():
    return list(KoboSubmission.objects.proposed().order_by("pk"))


def told(response):
    return [str(message) for message in get_messages(response.wsgi_request)] or [
        str(message) for message in response.context["messages"]
    ]


# --- what is a proposal


@pytest.mark.parametrize(
    ("uid", "columns", "is_open"),
    [
        (NOT_APPROVED, {}, True),
        ("validation_status_unheard_of", {}, True),
        (NOT_APPROVED, {"kobo_status_by": "iom"}, False),
        (NOT_APPROVED, {"review_status": "rejected"}, False),
        (HOLD, {"review_status": "returned"}, False),
        (HOLD, {"review_status": "approved_first"}, False),
        (APPROVED, {"review_status": "returned"}, True),
        ("", {"kobo_status_by": ""}, False),
        (NOT_APPROVED, {"kobo_status_settled_at": AT}, False),
        (NOT_APPROVED, {"kobo_status_settled_at": AT - timedelta(seconds=1)}, True),
        (NOT_APPROVED, {"kobo_status_at": None}, True),
        (NOT_APPROVED, {"kobo_status_at": None, "kobo_status_settled_at": AT}, False),
        (NOT_APPROVED, {"deleted_at": AT}, False),
    ],
)
def test_row_and_list_agree_on_what_is_proposed(submission, uid, columns, is_open):
    values = {"kobo_status": uid, "kobo_status_by": "aliya", "kobo_status_at": AT, **columns}
    KoboSubmission.objects.filter(pk=submission.pk).update(**values)
    submission.refresh_from_db()

    assert proposal_for(submission) is not None if is_open else proposal_for(submission) is None
    assert proposed() == [submission] * is_open


def test_status_from_kobo_moves_nothing_by_itself(client, coordinator, submission):
    set_at_kobo(submission, NOT_APPROVED)
    client.force_login(coordinator)

    shown = client.get(page(submission)).content.decode()

    assert "At Kobo, aliya set “Not approved” on" in shown
    assert "Here the form is “received”." in shown
    assert state(submission) == ("received", True, [])
    assert not StatusChange.objects.filter(field="review_status").exists()


def test_page_without_a_proposal_says_nothing_of_it(client, coordinator, submission):
    client.force_login(coordinator)

    shown = client.get(page(submission)).content.decode()

    assert ("Set at Kobo" in shown, "take_over" in shown, "Take it over" in shown) == (False, False, False)


# --- taking over


def test_approval_is_taken_over_with_one_press(client, coordinator, submission):
    set_at_kobo(submission, APPROVED)
    client.force_login(coordinator)

    answer(client, submission, "take_over", shown=proposal_for(submission).key)

    assert state(submission) == ("approved", False, [(APPROVED, "pending")])
    assert StatusChange.objects.get(field="review_status").by == coordinator


@pytest.mark.parametrize(("uid", "status"), [(NOT_APPROVED, "rejected"), (HOLD, "returned")])
def test_rejection_and_return_are_taken_over_with_their_words(client, coordinator, submission, uid, status):
    set_at_kobo(submission, uid)
    client.force_login(coordinator)
    shown = proposal_for(submission).key

    asked = client.get(f"{LIST}{submission.pk}/do/take_over/?seen={seen(submission)}")
    form = asked.context["form"]
    assert form.initial["text"].startswith("At Kobo, aliya set")
    blank = answer(client, submission, "take_over", shown=shown, reason="other", text="")
    assert blank.context["form"].errors == {"text": ["This field is required."]}
    assert state(submission)[0] == "received"

    answer(client, submission, "take_over", shown=shown, **WORDS)

    assert state(submission) == (status, False, [(uid, "pending")])
    change = StatusChange.objects.get(field="review_status")
    assert (change.by, change.reason, change.text) == (coordinator, "other", "Look again")


def test_taking_over_asks_what_the_review_asks(client, coordinator, submission):
    KoboSubmission.objects.update(is_trial=True)
    set_at_kobo(submission, APPROVED)
    client.force_login(coordinator)

    response = answer(client, submission, "take_over", shown=proposal_for(submission).key)

    assert "it never counts" in response.content.decode()
    assert state(submission) == ("received", True, [])


def test_what_was_set_meanwhile_is_not_taken_over_unseen(client, coordinator, submission):
    set_at_kobo(submission, NOT_APPROVED)
    shown = proposal_for(submission).key
    set_at_kobo(submission, APPROVED, at=AT + timedelta(hours=1))
    client.force_login(coordinator)

    for verb in ("take_over", "keep_ours"):
        response = answer(client, submission, verb, shown=shown)
        assert "Another status was set at Kobo meanwhile" in response.content.decode()

    assert state(submission) == ("received", True, [])


def test_step_that_does_not_exist_is_explained(client, coordinator, submission):
    reject_submission(submission, reviewer=coordinator, **WORDS)
    set_at_kobo(submission, APPROVED)
    client.force_login(coordinator)

    shown = client.get(page(submission)).content.decode()
    answer(client, submission, "take_over", shown=proposal_for(submission).key)

    assert ("Take it over: approve" in shown, "not possible while it is “rejected”" in shown) == (False, True)
    assert state(submission)[0] == "rejected"


# --- keeping ours


def test_keeping_ours_settles_and_sends_it_again(client, coordinator, submission):
    return_submission(submission, reviewer=coordinator, **WORDS)
    set_at_kobo(submission, APPROVED)
    client.force_login(coordinator)

    response = answer(client, submission, "keep_ours", shown=proposal_for(submission).key)

    assert told(response) == ["Keep ours: done for 1 of 1."]
    assert state(submission) == ("returned", False, [(HOLD, "superseded"), (HOLD, "pending")])
    set_at_kobo(submission, APPROVED, at=AT + timedelta(hours=1))
    assert state(submission)[1]


def test_keeping_ours_before_any_decision_takes_theirs_away(client, coordinator, submission):
    set_at_kobo(submission, APPROVED)
    client.force_login(coordinator)

    answer(client, submission, "keep_ours", shown=proposal_for(submission).key)

    assert state(submission) == ("received", False, [("", "pending")])


def test_decision_of_one_s_own_settles_what_was_seen(submission, coordinator):
    set_at_kobo(submission, APPROVED)

    return_submission(submission, reviewer=coordinator, **WORDS)

    assert state(submission) == ("returned", False, [(HOLD, "pending")])


def test_keeping_ours_on_a_form_that_is_not_written_back_sends_nothing(client, coordinator, submission):
    KoboForm.objects.update(write_back=False)
    set_at_kobo(submission, APPROVED)
    client.force_login(coordinator)

    answer(client, submission, "keep_ours", shown=proposal_for(submission).key)

    assert state(submission) == ("received", False, [])


# --- who, and lists


@pytest.mark.parametrize(
    ("role", "status"), [("administrator", 403), ("other_coordinator", 404), ("enumerator", 302), ("stranger", 302)]
)
@pytest.mark.parametrize("verb", ["take_over", "keep_ours"])
def test_wrong_person_answers_nothing(request, client, submission, role, status, verb):
    person = request.getfixturevalue(role)
    client.force_login(getattr(person, "user", person))
    set_at_kobo(submission, APPROVED)
    posted = {"confirmed": "1", f"seen-{submission.pk}": seen(submission), "shown": proposal_for(submission).key}

    assert client.post(f"{LIST}{submission.pk}/do/{verb}/", posted).status_code == status
    assert state(submission) == ("received", True, [])


def test_administrator_reads_the_box_without_buttons(client, administrator, submission):
    set_at_kobo(submission, APPROVED)
    client.force_login(administrator)

    shown = client.get(page(submission)).content.decode()

    assert ("At Kobo, aliya set" in shown, "do/keep_ours" in shown) == (True, False)


def test_list_shows_what_was_set_at_kobo_also_on_what_is_decided(client, manager, submission, target):
    decided = make_submission(target, kobo_id=2)
    reject_submission(decided, reviewer=manager, **WORDS)
    quiet = make_submission(target, kobo_id=3)
    reject_submission(quiet, reviewer=manager, **WORDS)
    set_at_kobo(decided, HOLD)
    client.force_login(manager)

    def listed(**asked):
        return sorted(row.kobo_id for row in client.get(LIST, asked).context["cl"].result_list)

    assert listed() == [submission.kobo_id, 2]
    assert listed(condition="proposed") == [2]
    assert "set at Kobo" in client.get(LIST, {"condition": "proposed"}).content.decode()


def test_lists_ask_the_same_for_one_row_and_for_three(client, manager, submission, target):
    client.force_login(manager)
    rows = [submission]

    def count(address):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    def fill():
        return_submission(rows[-1], reviewer=manager, **WORDS)
        set_at_kobo(rows[-1], APPROVED)
        StatusPush.objects.update(error_code="no_submission", tries=1)

    fill()
    form = f"/admin/assessments/koboform/{submission.form_id}/change/"
    addresses = [PUSHES, f"{LIST}?condition=proposed", form]
    count(form)  # what Django keeps of kinds of rows
    first = [count(address) for address in addresses]
    for number in (11, 12):
        rows.append(make_submission(target, kobo_id=number))
        fill()

    assert [count(address) for address in addresses] == first


# --- the outbox


@pytest.fixture
def failed(submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    params = {"host": "kobo.example.org", "status": 403, "excerpt": "no"}
    StatusPush.objects.update(
        state="failed", finished_at=timezone.now(), error_code="forbidden", error_params=params, tries=1
    )
    return StatusPush.objects.get()


def test_refused_decision_is_shown_in_words_and_tried_again(client, coordinator, failed):
    client.force_login(coordinator)
    words = "kobo.example.org does not allow this to the token&#x27;s account (HTTP 403)."

    assert words in client.get(PUSHES).content.decode()
    assert words in client.get(f"{PUSHES}{failed.pk}/change/").content.decode()
    form_page = client.get(f"/admin/assessments/koboform/{failed.submission.form_id}/change/").content.decode()
    assert words in form_page

    posted = {"confirmed": "1", f"seen-{failed.pk}": "failed"}
    assert client.post(f"{PUSHES}{failed.pk}/do/retry/", posted).status_code == 302

    failed.refresh_from_db()
    assert (failed.state, failed.tries, failed.error_code, failed.finished_at) == ("pending", 0, "", None)


def test_outbox_of_another_region_is_not_seen(client, other_coordinator, failed):
    client.force_login(other_coordinator)

    assert list(client.get(PUSHES).context["cl"].result_list) == []
    assert client.get(f"{PUSHES}{failed.pk}/change/").status_code == 404


def test_sent_decision_is_not_tried_again(client, coordinator, failed):
    StatusPush.objects.update(state="sent")
    client.force_login(coordinator)

    response = client.post(
        f"{PUSHES}{failed.pk}/do/retry/", {"confirmed": "1", f"seen-{failed.pk}": "sent"}, follow=True
    )

    assert "a later one has replaced it" in response.content.decode()
    assert StatusPush.objects.get().state == "sent"


def test_decisions_of_a_form_are_sent_again_with_one_press(client, administrator, coordinator, failed, target):
    approve_submission(make_submission(target, kobo_id=5), reviewer=coordinator)
    client.force_login(administrator)
    address = f"/admin/assessments/koboform/{failed.submission.form_id}/do/push_again/"

    first = client.post(address, {"confirmed": "1"}, follow=True)
    second = client.post(address, {"confirmed": "1"}, follow=True)

    assert (told(first), told(second)) == (["1 decision is sent again."], ["Every decision is at Kobo or on its way."])
    assert sorted(StatusPush.objects.values_list("wanted", "state")) == [
        (APPROVED, "pending"), (HOLD, "pending"), (HOLD, "superseded"),
    ]  # fmt: skip
