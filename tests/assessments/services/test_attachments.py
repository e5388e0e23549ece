"""Pictures and files: what Kobo lists is noted, what is asked for is fetched whole or not at all."""

import errno
import logging
import threading
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from django.core.files.storage import InMemoryStorage, default_storage
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.kobo.errors import KoboRejected, KoboUnavailable
from assessments.kobo.payloads import Attachment, parse_submission
from assessments.kobo.practice import submissions
from assessments.models import KoboForm, KoboSubmission, SubmissionAttachment
from assessments.services import attachments as service
from assessments.services.attachments import (
    fetch_attachment,
    fetch_due_attachments,
    forget_file,
    forms_with_due_attachments,
    note_attachments,
)
from assessments.tasks import fetch_due_files, fetch_form_files
from dtm_ops.common.errors import Refused
from tests.concurrently import at_once, in_another_connection
from tests.factories.assessments import make_submission
from tests.practice import ACCOUNT, ASSET, client_of, sync

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 20
NOW = datetime(2022, 11, 21, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture(autouse=True)
def storage(monkeypatch):
    """Empty, and of this test alone."""
    fresh = InMemoryStorage()
    monkeypatch.setattr(default_storage, "_wrapped", fresh)
    return fresh


def kept(storage, folder=""):
    folders, files = storage.listdir(folder) if storage.exists(folder) or not folder else ([], [])
    below = [name for one in folders for name in kept(storage, f"{folder}/{one}".strip("/"))]
    return sorted([f"{folder}/{name}".strip("/") for name in files] + below)


@pytest.fixture
def received(kobo, form, target, answer):
    """A form with files, here and at Kobo, with what Kobo lists noted."""

    def receive(*files, **answers):
        files = files or (("sign.png", "image/png", PNG),)
        named = {f"photo{number}": name for number, (name, _type, _content) in enumerate(files)}
        given = answer(**named, **answers)
        kobo_id = kobo.submit(ASSET, given, submitted_by="e01", attachments=files)
        submission = make_submission(target, form=form, kobo_id=kobo_id, answers=given)
        note(kobo, submission)
        return submission

    return receive


def note(kobo, submission, now=NOW):
    note_attachments([(submission.pk, parse_submission(kobo.row(submission.kobo_id)).attachments)], now=now)


def listed(name="sign.png", *, uid="att1", mimetype="image/png", xpath="photo", is_deleted=False):
    return Attachment(uid=uid, name=name, mimetype=mimetype, xpath=xpath, url="", is_deleted=is_deleted)


def rows(*columns):
    return list(SubmissionAttachment.objects.order_by("submission_id", "xpath", "name").values_list(*columns))


def fetch(attachment, **options):
    with client_of(attachment.submission.form) as client:
        return fetch_attachment(attachment, client=client, **options)


def only():
    return SubmissionAttachment.objects.get()


# --- what is listed


def test_listed_file_is_noted_as_kobo_names_it(received, kobo):
    submission = received()

    uid = kobo.row(submission.kobo_id)["_attachments"][0]["uid"]
    assert rows("submission", "uid", "name", "xpath", "mimetype", "state", "seen_at", "gone_at") == [
        (submission.pk, uid, "sign.png", "photo0", "image/png", "listed", NOW, None)
    ]


def test_same_list_again_writes_nothing(received, kobo):
    submission = received()

    with CaptureQueriesContext(connection) as queries:
        note(kobo, submission, LATER)

    assert [query["sql"].split()[0] for query in queries if "attachment" in query["sql"]] == ["SELECT"]


def test_row_that_grows_files_later_keeps_those_that_it_had(target):
    submission = make_submission(target)
    note_attachments([(submission.pk, [listed()])], now=NOW)

    note_attachments([(submission.pk, [listed(), listed("b.png", uid="att2", xpath="rep[2]/photo")])], now=LATER)

    assert rows("name", "seen_at", "gone_at") == [("sign.png", NOW, None), ("b.png", LATER, None)]


@pytest.mark.parametrize("now_listed", [[], [listed(is_deleted=True)]])
def test_file_dropped_by_an_edit_or_deleted_is_gone_and_comes_back(target, now_listed):
    submission = make_submission(target)
    note_attachments([(submission.pk, [listed()])], now=NOW)

    note_attachments([(submission.pk, now_listed)], now=LATER)
    assert rows("state", "gone_at") == [("listed", LATER)]
    note_attachments([(submission.pk, now_listed)], now=LATER + timedelta(days=1))
    assert rows("state", "gone_at") == [("listed", LATER)]
    note_attachments([(submission.pk, [listed()])], now=LATER)
    assert rows("state", "gone_at") == [("listed", None)]


def test_edit_that_drops_a_photo_leaves_the_file_that_was_fetched(received, kobo, storage):
    """Recording 05: the dropped photo leaves the list, the other one stays."""
    submission = received(("a.png", "image/png", PNG), ("b.png", "image/png", PNG + b"b"))
    for one in SubmissionAttachment.objects.all():
        assert fetch(one) == "fetched"

    kobo.edit(submission.kobo_id, {"photo0": ""})
    note(kobo, submission, LATER)

    assert rows("name", "state", "gone_at") == [("a.png", "fetched", LATER), ("b.png", "fetched", None)]
    assert len(kept(storage)) == 2


def test_another_file_of_the_same_name_is_fetched_anew_and_replaces_the_old(received, kobo, storage, form):
    submission = received()
    assert fetch(only()) == "fetched"
    old = kept(storage)
    with kobo.database.writing() as db:
        db.execute("UPDATE attachment SET uid = 'attOther', content = ?", (PNG + b"other",))
    known = parse_submission(kobo.row(submission.kobo_id)).attachments[0]
    note_attachments([(submission.pk, [listed(known.name, uid="attOther", xpath=known.xpath)])], now=LATER)
    assert rows("uid", "state") == [("attOther", "listed")]

    with CaptureQueriesContext(connection):
        assert fetch(only()) == "fetched"

    assert only().sha256 == sha256(PNG + b"other").hexdigest()
    assert only().file.name in kept(storage)
    assert only().file.name not in old


def test_uid_that_an_updated_server_adds_makes_no_other_file(target):
    submission = make_submission(target)
    note_attachments([(submission.pk, [listed(uid="")])], now=NOW)
    SubmissionAttachment.objects.update(state="refused", error_code="too_large")

    note_attachments([(submission.pk, [listed(uid="att9")])], now=LATER)

    assert rows("uid", "state", "error_code") == [("att9", "refused", "too_large")]


def test_two_entries_of_one_file_count_once_and_the_one_that_is_there_wins(target):
    submission = make_submission(target)

    note_attachments(
        [(submission.pk, [listed(uid="att2"), listed(uid="att1", is_deleted=True), listed("", uid="att3")])], now=NOW
    )

    assert rows("uid", "name", "gone_at") == [("att2", "sign.png", None)]


@pytest.mark.parametrize("many", [1, 30])
def test_noting_takes_as_many_queries_for_one_submission_as_for_thirty(target, django_assert_num_queries, many):
    submissions = [make_submission(target) for _number in range(many)]
    note_attachments([(one.pk, [listed(), listed("old.png", xpath="old")]) for one in submissions], now=NOW)

    with django_assert_num_queries(5):  # savepoint, what is known, new ones, changed ones, savepoint
        note_attachments([(one.pk, [listed(), listed("new.png", xpath="new")]) for one in submissions], now=LATER)

    assert SubmissionAttachment.objects.count() == 3 * many


NAMES = st.sampled_from(["a.png", "b.png"])
PLACES = st.sampled_from(["photo", "rep[1]/photo"])
LISTS = st.lists(
    st.builds(listed, NAMES, uid=st.sampled_from(["", "att1", "att2"]), xpath=PLACES, is_deleted=st.booleans()),
    max_size=4,
    unique_by=lambda one: (one.xpath, one.name),
)


@given(weeks=st.lists(st.tuples(LISTS, st.sampled_from(["listed", "fetched", "missing", "refused"])), max_size=6))
@settings(max_examples=40)
def test_rows_say_what_kobo_lists_whatever_came_before(target, weeks):
    """Every file that was ever listed has one row; there are those that the last list has; a fetched one keeps its
    file.
    """
    with transaction.atomic():
        submission = make_submission(target)
        ever, last = set(), []
        for number, (files, state) in enumerate(weeks):
            now = NOW + timedelta(days=number)
            note_attachments([(submission.pk, files)], now=now)
            ever |= {(one.xpath, one.name) for one in files}
            last = files
            taken = {"file": "x", "sha256": "x", "size": 1, "fetched_at": now} if state == "fetched" else {}
            SubmissionAttachment.objects.filter(state="listed").update(state=state, **taken)
        there = SubmissionAttachment.objects.there().values_list("xpath", "name")

        assert len(there) == len(set(there))
        assert set(there) == {(one.xpath, one.name) for one in last if not one.is_deleted}
        assert set(rows("xpath", "name")) == ever
        assert not SubmissionAttachment.objects.filter(state="fetched", file="").exists()
        transaction.set_rollback(True)


# --- with the sync


def files_here(form):
    found = SubmissionAttachment.objects.filter(submission__form=form).order_by("name")
    return [(one.name, one.state, one.gone_at is None) for one in found]


def test_sync_notes_files_and_those_that_an_edit_drops_or_that_come_late(kobo, form, answer):
    """Recording 05 (`019` to `021`): the dropped photo leaves the list. Recording 03: the rest comes afterwards."""
    files = [(name, "image/png", PNG) for name in ("a.png", "b.png")]
    kobo_id = kobo.submit(ASSET, answer(one="a.png", two="b.png"), submitted_by="e01", attachments=files)
    late = kobo.submit(ASSET, answer(one="late.png"), submitted_by="e01")

    assert sync(form).outcome == "closed"
    assert files_here(form) == [("a.png", "listed", True), ("b.png", "listed", True)]

    kobo.edit(kobo_id, {"one": ""})
    with kobo.database.writing() as db:
        row, project = kobo._submission(db, late), kobo._project(db, ASSET)
        submissions.attach(db, kobo.form_facts(db, project), row, [("late.png", "image/png", PNG)])
    assert sync(form, full=True).outcome == "closed"

    assert files_here(form) == [("a.png", "listed", False), ("b.png", "listed", True), ("late.png", "listed", True)]
    for one in SubmissionAttachment.objects.there():
        assert fetch(one) == "fetched"


# --- fetching


def test_file_is_fetched_whole_and_kept_under_a_name_of_ours(received, storage):
    received()
    SubmissionAttachment.objects.update(name="../../etc/Жол белгісі.png")
    before = datetime.now(UTC)

    assert fetch(only()) == "fetched"

    row, digest = only(), sha256(PNG).hexdigest()
    assert kept(storage) == [f"submissions/{row.pk // 1000}/{row.pk}-{digest[:16]}.png"] == [row.file.name]
    assert storage.open(row.file.name).read() == PNG
    assert (row.state, row.size, row.sha256, row.error_code) == ("fetched", len(PNG), digest, "")
    assert before <= row.fetched_at <= datetime.now(UTC)


def test_file_that_is_here_is_not_asked_for_again(received, kobo):
    received()
    attachment = only()
    fetch(attachment)
    kobo.misbehave("server_error", times=100)

    assert fetch(attachment) == "fetched"


def test_file_of_an_old_server_is_asked_for_by_its_question(received, storage):
    received()
    SubmissionAttachment.objects.update(uid="")

    assert fetch(only()) == "fetched"
    assert storage.open(only().file.name).read() == PNG


def test_file_of_a_very_old_server_is_found_by_the_answer_that_names_it(received):
    received()
    SubmissionAttachment.objects.update(uid="", xpath="")

    assert fetch(only()) == "fetched"


@pytest.mark.parametrize(
    ("mimetype", "content", "code"),
    [
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "wrong_type"),
        ("text/html", b"<p>hello", "wrong_type"),
        ("application/x-msdownload", b"MZ", "wrong_type"),
        ("image/png", b"%PDF-1.7 a paper that is called a picture", "wrong_type"),
        ("image/jpeg", b"None", "wrong_type"),
        ("image/jpeg", b"MZ\x90\x00 a program", "wrong_type"),
        ("text/plain", b"  <svg onload='x'>", "wrong_type"),
        ("application/pdf", b"", "empty"),
    ],
)
def test_file_of_another_type_is_refused_and_not_kept(received, storage, mimetype, content, code):
    received(("file.bin", mimetype, content))

    assert fetch(only()) == "refused"

    assert rows("state", "error_code", "file") == [("refused", code, "")]
    assert kept(storage) == []


def test_page_in_place_of_the_file_is_a_trouble_of_kobo_and_no_picture(received, storage, kobo):
    received()
    kobo.misbehave("html", path="/attachments/")

    with pytest.raises(KoboUnavailable) as raised:
        fetch(only())

    assert raised.value.code == "not_json"
    assert rows("state", "error_code", "file") == [("listed", "not_json", "")]
    assert kept(storage) == []
    assert fetch(only()) == "fetched"


@pytest.mark.parametrize("most", [len(PNG) - 1, 10])
def test_file_over_the_limit_is_refused_by_what_the_server_says(received, storage, most):
    received()

    assert fetch(only(), most_bytes=most) == "refused"

    assert rows("state", "error_code") == [("refused", "too_large")]
    assert kept(storage) == []


def test_file_over_the_limit_is_refused_while_it_comes_where_the_server_says_nothing(received, storage, monkeypatch):
    received()
    pieces = iter([PNG] * 1_000_000)
    monkeypatch.setattr(service, "iter_pieces", lambda response, seconds: pieces)
    monkeypatch.setattr("requests.structures.CaseInsensitiveDict.get", lambda self, name, default=None: default)

    assert fetch(only(), most_bytes=10 * len(PNG)) == "refused"

    assert rows("state", "error_code") == [("refused", "too_large")]
    assert kept(storage) == []


def test_cut_file_leaves_nothing_and_comes_whole_the_next_time(received, storage, kobo):
    received()
    kobo.misbehave("cut", path="/attachments/")

    with pytest.raises(KoboUnavailable) as raised:
        fetch(only())

    assert (raised.value.code, kept(storage)) == ("connection_cut", [])
    assert rows("state", "error_code", "file", "size") == [("listed", "connection_cut", "", None)]
    assert fetch(only()) == "fetched"
    assert rows("error_code") == [("",)]


def test_file_that_drips_is_given_up_though_every_byte_is_in_time(received, storage, kobo):
    received()
    kobo.misbehave("slow", path="/attachments/", seconds=8)
    started = datetime.now(UTC)

    with pytest.raises(KoboUnavailable) as raised:
        fetch(only(), seconds=0.5)

    assert datetime.now(UTC) - started < timedelta(seconds=4)
    assert (raised.value.code, kept(storage)) == ("timed_out", [])
    assert rows("state", "error_code") == [("listed", "timed_out")]


class FullDisk(InMemoryStorage):
    """As Django's file storage on a full disk: what was written until then stays."""

    error: Exception = OSError(errno.ENOSPC, "No space left on device")

    def _save(self, name, content):
        super()._save(name, type(content)(content.file))
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no_room"),
        (PermissionError(errno.EACCES, "Permission denied"), "not_stored"),
        (RuntimeError("An error occurred (AccessDenied) when calling the PutObject operation"), "not_stored"),
    ],
)
def test_full_disk_leaves_neither_a_file_nor_half_a_row(received, monkeypatch, error, code):
    received()
    full = FullDisk()
    full.error = error
    monkeypatch.setattr(default_storage, "_wrapped", full)

    with pytest.raises(Refused) as raised:
        fetch(only())

    assert (raised.value.code, kept(full)) == (code, [])
    assert rows("state", "error_code", "file", "sha256", "size", "fetched_at") == [("listed", code, "", "", None, None)]
    monkeypatch.setattr(default_storage, "_wrapped", InMemoryStorage())
    assert fetch(only()) == "fetched"


def test_full_disk_of_the_temporary_folder_leaves_nothing_either(received, storage, monkeypatch):
    received()

    def fail(response, seconds):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(service, "iter_pieces", fail)

    with pytest.raises(Refused) as raised:
        fetch(only())

    assert (raised.value.code, kept(storage)) == ("no_room", [])


def test_half_file_of_a_killed_worker_is_replaced(received, storage):
    received()
    digest = sha256(PNG).hexdigest()
    name = f"submissions/{only().pk // 1000}/{only().pk}-{digest[:16]}.png"
    with storage.open(name, "wb") as half:
        half.write(PNG[:9])

    assert fetch(only()) == "fetched"

    assert kept(storage) == [name]
    assert storage.open(name).read() == PNG


def test_file_deleted_at_kobo_is_missing_and_noted_as_gone(received, kobo, kobo_url, form):
    """Recordings 12: it stays listed with `is_deleted`, its download is 404."""
    received()
    with client_of(form) as client:
        client.connection.send_object(
            "DELETE", f"/api/v2/assets/{ASSET}/attachments/{only().uid}/", expected=(204,), missing="no_file"
        )

    assert fetch(only()) == "missing"

    assert rows("state", "error_code") == [("missing", "no_file")]
    assert only().gone_at is not None


def test_file_of_a_submission_that_is_deleted_at_kobo_is_missing(received, kobo):
    submission = received()
    kobo.delete(submission.kobo_id)

    assert fetch(only()) == "missing"


def test_file_behind_a_lost_right_is_not_missing(received, kobo, form):
    """Recordings 12: no right is a 404 too. A person has to act; the file may well be there."""
    received()
    form.server.token = kobo.create_user("field_viewer")
    form.server.save(update_fields=["token"])

    with pytest.raises(KoboRejected) as raised:
        fetch(only())

    assert raised.value.code == "no_project"
    assert rows("state", "error_code", "gone_at") == [("listed", "no_project", None)]


def test_missing_file_that_kobo_lists_again_can_be_fetched_again(target):
    submission = make_submission(target)
    note_attachments([(submission.pk, [listed()])], now=NOW)
    note_attachments([(submission.pk, [])], now=NOW)
    SubmissionAttachment.objects.update(state="missing", error_code="no_file")

    note_attachments([(submission.pk, [listed()])], now=LATER)

    assert rows("state", "error_code", "gone_at") == [("listed", "", None)]


def test_file_lost_by_the_storage_is_at_kobo_again(received, storage):
    received()
    fetch(only())
    storage.delete(only().file.name)

    forget_file(only())

    assert rows("state", "file", "sha256", "size", "fetched_at") == [("listed", "", "", None, None)]
    assert fetch(only()) == "fetched"


# --- the token


def test_token_goes_to_no_other_host_and_into_no_log(received, kobo, form, httpserver, caplog):
    """Not to the address that the row names, nor where a redirect leads."""
    caplog.set_level(logging.DEBUG)
    submission = received()
    elsewhere = Attachment("att1", "sign.png", "image/png", "photo0", httpserver.url_for("/steal"), is_deleted=False)
    note_attachments([(submission.pk, [elsewhere])], now=LATER)
    httpserver.expect_request("/steal").respond_with_data(PNG, content_type="image/png")
    with client_of(form) as client, pytest.MonkeyPatch.context() as patch:
        from_kobo = client.connection._session.request

        def redirect(method, url, **options):
            response = from_kobo(method, url, **options)
            if "/attachments/" in url:
                response.status_code = 302
                response.headers["Location"] = httpserver.url_for("/steal")
            return response

        patch.setattr(client.connection._session, "request", redirect)
        with pytest.raises(KoboRejected) as raised:
            fetch_attachment(only(), client=client)

    assert (raised.value.code, httpserver.log) == ("redirected", [])
    assert form.server.token not in caplog.text + repr(raised.value) + str(raised.value)
    assert rows("state", "error_code") == [("listed", "redirected")]


# --- two at once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("uid", ["", "attAnother"])
def test_sync_does_not_wait_for_a_storage_that_takes_its_time(received, storage, monkeypatch, uid):
    received()
    store, pk = service._store, only().pk

    def meanwhile():
        with transaction.atomic():
            row = SubmissionAttachment.objects.select_for_update(nowait=True).get(pk=pk)
            row.uid = uid or row.uid
            row.save(update_fields=["uid"])

    def take_time(name, content):
        store(name, content)
        assert in_another_connection(meanwhile) is None

    monkeypatch.setattr(service, "_store", take_time)
    state = fetch(only())

    # A file that another one has replaced meanwhile is not kept under the other's name.
    assert (state, len(kept(storage))) == (("listed", 0) if uid else ("fetched", 1))


@pytest.mark.django_db(transaction=True)
def test_two_who_open_one_file_at_once_end_with_one_file(received, storage, monkeypatch):
    received()
    both = threading.Barrier(2)
    download = service._download

    def together(*args, **options):
        whole = download(*args, **options)
        both.wait(10)
        return whole

    monkeypatch.setattr(service, "_download", together)

    ended = at_once(lambda: fetch(only()), lambda: fetch(only()))

    assert ended == ["fetched", "fetched"]
    assert kept(storage) == [only().file.name]
    assert storage.open(only().file.name).read() == PNG


@pytest.mark.django_db(transaction=True)
def test_file_is_fetched_while_a_sync_notes_the_same_row(received, kobo, storage):
    submission = received()

    ended = at_once(lambda: fetch(only()), *[lambda: note(kobo, submission, LATER)] * 3)

    assert ended == ["fetched", None, None, None]
    assert rows("state", "gone_at") == [("fetched", None)]
    assert kept(storage) == [only().file.name]


# --- by rule


@pytest.fixture
def always(form):
    form.fetch_media = "always"
    form.save(update_fields=["fetch_media"])
    return form


def due(form, **options):
    with client_of(form) as client:
        return fetch_due_attachments(form, client=client, pause=0, **options)


def test_rule_fetches_what_is_not_here_yet_and_nothing_twice(always, received):
    received()
    received(("a.png", "image/png", PNG), ("b.html", "text/html", b"<p>"))

    assert forms_with_due_attachments() == [always.pk]
    assert due(always, limit=1) == {"fetched": 1}
    assert due(always) == {"fetched": 1, "refused": 1}
    assert due(always) == {}
    assert forms_with_due_attachments() == []


@pytest.mark.parametrize("rule", ["asked", "never"])
def test_rule_of_another_form_fetches_nothing(form, received, rule):
    KoboForm.objects.update(fetch_media=rule)
    form.refresh_from_db()
    received()

    assert (forms_with_due_attachments(), due(form)) == ([], {})
    assert rows("state") == [("listed",)]


def test_rule_leaves_out_what_is_gone_at_kobo(always, received):
    received()
    SubmissionAttachment.objects.update(gone_at=NOW)
    received()
    KoboSubmission.objects.filter(attachments__gone_at=None).update(deleted_at=NOW)

    assert (forms_with_due_attachments(), due(always)) == ([], {})


def test_rule_tries_first_what_has_not_failed_yet(always, received, kobo):
    received(("a.png", "image/png", PNG))
    SubmissionAttachment.objects.update(error_code="timed_out")
    received(("b.png", "image/png", PNG))

    assert due(always, limit=1) == {"fetched": 1}
    assert rows("name", "state") == [("a.png", "listed"), ("b.png", "fetched")]


def test_rule_stops_when_kobo_keeps_failing(always, received, kobo):
    for _number in range(5):
        received()
    kobo.misbehave("unavailable", times=100, path="/attachments/")

    assert due(always) == {"failed": 3}


def test_rule_stops_at_once_when_there_is_no_room(always, received, monkeypatch):
    for _number in range(3):
        received()
    monkeypatch.setattr(default_storage, "_wrapped", FullDisk())

    assert due(always) == {"failed": 1}


@pytest.mark.django_db(transaction=True)
def test_second_worker_leaves_the_form_to_the_first(always, received):
    received()
    with service._one_at_a_time(always) as is_first:
        assert is_first
        assert at_once(lambda: due(always)) == [{}]
    assert due(always) == {"fetched": 1}


def test_beat_gives_forms_with_files_to_fetch_to_workers(always, received, monkeypatch):
    queued = []
    monkeypatch.setattr(fetch_form_files, "apply_async", lambda args, **options: queued.append(args))
    assert (fetch_due_files(), queued) == (0, [])
    received()

    assert (fetch_due_files(), queued) == (1, [(always.pk,)])
    assert fetch_form_files(always.pk) == {"fetched": 1}


def test_worker_tells_what_a_person_has_to_act_on(always, received, kobo):
    received()
    kobo.revoke(ASSET, ACCOUNT)
    always.server.token = "0123456789wrong"
    always.server.save(update_fields=["token"])

    assert fetch_form_files(always.pk) == "bad_token"
    assert fetch_form_files(always.pk + 1) == "gone"
    assert rows("state", "error_code") == [("listed", "bad_token")]
