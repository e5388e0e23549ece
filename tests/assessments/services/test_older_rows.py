"""The first run of an installation that was there before: rows without day, words, device, files; old fingerprints."""

import json

import pytest

from assessments.models import KoboForm, KoboSubmission, SubmissionAttachment, SubmissionRevision
from assessments.services.review import approve_submission
from tests.practice import ASSET, counts, ledger, sync

pytestmark = pytest.mark.django_db

FILLED = ("day", "typed_person", "typed_place", "typed_focus_group", "started_at", "ended_at", "device_id")


def make_older(form):
    """As 0001 has left it: the migration gives every row the columns, blank, and the fingerprint is another's."""
    KoboSubmission.objects.update(
        day=None, typed_person="", typed_place="", typed_focus_group="", started_at=None, ended_at=None, device_id="",
        match_problem="", kobo_status="", kobo_status_by="", kobo_status_at=None,
    )  # fmt: skip
    SubmissionRevision.objects.update(fingerprint="0" * 64)
    SubmissionAttachment.objects.all().delete()
    KoboForm.objects.update(swept_at=None, media_checked_at=None)
    form.refresh_from_db()


def heads():
    return list(KoboSubmission.objects.order_by("kobo_id").values_list(*FILLED, "match_state", "match_problem"))


@pytest.fixture
def older(kobo, form, answer, submit, coordinator):
    phone = {"start": "2022-11-20T09:00:00.000+05:00", "end": "2022-11-20T10:00:00.000+05:00", "deviceid": "collect:1"}
    ids = [
        kobo.submit(ASSET, answer(**phone, photo="1.jpg"), submitted_by="e01"),
        submit(place="", who="Somebody"),
        submit(place="Nowhere at all"),
        submit(total="many"),
    ]
    kobo.attach(ids[0], [("1.jpg", "image/jpeg", b"\xff\xd8\xff")])
    sync(form)
    approve_submission(KoboSubmission.objects.get(kobo_id=ids[0]), reviewer=coordinator)
    before, files, size = heads(), SubmissionAttachment.objects.count(), counts(form)
    make_older(form)
    assert heads() != before
    return before, files, size


@pytest.mark.parametrize("full", [False, True])
def test_first_run_fills_what_older_rows_lack_and_takes_none_for_edited(form, older, full):
    before, files, size = older

    run = sync(form, full=full)

    assert ledger(run) == {"at_kobo": 4, "here": 4, "unchanged": 3, "refused": 1, "unmatched": 2}
    assert heads() == before
    assert SubmissionAttachment.objects.count() == files == 1
    assert counts(form) == size
    approved = KoboSubmission.objects.exclude(approved_revision=None).get()
    assert (approved.review_status, approved.changed_after_approval) == ("approved", False)


def test_later_full_run_takes_older_rows_for_what_they_are(form, older):
    sync(form)

    run = sync(form, full=True)

    assert (run.edited, counts(form)) == (0, older[2])


def test_older_row_that_was_deleted_and_is_back_is_not_taken_for_edited(kobo, form, submit, coordinator):
    kobo_id, _other = submit(), submit()
    sync(form)
    approve_submission(KoboSubmission.objects.get(kobo_id=kobo_id), reviewer=coordinator)
    kobo.hide(kobo_id)
    sync(form)
    make_older(form)
    kobo.show(kobo_id)

    sync(form)

    back = KoboSubmission.objects.get(kobo_id=kobo_id)
    assert (back.deleted_at, back.review_status, back.changed_after_approval) == (None, "approved", False)


def test_older_row_with_words_that_the_database_refuses_holds_no_other_back(form, submit):
    first, second = submit(), submit()
    sync(form)
    make_older(form)
    revision = KoboSubmission.objects.get(kobo_id=first).current_revision
    row = revision.answers | {"who": "E\x0001", "deviceid": "a\x00b"}
    SubmissionRevision.objects.filter(pk=revision.pk).update(raw=json.dumps(row))

    run = sync(form)

    assert run.outcome == "closed"
    assert KoboSubmission.objects.get(kobo_id=second).day is not None
