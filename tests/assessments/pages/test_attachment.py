"""The page of one file: who gets it, how it is sent, and what is said instead."""

import pytest
from django.core.files.storage import InMemoryStorage, default_storage

from assessments.models import KoboForm, SubmissionAttachment
from tests.factories.assessments import make_attachment, make_submission
from tests.practice import *  # noqa: F403  fixtures are found by name
from tests.practice import ASSET

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 20


@pytest.fixture(autouse=True)
def storage(monkeypatch):
    fresh = InMemoryStorage()
    monkeypatch.setattr(default_storage, "_wrapped", fresh)
    return fresh


@pytest.fixture
def submission(target, form, enumerator):
    return make_submission(target, form=form, enumerator=enumerator)


@pytest.fixture
def here(submission):
    """Fetched already."""
    return make_attachment(submission, content=PNG)


@pytest.fixture
def at_kobo(kobo, form, target, answer):
    """Listed, and there to be had."""
    kobo_id = kobo.submit(
        ASSET, answer(photo="sign.png"), submitted_by="e01", attachments=[("sign.png", "image/png", PNG)]
    )
    submission = make_submission(target, form=form, kobo_id=kobo_id)
    return make_attachment(submission, uid=kobo.row(kobo_id)["_attachments"][0]["uid"])


def address(attachment, asked=""):
    return f"/kobo/attachments/{attachment.pk}/{asked}"


def body(response):
    return b"".join(response.streaming_content)


def state(attachment):
    attachment.refresh_from_db()
    return attachment.state, attachment.error_code


@pytest.mark.parametrize("who", ["administrator", "manager", "coordinator", "enumerator"])
def test_file_is_shown_to_whoever_may_see_the_submission(client, request, here, who):
    person = request.getfixturevalue(who)
    client.force_login(getattr(person, "user", person))

    response = client.get(address(here))

    assert (response.status_code, body(response)) == (200, PNG)


@pytest.mark.parametrize("who", ["other_coordinator", "stranger"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_file_is_not_found_by_anybody_else(client, request, here, who, method):
    client.force_login(request.getfixturevalue(who))

    assert getattr(client, method)(address(here)).status_code == 404


def test_file_out_of_reach_is_not_even_asked_for_at_kobo(client, other_coordinator, at_kobo, kobo):
    client.force_login(other_coordinator)

    assert client.get(address(at_kobo)).status_code == 404
    assert state(at_kobo) == ("listed", "")


def test_nobody_gets_a_file_without_log_in(client, here):
    assert client.get(address(here)).headers["Location"] == f"/log-in/?next={address(here)}"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_file_is_only_read(client, manager, here, method):
    client.force_login(manager)

    assert getattr(client, method)(address(here)).status_code == 405


@pytest.mark.parametrize(
    ("name", "kept_as", "content_type", "disposition"),
    [
        ("sign.png", "png", "image/png", 'inline; filename="sign.png"'),
        ("sign.JPEG", "jpg", "image/jpeg", 'inline; filename="sign.JPEG"'),
        ("sign.heic", "heic", "image/heic", 'attachment; filename="sign.heic"'),
        ("evil.html", "png", "image/png", 'inline; filename="evil.html.png"'),
        ("plan.xlsx", "zip", "application/zip", 'attachment; filename="plan.xlsx"'),
        ("paper.pdf", "pdf", "application/pdf", 'attachment; filename="paper.pdf"'),
        ('a"\r\nX: y.mp3', "mp3", "audio/mpeg", 'attachment; filename="a___X: y.mp3"'),
    ],
)
def test_only_pictures_that_every_browser_draws_open_in_the_page(
    client, manager, submission, storage, name, kept_as, content_type, disposition
):
    attachment = make_attachment(submission, name="x." + kept_as, content=PNG)
    SubmissionAttachment.objects.update(name=name)
    client.force_login(manager)

    headers = client.get(address(attachment)).headers

    assert (headers["Content-Type"], headers["Content-Disposition"]) == (content_type, disposition)
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "private, max-age=3600")
    policy = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox"
    assert headers["Content-Security-Policy"] == policy


def test_file_at_kobo_is_fetched_when_somebody_opens_it(client, coordinator, at_kobo):
    client.force_login(coordinator)

    response = client.get(address(at_kobo))

    assert (response.status_code, body(response)) == (200, PNG)
    assert state(at_kobo) == ("fetched", "")


def test_file_of_a_form_that_fetches_none_says_so_and_asks_nothing(client, manager, at_kobo, kobo):
    KoboForm.objects.update(fetch_media="never")
    client.force_login(manager)

    response = client.get(address(at_kobo))

    assert response.status_code == 404
    assert "Pictures and files of this form are not fetched" in response.content.decode()
    assert "Ask Kobo again" not in response.content.decode()
    assert state(at_kobo) == ("listed", "")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("unavailable", "is not available at the moment (HTTP 503)"),
        ("cut", "broke in the middle of an answer"),
        ("html", "answered with a page instead of data"),
    ],
)
def test_trouble_of_kobo_is_told_in_words_with_a_way_to_try_again(client, manager, at_kobo, kobo, fault, words):
    kobo.misbehave(fault, path="/attachments/")
    client.force_login(manager)

    response = client.get(address(at_kobo))

    page = response.content.decode()
    assert (response.status_code, words in page, f'href="{address(at_kobo, "?again=1")}"' in page) == (503, True, True)
    assert response.headers["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert at_kobo.submission.server.token not in page
    assert client.get(address(at_kobo, "?again=1")).status_code == 200


def test_token_that_kobo_refuses_is_for_a_person_to_mend(client, manager, at_kobo, form):
    form.server.token = "0123456789wrong"
    form.server.save(update_fields=["token"])
    client.force_login(manager)

    response = client.get(address(at_kobo))

    page = response.content.decode()
    assert (response.status_code, "does not accept the token" in page, "Ask Kobo again" in page) == (502, True, False)
    assert "0123456789wrong" not in page


def test_missing_file_is_told_and_asked_for_again_on_demand(client, manager, at_kobo):
    SubmissionAttachment.objects.update(state="missing", error_code="no_file")
    client.force_login(manager)

    told = client.get(address(at_kobo))

    assert (told.status_code, "Kobo has no such file any more" in told.content.decode()) == (404, True)
    assert state(at_kobo) == ("missing", "no_file")
    assert body(client.get(address(at_kobo, "?again=1"))) == PNG


def test_refused_file_is_told_with_the_reason(client, manager, at_kobo):
    SubmissionAttachment.objects.update(mimetype="image/svg+xml")
    client.force_login(manager)

    response = client.get(address(at_kobo))

    assert (response.status_code, "not of a type that is taken over" in response.content.decode()) == (404, True)
    assert state(at_kobo) == ("refused", "wrong_type")


def test_file_that_the_storage_has_lost_is_fetched_again(client, manager, at_kobo, storage):
    client.force_login(manager)
    body(client.get(address(at_kobo)))
    storage.delete(SubmissionAttachment.objects.get().file.name)

    assert body(client.get(address(at_kobo))) == PNG


@pytest.mark.parametrize("change", ["gone", "never"])
def test_lost_file_that_cannot_be_had_again_keeps_its_row_for_the_backup(client, manager, here, storage, change):
    storage.delete(here.file.name)
    if change == "gone":
        SubmissionAttachment.objects.update(gone_at=here.seen_at)
    else:
        KoboForm.objects.update(fetch_media="never")
    client.force_login(manager)

    response = client.get(address(here))

    assert (response.status_code, "is not found where files are kept" in response.content.decode()) == (404, True)
    assert state(here) == ("fetched", "")
    assert here.file.name


def test_full_disk_is_told_in_words(client, manager, at_kobo, monkeypatch):
    class Full(InMemoryStorage):
        def _save(self, name, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(default_storage, "_wrapped", Full())
    client.force_login(manager)

    response = client.get(address(at_kobo))

    assert (response.status_code, "there is no room left" in response.content.decode()) == (503, True)


@pytest.mark.parametrize("many", [1, 3])
def test_file_takes_as_many_queries_whatever_else_the_submission_has(
    client, manager, here, submission, many, django_assert_num_queries
):
    for number in range(many):
        make_attachment(submission, uid=f"more{number}", xpath=f"more{number}", content=PNG)
    client.force_login(manager)

    with django_assert_num_queries(4):  # session, user, scope, file
        client.get(address(here))
