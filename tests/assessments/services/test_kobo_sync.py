"""The sync against a practice Kobo over HTTP: what arrives, what changes, what goes, and the ledger of each run."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from assessments.models import KoboSubmission, SyncRun
from assessments.selectors.coverage import coverage
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from assessments.services.review import approve_submission, reject_submission, return_submission
from dtm_ops.records.models import StatusChange
from tests.factories.assessments import RoundTargetFactory
from tests.factories.training import EnumeratorFactory
from tests.practice import FIELD_DAY, counts, kobos_copy, last_run, ledger, our_copy, sync
from training.models import Enumerator
from training.services.identities import attach_identity
from training.services.roster import change_enumerator_status

pytestmark = pytest.mark.django_db


def only(form):
    return KoboSubmission.objects.get(form=form)


def test_first_sync_copies_every_row_as_kobo_has_it(kobo, form, submit):
    for number in range(25):
        submit(total=str(number))

    run = sync(form, page_size=10)

    assert ledger(run) == {"at_kobo": 25, "here": 25, "new": 25}
    assert (run.outcome, run.error_code, run.differences) == ("closed", "", {})
    assert our_copy(form) == kobos_copy(kobo, form.asset_uid)


def test_second_sync_changes_nothing(form, submit):
    for _unused in range(5):
        submit()
    sync(form)
    before = counts(form), our_copy(form)

    run = sync(form)

    assert ledger(run) == {"at_kobo": 5, "here": 5, "unchanged": 5}
    assert run.outcome == "closed"
    assert (counts(form), our_copy(form)) == before


def test_sync_of_an_empty_project_closes(form):
    assert (sync(form).outcome, sync(form).outcome) == ("closed", "closed")


def test_full_sync_reads_every_row_and_changes_nothing(form, submit):
    for _unused in range(5):
        submit()
    submit(total="many")
    sync(form)
    before = counts(form)

    run = sync(form, full=True)

    assert ledger(run) == {"at_kobo": 6, "here": 6, "unchanged": 5, "refused": 1}
    assert counts(form) == before


def test_full_sync_sees_what_changed_without_a_new_uuid(kobo, form, submit):
    submit()
    kobo_id = submit(comment="as sent")
    sync(form)
    with kobo.database.writing() as db:
        db.execute("UPDATE submission SET body = replace(body, 'as sent', 'repaired') WHERE kobo_id = ?", (kobo_id,))

    assert ledger(sync(form)) == {"at_kobo": 2, "here": 2, "unchanged": 2}
    assert ledger(sync(form, full=True)) == {"at_kobo": 2, "here": 2, "unchanged": 1, "edited": 1}
    assert our_copy(form) == kobos_copy(kobo, form.asset_uid)


def test_sync_stores_head_and_match_of_a_row(form, submit, target, enumerator):
    group = plan_focus_group(target)
    kobo_id = submit(code=group.code.lower().replace("-", " "))

    sync(form)

    row = only(form)
    assert (row.kobo_id, row.submitted_by, row.match_state) == (kobo_id, "e01", "by_code")
    assert (row.target, row.focus_group, row.enumerator, row.unit) == (target, group, enumerator, target.unit)
    assert (row.review_status, row.is_trial, row.is_refused, row.deleted_at) == ("received", False, False, None)
    assert (row.current_revision.number, row.current_revision.uuid, row.approved_revision) == (1, row.uuid, None)


def test_edited_row_gets_a_revision_and_keeps_the_old_one(kobo, form, submit):
    kobo_id = submit()
    sync(form)
    old = only(form).current_revision
    kobo.edit(kobo_id, {"total": "12"})

    run = sync(form)

    assert ledger(run) == {"at_kobo": 1, "here": 1, "edited": 1}
    row = only(form)
    assert [(one.number, one.answers["total"]) for one in row.revisions.all()] == [(1, "10"), (2, "12")]
    assert (row.current_revision.number, row.uuid, row.root_uuid) == (2, kobo.row(kobo_id)["_uuid"], old.uuid)
    assert our_copy(form) == kobos_copy(kobo, form.asset_uid)


def test_late_row_below_the_highest_id_is_found(kobo, form, submit):
    submit(kobo_id=10)
    late = submit(kobo_id=5, hidden=True)
    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "new": 1}
    kobo.show(late)

    assert ledger(sync(form)) == {"at_kobo": 2, "here": 2, "new": 1, "unchanged": 1}


def test_row_listed_twice_under_two_ids_is_two_rows(kobo, form, submit):
    kobo.add_ghost(submit())

    assert ledger(sync(form)) == {"at_kobo": 2, "here": 2, "new": 2}
    assert len(set(KoboSubmission.objects.values_list("uuid", flat=True))) == 1


def test_deleted_row_is_marked_and_kept(kobo, form, submit):
    gone, stays = submit(), submit()
    sync(form)
    kobo.delete(gone)

    run = sync(form)

    assert ledger(run) == {"at_kobo": 1, "here": 1, "unchanged": 1, "deleted": 1}
    assert run.outcome == "closed"
    assert {row.kobo_id: row.deleted_at is None for row in KoboSubmission.objects.all()} == {gone: False, stays: True}
    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "unchanged": 1}


def test_row_that_comes_back_counts_again_without_a_new_revision(kobo, form, submit):
    kobo_id, _other = submit(), submit()
    sync(form)
    kobo.hide(kobo_id)
    sync(form)
    kobo.show(kobo_id)

    assert ledger(sync(form)) == {"at_kobo": 2, "here": 2, "unchanged": 1, "edited": 1}
    assert counts(form) == (2, 2)
    assert not KoboSubmission.objects.exclude(deleted_at=None).exists()


def test_id_that_kobo_gives_away_again_takes_the_identity_of_the_new_form(kobo, form, submit):
    """As on a server that was restored from a backup."""
    kobo_id = submit()
    sync(form)
    kobo.delete(kobo_id)
    submit(kobo_id=kobo_id, total="3", men="2", women="1")

    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "edited": 1}
    assert our_copy(form) == kobos_copy(kobo, form.asset_uid)


def test_many_rows_gone_at_once_are_an_alarm_and_no_deletion(kobo, form, submit):
    ids = [submit() for _unused in range(8)]
    sync(form)
    for kobo_id in ids[:6]:
        kobo.delete(kobo_id)

    run = sync(form)

    assert (run.outcome, run.error_code, run.error_params) == ("red", "rows_gone", {"gone": 6, "here": 8})
    assert run.differences == {"only_at_kobo": [], "only_here": ids[:6]}
    assert ledger(run) == {"at_kobo": 2, "here": 8, "unchanged": 2}
    assert KoboSubmission.objects.present().count() == 8


def test_row_that_the_token_may_not_see_any_more_is_an_alarm(kobo, form, submit):
    for _unused in range(8):
        submit()
    token = kobo.create_user("reader")
    kobo.grant(form.asset_uid, "reader", "view_submissions")
    form.server.token = token
    form.server.save()
    sync(form)
    kobo.revoke(form.asset_uid, "reader", codename="view_submissions")
    kobo.grant(form.asset_uid, "reader", "partial_submissions", filters=[{"_submitted_by": "nobody"}])

    run = sync(form)

    assert (run.outcome, run.error_code) == ("red", "rows_gone")
    assert KoboSubmission.objects.present().count() == 8


def test_count_that_does_not_fit_the_list_is_red(form, submit, monkeypatch):
    submit()
    monkeypatch.setattr("assessments.kobo.client.KoboClient.count", lambda self, uid: 3)

    run = sync(form)

    assert (run.outcome, run.error_code, run.error_params) == ("red", "counts_differ", {"at_kobo": 3, "seen": 1})


def test_row_whose_id_another_form_of_the_server_has_is_named_and_left_out(kobo, form, submit):
    submit()
    sync(form)
    KoboSubmission.objects.update(
        form=type(form).objects.create(
            server=form.server, asset_uid="aOther", form_kind=form.form_kind, round=form.round, mapping=form.mapping
        )
    )
    kobo_id = submit()

    run = sync(form)

    assert (run.outcome, run.error_code, run.error_params) == ("red", "rows_not_kept", {"count": 1})
    assert run.differences == {"only_at_kobo": [1], "only_here": []}
    assert list(KoboSubmission.objects.filter(form=form).values_list("kobo_id", flat=True)) == [kobo_id]


# --- reviews


def test_returned_form_that_comes_back_edited_is_received_again(kobo, form, submit, target, coordinator):
    kobo_id = submit()
    sync(form)
    return_submission(only(form), reviewer=coordinator, reason="arithmetic", text="Count again")
    kobo.edit(kobo_id, {"total": "11", "men": "7"})

    sync(form)

    row = only(form)
    assert (row.review_status, row.current_revision.number) == ("received", 2)
    steps = StatusChange.objects.about(row).values_list("old", "new", "reason", "by__username")
    assert list(steps) == [
        ("received", "returned", "arithmetic", "coordinator"),
        ("returned", "received", "edited", None),
    ]


def test_rejected_form_without_an_edit_stays_rejected(kobo, form, submit, target, coordinator):
    kobo_id = submit()
    sync(form)
    reject_submission(only(form), reviewer=coordinator, reason="duplicate", text="Sent twice")
    kobo.set_validation(kobo_id, "validation_status_approved", by=form.server.username)

    sync(form, full=True)

    assert only(form).review_status == "rejected"


def test_approved_form_that_is_edited_keeps_what_was_approved(kobo, form, submit, target, coordinator):
    kobo_id = submit()
    sync(form)
    approve_submission(only(form), reviewer=coordinator)
    kobo.edit(kobo_id, {"total": "99"})

    sync(form)

    row = only(form)
    assert (row.review_status, row.changed_after_approval) == ("approved", True)
    assert (row.approved_revision.number, row.current_revision.number) == (1, 2)
    assert list(row.approved_revision.figures.filter(category=None).values_list("value", flat=True)) == [10]
    assert not row.current_revision.figures.exists()


def test_approved_form_whose_edit_cannot_be_read_counts_until_somebody_decides(kobo, form, submit, target, coordinator):
    kobo_id = submit()
    sync(form)
    approve_submission(only(form), reviewer=coordinator)
    kobo.edit(kobo_id, {"total": "many"})

    run = sync(form)

    assert ledger(run) == {"at_kobo": 1, "here": 1, "refused": 1}
    assert (only(form).review_status, only(form).changed_after_approval) == ("approved", True)
    assert coverage(target.round).covered == 1
    assert list(KoboSubmission.objects.counted()) == [only(form)]


def test_approved_form_that_comes_back_after_another_took_its_place_waits(kobo, form, submit, target, coordinator):
    first, second = submit(), submit()
    sync(form)
    approve_submission(KoboSubmission.objects.get(kobo_id=first), reviewer=coordinator)
    kobo.hide(first)
    sync(form)
    approve_submission(KoboSubmission.objects.get(kobo_id=second), reviewer=coordinator)
    kobo.show(first)

    run = sync(form)

    assert run.outcome == "closed"
    back = KoboSubmission.objects.get(kobo_id=first)
    assert (back.review_status, back.approved_revision, back.covers_alone, back.deleted_at) == (
        "received", None, False, None,
    )  # fmt: skip


def test_approved_form_that_comes_back_to_its_free_place_counts_as_before(kobo, form, submit, target, coordinator):
    kobo_id, _other = submit(), submit()
    sync(form)
    approve_submission(KoboSubmission.objects.get(kobo_id=kobo_id), reviewer=coordinator)
    kobo.hide(kobo_id)
    sync(form)
    kobo.show(kobo_id)
    sync(form)

    back = KoboSubmission.objects.get(kobo_id=kobo_id)
    assert (back.review_status, back.changed_after_approval, back.deleted_at) == ("approved", False, None)


# --- matching


def test_unmatched_row_matches_once_its_target_is_planned(form, submit, other_village, sub_area, target):
    submit(place=other_village.unit_id)
    run = sync(form)
    assert ledger(run) == {"at_kobo": 1, "here": 1, "new": 1, "unmatched": 1}
    planned = RoundTargetFactory(round=target.round, unit=other_village, form_kind=sub_area)

    run = sync(form)

    assert ledger(run) == {"at_kobo": 1, "here": 1, "unchanged": 1}
    assert (only(form).match_state, only(form).target) == ("by_place", planned)
    assert counts(form) == (1, 1)


@pytest.mark.parametrize(("who", "expected"), [("E01", 1), ("E99", None)])
def test_form_without_a_code_belongs_to_the_persons_focus_group_of_that_day(
    form, submit, target, enumerator, who, expected
):
    held = [datetime.fromisoformat(f"{day}T05:00:00+00:00") for day in ("2022-12-05", FIELD_DAY)]
    groups = [plan_focus_group(target, starts_at=at, ends_at=at + timedelta(hours=2)) for at in held]
    for group in groups:
        assign_enumerator(group, enumerator)
    submit(who=who)

    sync(form)

    assert only(form).target == target
    assert only(form).focus_group == (None if expected is None else groups[expected])


def test_form_belongs_to_whoever_held_the_kobo_account_on_its_day(form, submit, target, village, enumerator):
    """The account passed on: a form that comes late is the earlier holder's. A merged entry's code is the other's."""
    then, now, merged = (EnumeratorFactory(code=code, home_unit=village) for code in ("E05", "E06", "E07"))
    field_day = date.fromisoformat(FIELD_DAY)
    attach_identity(then, kind="kobo", value="e01", valid_to=field_day)
    attach_identity(now, kind="kobo", value="e01", valid_from=field_day + timedelta(days=1))
    change_enumerator_status(merged, "left", by=None, reason="Twice")
    Enumerator.objects.filter(pk=merged.pk).update(merged_into=enumerator)
    late = submit(who=None)
    next_day = submit(who=None, day=f"{field_day + timedelta(days=1)}")
    typed = submit(who="e07")

    sync(form)

    senders = dict(KoboSubmission.objects.values_list("kobo_id", "enumerator__code"))
    assert senders == {late: "E05", next_day: "E06", typed: "E01"}


def test_unmatched_row_is_not_read_again_while_nothing_was_planned(form, submit, other_village, monkeypatch):
    submit(place=other_village.unit_id)
    sync(form)
    SyncRun.objects.update(started_at=datetime.now(UTC) + timedelta(hours=2))
    monkeypatch.setattr("assessments.services.kobo_store.Store.reread", lambda *_args: pytest.fail("read again"))

    assert sync(form).unmatched == 1


def test_match_by_hand_survives_an_edit_at_kobo(kobo, form, submit, target, other_village):
    kobo_id = submit(place=other_village.unit_id)
    sync(form)
    KoboSubmission.objects.update(match_state="by_hand", target=target)
    kobo.edit(kobo_id, {"total": "3", "men": "2", "women": "1"})

    sync(form)

    assert (only(form).match_state, only(form).target, only(form).current_revision.number) == ("by_hand", target, 2)


def test_form_with_the_code_of_a_focus_group_says_that_it_was_held(form, submit, target, enumerator):
    start = datetime(2022, 11, 20, 5, tzinfo=UTC)
    group = plan_focus_group(target, starts_at=start, ends_at=start + timedelta(hours=2))
    assign_enumerator(group, enumerator)
    submit(code=group.code)

    sync(form)

    group.refresh_from_db()
    assert group.status == "held"
    assert list(StatusChange.objects.about(group).values_list("old", "new", "by")) == [("planned", "held", None)]
    assert not only(form).current_revision.flags.exists()


@pytest.mark.parametrize("ahead", [timedelta(days=3), None])
def test_form_filled_before_its_focus_group_leaves_the_plan_alone(form, submit, target, ahead):
    start = datetime.now(UTC) + ahead if ahead else None
    group = plan_focus_group(target, starts_at=start, ends_at=start and start + timedelta(hours=2))
    submit(code=group.code)

    sync(form)

    group.refresh_from_db()
    assert (group.status, only(form).focus_group) == ("planned", group)


def test_forms_of_training_days_and_of_before_the_round_are_trials(form, submit, training_day):
    submit(day=training_day.isoformat())
    submit(day="2022-11-13")
    submit(day="2022-11-14")

    sync(form)

    trials = KoboSubmission.objects.order_by("kobo_id").values_list("is_trial", flat=True)
    assert list(trials) == [True, True, False]


@pytest.mark.parametrize(
    ("answers", "flags"),
    [
        ({"men": "8"}, [("parts_exceed_total", "error")]),
        ({"men": "1"}, [("parts_differ_from_total", "warning")]),
        ({"who": "E77"}, [("unknown_person", "warning")]),
        ({"day": "2023-03-11"}, [("after_fieldwork", "warning")]),
    ],
)
def test_arrival_runs_the_checks(form, submit, enumerator, answers, flags):
    submit(**answers)

    sync(form)

    found = only(form).current_revision.flags.values_list("check_code", "severity")
    assert list(found) == flags


def test_version_of_the_form_is_learnt_once(kobo, form, submit):
    submit()
    submit()

    sync(form)

    assert list(form.versions.values_list("uid", flat=True)) == [kobo.row(1)["__version__"]]
    assert {row.current_revision.form_version.uid for row in KoboSubmission.objects.all()} == {
        kobo.row(1)["__version__"]
    }


def test_progress_is_told_after_each_page(form, submit):
    for _unused in range(5):
        submit()
    told = []

    sync(form, page_size=2, on_page=lambda run: told.append(SyncRun.objects.get(pk=run.pk).new))

    assert told == [2, 4, 5]
    assert last_run(form).outcome == "closed"


def test_raw_is_json_text_letter_by_letter(kobo, form, submit):
    submit(who="Ә" * 20_000 + " 😀 \x00 end")

    sync(form)

    stored = only(form).current_revision.raw
    assert json.loads(stored) == kobo.row(1)
