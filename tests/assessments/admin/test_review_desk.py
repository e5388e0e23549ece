"""The review desk: what it lists, what a submission's page says, and who decides what."""

import json

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from assessments.models import KoboFormVersion, KoboSubmission, QualityFlag, SessionAssignment
from assessments.services.focus_groups import plan_focus_group
from assessments.services.matching import match_submission
from assessments.services.review import approve_submission, reject_submission
from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import StatusChange
from tests.factories.assessments import (
    AssessmentRoundFactory,
    KoboFormFactory,
    RoundTargetFactory,
    add_revision,
    make_submission,
)
from tests.factories.locations import AdminUnitFactory
from tests.factories.training import EnumeratorFactory

LIST = "/admin/assessments/kobosubmission/"


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def submission(target, enumerator):
    return make_submission(target, enumerator=enumerator)


def page_of(submission, verb=""):
    return f"{LIST}{submission.pk}/{f'do/{verb}/' if verb else 'change/'}"


def seen(submission):
    columns = ("review_status", "current_revision_id", "target_id", "enumerator_id")
    return ":".join(f"{getattr(submission, name)}" for name in columns)


def press(client, submission, verb, **asked):
    """The button on the submission's page."""
    return client.post(
        page_of(submission, verb), {"confirmed": "1", f"seen-{submission.pk}": seen(submission), **asked}, follow=True
    )


def confirm(client, rows, verb, **asked):
    """The action of the list, confirmed, for the rows as they are known here."""
    posted = {"action": verb, "confirmed": "1", "_selected_action": [row.pk for row in rows], **asked}
    return client.post(LIST, {**posted, **{f"seen-{row.pk}": seen(row) for row in rows}}, follow=True)


def told(response):
    return [str(message) for message in get_messages(response.wsgi_request)] or [
        str(message) for message in response.context["messages"]
    ]


def decisions(submission=None):
    changes = StatusChange.objects.filter(field="review_status")
    return list(changes.values_list("old", "new", "reason", "text"))


def listed(client, **asked):
    return sorted(row.kobo_id for row in client.get(LIST, asked).context["cl"].result_list)


def test_list_shows_first_what_is_to_be_decided(client, manager, target, village, sub_area, enumerator):
    received = make_submission(target, kobo_id=1)
    rejected = make_submission(target, kobo_id=2)
    reject_submission(rejected, reviewer=manager, reason="other", text="Sent twice")
    make_submission(target, kobo_id=3, is_trial=True)
    make_submission(target, kobo_id=4, deleted_at=timezone.now())
    make_submission(target, kobo_id=5, is_refused=True)
    changed = make_submission(target, kobo_id=6)
    approve_submission(changed, reviewer=manager)
    add_revision(changed, {"total": "11"})
    client.force_login(manager)

    assert listed(client) == [received.kobo_id, 6]
    assert listed(client, review="all") == [1, 2, 3, 4, 5, 6]
    assert listed(client, review="rejected") == [2]
    assert listed(client, condition="trial") == [3]
    assert listed(client, condition="deleted") == [4]
    assert listed(client, condition="unread") == [5]
    assert listed(client, condition="changed") == [6]


def test_list_filters_by_flags_match_and_region(client, manager, submission, target, other_district, sub_area):
    flagged = make_submission(target)
    QualityFlag.objects.create(
        revision=flagged.current_revision, check_code="parts_exceed_total", severity="error", params={}
    )
    elsewhere = make_submission(RoundTargetFactory(unit=other_district, form_kind=sub_area))
    KoboSubmission.objects.filter(pk=elsewhere.pk).update(match_state="unmatched", target=None)
    client.force_login(manager)

    assert listed(client, flags="error") == [flagged.kobo_id]
    assert listed(client, flags="none") == [submission.kobo_id, elsewhere.kobo_id]
    assert listed(client, match_state__exact="unmatched") == [elsewhere.kobo_id]
    assert listed(client, region=other_district.path) == [elsewhere.kobo_id]


def test_coordinator_approves_with_one_press_and_the_history_says_so(client, coordinator, submission):
    client.force_login(coordinator)

    response = press(client, submission, "approve")

    submission.refresh_from_db()
    assert submission.review_status == "approved"
    assert submission.approved_revision_id == submission.current_revision_id
    assert decisions() == [("received", "approved", "", "")]
    assert told(response) == ["Approve: done for 1 of 1."]


@pytest.mark.parametrize("verb", ["return", "reject"])
def test_sending_away_asks_for_reason_and_text(client, coordinator, submission, verb):
    client.force_login(coordinator)

    asked = client.get(f"{page_of(submission, verb)}?seen={seen(submission)}")
    blank = press(client, submission, verb, reason="", text="")

    assert asked.status_code == 200
    assert blank.context["form"].errors == {
        "reason": ["This field is required."],
        "text": ["This field is required."],
    }
    assert decisions() == []

    press(client, submission, verb, reason="arithmetic", text="Men and women exceed the total")

    new = {"return": "returned", "reject": "rejected"}[verb]
    assert decisions() == [("received", new, "arithmetic", "Men and women exceed the total")]


@pytest.mark.parametrize(
    ("role", "status"),
    [("administrator", 403), ("other_coordinator", 404), ("enumerator", 302), ("stranger", 302)],
)
@pytest.mark.parametrize("verb", ["approve", "return", "reject"])
def test_wrong_person_decides_nothing(request, client, submission, role, status, verb):
    person = request.getfixturevalue(role)
    client.force_login(getattr(person, "user", person))
    asked = {"confirmed": "1", "reason": "other", "text": "No"}

    answers = [client.get(page_of(submission, verb)), client.post(page_of(submission, verb), asked)]
    client.post(LIST, {**asked, "action": verb, "_selected_action": [submission.pk]})

    submission.refresh_from_db()
    assert [answer.status_code for answer in answers] == [status, status]
    assert (submission.review_status, decisions()) == ("received", [])


def test_stale_page_decides_nothing_and_says_so(client, coordinator, manager, submission):
    client.force_login(coordinator)
    shown = KoboSubmission.objects.get(pk=submission.pk)
    reject_submission(submission, reviewer=manager, reason="place", text="Wrong village")

    response = press(client, shown, "approve")

    shown.refresh_from_db()
    assert (shown.review_status, decisions()) == ("rejected", [("received", "rejected", "place", "Wrong village")])
    assert "decided or changed by somebody else meanwhile" in told(response)[0]


def test_content_edited_since_the_page_was_read_is_not_approved(client, coordinator, submission):
    client.force_login(coordinator)
    shown = KoboSubmission.objects.get(pk=submission.pk)
    add_revision(submission, {"total": "999"})

    press(client, shown, "approve")

    shown.refresh_from_db()
    assert (shown.review_status, shown.approved_revision_id, decisions()) == ("received", None, [])


def test_typed_text_survives_a_refusal(client, coordinator, manager, submission):
    client.force_login(coordinator)
    shown = KoboSubmission.objects.get(pk=submission.pk)
    approve_submission(submission, reviewer=manager)

    response = press(client, shown, "return", reason="other", text="A long explanation")

    assert response.status_code == 200
    assert "A long explanation" in response.content.decode()
    assert "by somebody else meanwhile" in response.context["form"].non_field_errors()[0]


def test_bulk_approval_previews_then_reports_in_numbers(client, coordinator, manager, village, sub_area, enumerator):
    places = [AdminUnitFactory(parent=village.parent) for _number in range(4)]
    rows = [make_submission(RoundTargetFactory(unit=place, form_kind=sub_area)) for place in places]
    KoboSubmission.objects.filter(pk=rows[2].pk).update(is_trial=True)
    client.force_login(coordinator)

    preview = client.post(f"{LIST}?review=all", {"action": "approve", "_selected_action": [row.pk for row in rows]})
    assert preview.context["possible"] == 3
    assert preview.context["obstacles"] == [("a trial never counts", 1)]
    assert decisions() == []

    rows[2].refresh_from_db()
    reject_submission(KoboSubmission.objects.get(pk=rows[3].pk), reviewer=manager, reason="other", text="Twice")
    response = confirm(client, rows, "approve")

    assert told(response) == [
        "Approve: done for 2 of 4. Skipped: 1 – This is a trial from a training day or from before the round: it never "
        "counts; 1 – decided or changed by somebody else meanwhile: look at it again."
    ]
    statuses = KoboSubmission.objects.order_by("kobo_id").values_list("review_status", flat=True)
    assert list(statuses) == ["approved", "approved", "received", "rejected"]


def test_bulk_action_takes_no_row_from_outside_the_own_region(client, other_coordinator, submission):
    client.force_login(other_coordinator)

    confirm(client, [submission], "approve")

    submission.refresh_from_db()
    assert (submission.review_status, decisions()) == ("received", [])


def test_two_approvals_of_one_target_the_second_is_told_why_not(client, coordinator, target, enumerator):
    first, second = make_submission(target), make_submission(target)
    client.force_login(coordinator)

    press(client, first, "approve")
    response = press(client, second, "approve")

    assert told(response)[-1].startswith("Approve: done for 0 of 1. Skipped: 1 – Another approved form covers")
    assert [one.review_status for one in KoboSubmission.objects.order_by("kobo_id")] == ["approved", "received"]


def test_second_step_is_for_a_manager_who_did_not_give_the_first(client, coordinator, manager, district, area):
    submission = make_submission(RoundTargetFactory(unit=district, form_kind=area))
    client.force_login(coordinator)
    press(client, submission, "approve")
    submission.refresh_from_db()

    again = press(client, submission, "approve")
    assert "The final approval is a manager's" in told(again)[-1]

    client.force_login(manager)
    press(client, submission, "approve")
    submission.refresh_from_db()
    assert submission.review_status == "approved"


def test_page_words_answers_figures_problems_flags_and_what_an_edit_changed(client, manager, target, enumerator):
    form = KoboFormFactory(round=target.round, form_kind=target.form_kind)
    submission = make_submission(target, form=form, answers={"head/round": "2022-Q4", "total": "10", "men": "7"})
    edited = {
        "head/round": "2022-Q4",
        "total": "12",
        "men": "7",
        "villages": [{"villages/code": "v", "villages/number": "3"}],
    }
    revision = add_revision(submission, edited)
    # As the store writes what a phone sent with half of an emoji: escaped.
    ids = {"_id": submission.kobo_id, "_uuid": revision.uuid}
    revision.raw = json.dumps({**ids, **edited, "note": "a\x00b \ud83d"})
    revision.save(update_fields=["raw"])
    flag = {"at": [{"indicator": "sex", "numbers": "7 > 6"}]}
    QualityFlag.objects.create(
        revision=submission.current_revision, check_code="parts_exceed_total", severity="error", params=flag
    )
    client.force_login(manager)

    response = client.get(page_of(submission))

    context = response.context
    sections = {section.label: section for section in context["sections"]}
    assert [(one.label, one.shown) for one in sections["Meeting"].answers] == [("Round code", "2022-Q4")]
    assert ("note", "ab \ufffd") in [(one.path, one.shown) for one in sections["Form"].answers]
    assert [(one.path, one.rows) for one in sections["Form"].repeats] == [("villages", (("v", "3"),))]
    assert [(one.indicator, one.category, one.value) for one in context["figures"]][:2] == [
        ("Migrant workers present", "", 12),
        ("Sex", "men", 7),
    ]
    assert context["flags"] == [("The parts add up to more than the total: Sex 7 > 6", "error", "bad")]
    edit = context["timeline"][0]
    assert edit["title"] == "Edited at Kobo"
    assert [(one.path.replace("\x1f", "/"), one.old, one.new) for one in edit["changes"]] == [
        ("total", "10", "12"),
        ("villages[1]/villages/code", "", "v"),
        ("villages[1]/villages/number", "", "3"),
        ("note", "", "ab \ufffd"),
    ]


def test_page_of_an_unreadable_submission_names_the_answers(client, manager, target):
    submission = make_submission(target, is_refused=True, answers={"total": "many"})
    submission.current_revision.problems = [{"code": "not_a_number", "path": "total", "value": "many"}]
    submission.current_revision.save(update_fields=["problems"])
    client.force_login(manager)

    response = client.get(page_of(submission))

    assert response.context["problems"] == ["total “many” is not a number"]
    assert response.context["figures"] == []
    assert [str(label) for label, _why in response.context["obstacles"]] == ["Approve", "Name the enumerator"]


def test_labels_are_in_the_readers_language(client, manager, target):
    submission = make_submission(target, answers={"head/round": "2022-Q4"})
    manager.language = "ru"
    manager.save()
    client.force_login(manager)

    sections = client.get(page_of(submission)).context["sections"]

    assert (sections[0].label, sections[0].answers[0].label) == ("Встреча", "Код раунда")


def test_form_of_another_make_is_worded_as_kobo_describes_its_version(client, manager, target):
    """And as long as that was not read, by its paths."""
    submission = make_submission(target, answers={"hh/sexe": "f", "hh/age": "7"})
    version = KoboFormVersion.objects.create(form=submission.form, uid="v1", first_seen_at=submission.first_seen_at)
    revision = submission.current_revision
    revision.form_version = version
    revision.save(update_fields=["form_version"])
    client.force_login(manager)

    def words():
        section = client.get(page_of(submission)).context["sections"][0]
        return section.label, [(one.label, one.shown) for one in section.answers]

    assert words() == ("hh", [("hh/sexe", "f"), ("hh/age", "7")])
    version.content = {
        "translations": ["Français (fr)", "English (en)"],
        "survey": [
            {"type": "begin_group", "$xpath": "hh", "label": ["Ménage", "Household"]},
            {"type": "select_one", "$xpath": "hh/sexe", "label": ["Sexe", None], "select_from_list_name": "s"},
            {"type": "integer", "$xpath": "hh/age"},
        ],
        "choices": [{"list_name": "s", "name": "f", "label": ["Femme", "Woman"]}],
    }
    version.save(update_fields=["content"])
    assert words() == ("Household", [("Sexe", "Woman"), ("age", "7")])


def test_page_shows_a_repeat_inside_a_repeat_and_what_changed_in_it(client, manager, target):
    def village(code, *numbers):
        return {"v/code": code, "v/n": [{"v/n/number": number} for number in numbers]}

    submission = make_submission(target, answers={"v": [village("a", "1", "2"), village("b", "3")]})
    add_revision(submission, {"v": [village("a", "1", "2"), village("b", "4")]})
    client.force_login(manager)

    context = client.get(page_of(submission)).context

    [section] = context["sections"]
    assert [(one.label, one.headings, one.rows) for one in section.repeats] == [
        ("v", ("№", "v/code"), (("1", "a"), ("2", "b"))),
        ("v › v/n", ("№", "v/n/number"), (("1.1", "1"), ("1.2", "2"), ("2.1", "4"))),
    ]
    changes = [change for entry in context["timeline"] for change in entry.get("changes", [])]
    assert [(one.label, one.old, one.new) for one in changes if one.new == "4"] == [("v/n/number (row 2.1)", "3", "4")]


def test_match_by_hand_gives_target_place_and_the_only_focus_group(client, coordinator, target, enumerator, village):
    group = plan_focus_group(target)
    submission = make_submission(target, enumerator=enumerator)
    KoboSubmission.objects.filter(pk=submission.pk).update(
        match_state="unmatched", target=None, unit=None, focus_group=None
    )
    submission.refresh_from_db()
    client.force_login(coordinator)

    response = press(client, submission, "match", target=target.pk)

    submission.refresh_from_db()
    assert (submission.match_state, submission.target, submission.unit, submission.focus_group) == (
        "by_hand",
        target,
        village,
        group,
    )
    assert told(response) == ["Match by hand: done for 1 of 1."]


def test_match_by_hand_refuses_another_round_what_is_approved_and_what_is_gone(manager, target, submission, village):
    other = RoundTargetFactory(unit=village, form_kind=target.form_kind, round=AssessmentRoundFactory(code="2023-Q1"))
    before = (submission.match_state, submission.target_id)

    with pytest.raises(Refused) as refused:
        match_submission(submission, other, by=manager)
    assert refused.value.code == "other_target"

    KoboSubmission.objects.update(deleted_at=timezone.now())
    submission.refresh_from_db()
    with pytest.raises(Refused) as refused:
        match_submission(submission, target, by=manager)
    assert refused.value.code == "deleted"

    KoboSubmission.objects.update(deleted_at=None)
    submission.refresh_from_db()
    approve_submission(submission, reviewer=manager)
    with pytest.raises(Refused) as refused:
        match_submission(submission, target, by=manager)
    assert refused.value.code == "approved"
    submission.refresh_from_db()
    assert (submission.match_state, submission.target_id) == before


def test_match_by_hand_loses_to_a_decision_meanwhile(manager, target, submission, village, sub_area):
    other = RoundTargetFactory(unit=AdminUnitFactory(parent=village.parent), form_kind=sub_area)
    KoboSubmission.objects.update(review_status="rejected")

    with pytest.raises(TransitionNotAllowed):
        match_submission(submission, other, by=manager)

    assert KoboSubmission.objects.get().target == target


def test_match_by_hand_is_not_for_another_regions_coordinator(other_coordinator, target, submission):
    with pytest.raises(Refused) as refused:
        match_submission(submission, target, by=other_coordinator)
    assert refused.value.code == "not_allowed"


def test_match_by_hand_offers_no_target_out_of_reach(client, coordinator, submission, other_district, sub_area):
    elsewhere = RoundTargetFactory(unit=other_district, form_kind=sub_area)
    client.force_login(coordinator)

    response = press(client, submission, "match", target=elsewhere.pk)

    assert "target" in response.context["form"].errors
    assert KoboSubmission.objects.get().target != elsewhere


def test_name_the_enumerator_offers_who_is_assigned_first_and_says_who_named(
    client, coordinator, target, enumerator, village
):
    other = EnumeratorFactory(code="E02", full_name="Aaron First", home_unit=village)
    EnumeratorFactory(code="E66", home_unit=AdminUnitFactory())
    group = plan_focus_group(target)
    SessionAssignment.objects.create(focus_group=group, enumerator=enumerator)
    submission = make_submission(target)
    KoboSubmission.objects.filter(pk=submission.pk).update(enumerator=None, focus_group=group)
    client.force_login(coordinator)

    asked = client.get(page_of(submission, "name_enumerator"))
    choices = asked.context["form"].fields["person"].choices
    assert [(str(title), [key for key, _words in people]) for title, people in choices[1:]] == [
        ("Assigned here", [enumerator.pk]),
        ("Others", [other.pk]),
    ]

    response = press(client, submission, "name_enumerator", person=enumerator.pk)

    assert told(response) == ["Name the enumerator: done for 1 of 1."]
    assert KoboSubmission.objects.get(pk=submission.pk).enumerator == enumerator
    assert f"named by {coordinator}" in client.get(page_of(submission)).content.decode()


def test_submission_without_a_place_is_on_the_desk_of_the_persons_coordinator(
    client, coordinator, other_coordinator, target, enumerator, other_village
):
    own = make_submission(target, enumerator=enumerator)
    other = make_submission(target, enumerator=EnumeratorFactory(home_unit=other_village))
    KoboSubmission.objects.update(unit=None, target=None, match_state="unmatched")

    client.force_login(coordinator)
    assert listed(client) == [own.kobo_id]
    client.force_login(other_coordinator)
    assert listed(client) == [other.kobo_id]


def test_a_huge_comment_and_deep_json_do_not_break_the_page(client, manager, target):
    deep = json.loads("[" * 50 + "]" * 50)
    submission = make_submission(target, answers={"comment": "x" * 100_000, "odd": deep, "repeat": [{"a": [{"b": 1}]}]})
    client.force_login(manager)

    response = client.get(page_of(submission))

    assert response.status_code == 200
    assert len(response.content) < 60_000


def test_targets_offered_for_a_focus_group_are_of_rounds_that_are_not_closed(client, coordinator, target, village):
    closed = AssessmentRoundFactory(code="2021-Q4", status="closed")
    RoundTargetFactory(unit=village, form_kind=target.form_kind, round=closed)
    client.force_login(coordinator)
    asked = {"app_label": "assessments", "model_name": "focusgroupsession", "field_name": "target", "term": "zhand"}

    rows = client.get(reverse("admin:autocomplete"), asked).json()["results"]

    assert [row["id"] for row in rows] == [str(target.pk)]
