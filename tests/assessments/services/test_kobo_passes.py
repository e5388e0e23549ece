"""The cheap passes of a quick run, what leads them to a sweep, and what a run tells while it lasts."""

from datetime import UTC, datetime, timedelta
from threading import Event
from time import sleep

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.utils import timezone

from assessments.kobo.errors import KoboRejected
from assessments.kobo.payloads import Validation
from assessments.models import (
    KoboForm,
    KoboSubmission,
    QualityFlag,
    StatusPush,
    SubmissionAttachment,
    SubmissionRevision,
    SyncRun,
)
from assessments.services.kobo_store import Store
from assessments.services.kobo_sync import ask_to_stop, release_deletions
from assessments.services.review import reject_submission
from dtm_ops.common.errors import Refused
from tests.concurrently import at_once
from tests.factories.assessments import KoboFormFactory
from tests.practice import ASSET, client_of, kobos_copy, last_run, ledger, our_copy, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def synced(form, submit):
    """A form with three submissions that a sweep has compared."""
    ids = [submit(kobo_id=101 + number) for number in range(3)]
    assert sync(form).is_sweep
    return ids


LONG_AGO = datetime(2021, 1, 1, tzinfo=UTC)


def quick(form, **options):
    return sync(form, quick=True, **options)


def test_quick_run_without_changes_compares_counts_alone(form, synced):
    run = quick(form)

    assert (run.outcome, run.is_sweep) == ("closed", False)
    assert ledger(run) == {"at_kobo": 3, "here": 3, "unchanged": 3}
    assert run.requests == 4


def test_quick_run_reads_what_is_new_edited_and_judged(kobo, form, submit, synced):
    first, second, _third = synced
    new = submit(total="5", men="3", women="2")
    kobo.edit(first, {"total": "11", "men": "7"})
    kobo.set_validation(second, "validation_status_on_hold", by="somebody")

    run = quick(form)

    assert (run.outcome, run.is_sweep) == ("closed", False)
    assert ledger(run) == {"at_kobo": 4, "here": 4, "new": 1, "edited": 1, "unchanged": 2}
    assert our_copy(form).keys() == {*synced, new}
    assert our_copy(form)[first][2]["total"] == "11"
    judged = KoboSubmission.objects.get(kobo_id=second)
    assert (judged.kobo_status, judged.kobo_status_by) == ("validation_status_on_hold", "somebody")
    assert judged.kobo_status_at is not None
    assert judged.review_status == "received"


def test_quick_run_reads_an_arrival_that_is_dated_back(kobo, form, answer, synced):
    kobo.submit(ASSET, answer(), submitted_by="e01", submission_time=LONG_AGO)

    run = quick(form)

    assert (run.is_sweep, run.new) == (False, 1)


def test_quick_run_is_not_blinded_by_an_arrival_that_is_dated_ahead(kobo, form, answer, submit, synced):
    kobo.submit(ASSET, answer(), submitted_by="e01", submission_time=datetime(2031, 1, 1, tzinfo=UTC))
    quick(form)
    submit()

    assert quick(form).new == 1


@pytest.mark.parametrize("change", ["deletion", "late row"])
def test_quick_run_sweeps_where_the_counts_differ(kobo, form, answer, synced, change):
    if change == "deletion":
        kobo.delete(synced[0])
    else:
        kobo.submit(ASSET, answer(), submitted_by="e01", submission_time=LONG_AGO, kobo_id=1)

    run = quick(form)

    assert (run.outcome, run.is_sweep) == ("closed", True)
    assert our_copy(form).keys() == kobos_copy(kobo, ASSET).keys()


def test_quick_run_sweeps_after_a_day(form, synced):
    KoboForm.objects.update(swept_at=timezone.now() - timedelta(hours=25))

    run = quick(form)

    assert run.is_sweep
    form.refresh_from_db()
    assert form.swept_at > timezone.now() - timedelta(minutes=1)


def test_sweep_sees_a_status_that_was_taken_away(kobo, form, synced):
    kobo.set_validation(synced[0], "validation_status_approved", by="somebody")
    sync(form)
    assert KoboSubmission.objects.get(kobo_id=synced[0]).kobo_status == "validation_status_approved"
    kobo.set_validation(synced[0], None, by="somebody")

    assert quick(form).is_sweep is False
    assert KoboSubmission.objects.get(kobo_id=synced[0]).kobo_status == "validation_status_approved"
    run = sync(form)

    row = KoboSubmission.objects.get(kobo_id=synced[0])
    assert (row.kobo_status, row.kobo_status_by, row.kobo_status_at) == ("", "", None)
    assert ledger(run) == {"at_kobo": 3, "here": 3, "unchanged": 3}


def test_quick_run_counts_what_cannot_be_read_though_it_does_not_look_at_it(form, submit, synced):
    submit(total="many")
    sync(form)
    KoboSubmission.objects.update(submitted_at=datetime(2022, 11, 20, tzinfo=UTC))
    submit()

    assert ledger(quick(form)) == {"at_kobo": 5, "here": 5, "new": 1, "unchanged": 3, "refused": 1}


def test_revision_tells_who_edited_where_the_history_is_readable(kobo, form, synced):
    kobo.edit(synced[0], {"total": "11", "men": "7"}, by="corrector")

    sync(form)

    first, second = SubmissionRevision.objects.filter(submission__kobo_id=synced[0]).order_by("number")
    assert (first.edited_by, first.edited_at) == ("", None)
    assert second.edited_by == "corrector"
    assert abs(second.edited_at - timezone.now()) < timedelta(minutes=5)


def test_run_goes_on_where_the_history_is_not_readable(kobo, form, synced):
    reader = kobo.create_user("reader")
    kobo.grant(ASSET, "reader", "view_submissions")
    form.server.token = reader
    form.server.save()
    kobo.edit(synced[0], {"total": "11", "men": "7"})

    assert sync(form).edited == 1
    form.refresh_from_db()
    assert form.history_refused_at is not None
    assert SubmissionRevision.objects.get(submission__kobo_id=synced[0], number=2).edited_by == ""


def test_row_that_kobo_lists_twice_is_flagged_on_both_sides_once(kobo, form, synced):
    ghost = kobo.add_ghost(synced[0])

    sync(form)
    sync(form)

    flags = QualityFlag.objects.filter(check_code="listed_twice_at_kobo")
    assert dict(flags.values_list("revision__submission__kobo_id", "params")) == {
        synced[0]: {"other": [ghost]},
        ghost: {"other": [synced[0]]},
    }


def test_run_that_is_stopped_keeps_what_it_has_and_the_next_goes_on(kobo, form, submit, coordinator):
    kobo.submit_many(ASSET, [{"answers": {"total": "1"}, "submitted_by": "e01"} for _unused in range(6)])

    def stop(run):
        if run.new == 2:
            ask_to_stop(run, by=coordinator)

    run = sync(form, page_size=2, on_page=stop)

    assert (run.outcome, run.error_code) == ("stopped", "")
    run.refresh_from_db()
    assert (run.stop_asked_by, run.new) == (coordinator, 4)
    assert len(our_copy(form)) == 4
    with pytest.raises(Refused, match="over already"):
        ask_to_stop(run, by=coordinator)
    assert ledger(sync(form)) == {"at_kobo": 6, "here": 6, "new": 2, "unchanged": 4, "unmatched": 6}


def test_run_says_where_it_is(kobo, form, submit):
    for _unused in range(5):
        submit()
    seen = []

    sync(form, page_size=2, on_page=lambda run: seen.append((run.step, run.done, run.expected)))

    assert seen == [("sweep", 2, 5), ("sweep", 4, 5), ("sweep", 5, 5)]
    assert SyncRun.objects.get().incidents == {}


def test_run_tells_which_troubles_it_rode_out(kobo, form, submit):
    submit()
    kobo.misbehave("unavailable", times=2)

    with client_of(form, retries=4) as client:
        run = sync(form, client=client)

    assert (run.outcome, run.incidents) == ("closed", {"server_unavailable": 2})


def test_deletions_that_a_person_lets_through_are_marked_by_the_next_sweep(kobo, form, submit, administrator):
    ids = [submit() for _unused in range(10)]
    sync(form)
    for kobo_id in ids[:8]:
        kobo.delete(kobo_id)
    red = sync(form)
    assert (red.outcome, red.error_code, red.deleted) == ("red", "rows_gone", 0)

    assert release_deletions(form, by=administrator) == 8
    run = quick(form)

    assert (run.outcome, run.deleted, len(our_copy(form))) == ("closed", 8, 2)
    form.refresh_from_db()
    assert form.deletions_released is None
    with pytest.raises(Refused, match="missed no rows"):
        release_deletions(form, by=administrator)


def test_release_does_not_let_more_through_than_was_seen(kobo, form, submit, administrator):
    ids = [submit() for _unused in range(10)]
    sync(form)
    for kobo_id in ids[:7]:
        kobo.delete(kobo_id)
    sync(form)
    release_deletions(form, by=administrator)
    kobo.delete(ids[7])

    assert (sync(form).error_code, len(our_copy(form))) == ("rows_gone", 10)


def test_lost_right_is_no_deletion_though_deletions_were_let_through(kobo, form, submit, administrator):
    for _unused in range(8):
        submit()
    sync(form)
    KoboForm.objects.update(deletions_released=8)
    kobo.delete_asset(ASSET)

    with pytest.raises(KoboRejected):
        sync(form)

    assert (len(our_copy(form)), last_run(form).error_code) == (8, "no_project")


def test_file_that_comes_after_its_form_is_found_within_the_day(kobo, form, answer):
    kobo_id = kobo.submit(ASSET, answer(photo="1.jpg"), submitted_by="e01")
    sync(form)
    assert SubmissionAttachment.objects.count() == 0
    kobo.attach(kobo_id, [("1.jpg", "image/jpeg", b"\xff\xd8\xff")])

    assert quick(form).edited == 0
    assert SubmissionAttachment.objects.count() == 0
    KoboForm.objects.update(media_checked_at=timezone.now() - timedelta(hours=13))
    run = quick(form)

    assert ledger(run) == {"at_kobo": 1, "here": 1, "unchanged": 1}
    found = SubmissionAttachment.objects.get()
    assert (found.submission.kobo_id, found.name, found.state) == (kobo_id, "1.jpg", "listed")
    assert SubmissionRevision.objects.count() == 1


def test_full_run_sees_a_file_that_came_later(kobo, form, answer):
    kobo_id = kobo.submit(ASSET, answer(photo="1.jpg"), submitted_by="e01")
    sync(form)
    kobo.attach(kobo_id, [("1.jpg", "image/jpeg", b"\xff\xd8\xff")])

    sync(form, full=True)

    assert SubmissionAttachment.objects.get().name == "1.jpg"


def test_run_learns_what_a_new_version_asks(kobo, form, submit):
    submit()

    sync(form)

    version = form.versions.get()
    assert [question["name"] for question in version.content["survey"]][:3] == ["code", "who", "place"]
    assert version.deployed_at is not None


# --- what one step must not do to another


def test_run_that_compared_all_is_closed_though_late_files_were_not_to_be_had(kobo, form, synced, submit):
    checked = timezone.now() - timedelta(hours=13)
    KoboForm.objects.update(media_checked_at=checked)
    probe_sweep_and_count = 4
    kobo.misbehave("unavailable", skip=probe_sweep_and_count, times=1)

    run = sync(form)

    assert (run.outcome, run.incidents) == ("closed", {"server_unavailable": 1})
    assert ledger(run) == {"at_kobo": 3, "here": 3, "unchanged": 3}
    form.refresh_from_db()
    assert form.media_checked_at == checked
    sync(form)
    form.refresh_from_db()
    assert form.media_checked_at > checked


def test_quick_run_whose_counts_agree_by_chance_does_not_close_over_a_row_that_was_not_kept(kobo, form, submit, synced):
    elsewhere = KoboFormFactory(server=form.server, asset_uid="aElsewhere", form_kind=form.form_kind, round=form.round)
    taken = submit()
    KoboSubmission.objects.create(
        server=form.server, form=elsewhere, kobo_id=taken, first_seen_at=timezone.now(), uuid="of another form"
    )
    kobo.delete(synced[0])

    run = quick(form)

    assert (run.outcome, run.is_sweep, run.error_code) == ("red", True, "rows_not_kept")
    assert run.differences == {"only_at_kobo": [taken], "only_here": []}


def test_sweep_that_is_asked_for_during_a_run_is_not_forgotten(form, submit, synced):
    submit()
    run = quick(form, on_page=lambda _run: KoboForm.objects.update(swept_at=None))

    form.refresh_from_db()
    assert (run.is_sweep, form.swept_at) == (False, None)


def test_flag_of_a_row_listed_twice_goes_with_the_other(kobo, form, synced):
    ghost = kobo.add_ghost(synced[0])
    sync(form)
    kobo.delete(ghost)

    sync(form)

    assert not QualityFlag.objects.filter(revision__submission__kobo_id=synced[0], check_code="listed_twice_at_kobo")


def test_run_that_takes_too_long_for_a_worker_goes_on_with_the_next_tick(form, submit, synced):
    submit()
    due_at = KoboForm.objects.get().next_sync_at

    def run_out_of_time(_run):
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        quick(form, on_page=run_out_of_time)

    assert (last_run(form).outcome, last_run(form).error_code) == ("lost", "")
    assert KoboForm.objects.get().next_sync_at == due_at


def test_decision_that_was_made_while_a_row_was_gone_is_told_once_it_is_back(kobo, form, submit, synced, coordinator):
    kobo.hide(synced[0])
    sync(form)
    row = KoboSubmission.objects.get(kobo_id=synced[0])
    reject_submission(row, reviewer=coordinator, reason="duplicate", text="Sent twice")
    assert not StatusPush.objects.exists()
    kobo.show(synced[0])

    sync(form)

    assert list(StatusPush.objects.values_list("submission__kobo_id", "wanted", "state")) == [
        (synced[0], "validation_status_not_approved", "pending")
    ]


@pytest.mark.django_db(transaction=True)
def test_statuses_and_a_reader_of_the_same_rows_do_not_block_each_other_for_ever(form, submit):
    submit(kobo_id=102)
    sync(form)
    submit(kobo_id=101)  # appears late below the highest id
    sync(form)
    first, second = KoboSubmission.objects.order_by("pk")
    has_first = Event()

    def read_anew():
        with transaction.atomic():
            KoboSubmission.objects.select_for_update().get(pk=first.pk)
            has_first.set()
            sleep(0.5)
            KoboSubmission.objects.select_for_update().get(pk=second.pk)

    def note():
        has_first.wait(10)
        status = Validation("validation_status_on_hold", "somebody", timezone.now())
        Store(form).note_statuses(dict.fromkeys((101, 102), status))

    assert at_once(read_anew, note) == [None, None]
    assert set(KoboSubmission.objects.values_list("kobo_status", flat=True)) == {"validation_status_on_hold"}
