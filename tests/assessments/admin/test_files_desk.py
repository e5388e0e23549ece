"""The files of a submission on its review page, and the rule by which a form's files are fetched."""

import pytest
from django.core.files.storage import InMemoryStorage, default_storage
from django.utils import timezone
from django.utils.html import escape

from assessments.models import KoboForm, KoboFormVersion, SubmissionAttachment
from assessments.selectors.attachments import ListedFile, files_of
from tests.factories.assessments import RoundTargetFactory, make_attachment, make_submission

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 20


@pytest.fixture(autouse=True)
def storage(monkeypatch):
    monkeypatch.setattr(default_storage, "_wrapped", InMemoryStorage())


@pytest.fixture
def submission(village, sub_area, enumerator):
    target = RoundTargetFactory(unit=village, form_kind=sub_area)
    answers = {"total": "10", "sign": "sign.png", "note": "see a.jpg", "rep": [{"rep/photo": "late.jpg"}]}
    return make_submission(target, enumerator=enumerator, answers=answers)


def files(submission):
    return files_of(submission, kind=submission.form.form_kind.code)


def page(client, submission):
    return client.get(f"/admin/assessments/kobosubmission/{submission.pk}/change/").content.decode()


def test_files_are_told_with_their_question_and_state(submission):
    gone = timezone.now()
    here = make_attachment(submission, xpath="sign", content=PNG)
    old = make_attachment(submission, xpath="rep[2]/photo", name="old.jpg", state="missing", gone_at=gone)

    assert files(submission) == [
        ListedFile("rep/photo (row 2)", "old.jpg", "missing", pk=old.pk, gone_at=gone),
        ListedFile("sign", "sign.png", "fetched", pk=here.pk, size=len(PNG), is_shown=True),
        ListedFile("note", "see a.jpg", "missing"),
        ListedFile("rep/photo (row 1)", "late.jpg", "missing"),
    ]


def test_questions_of_the_form_say_which_answers_name_a_file(submission):
    content = {"survey": [{"type": "image", "$xpath": "rep/photo"}, {"type": "text", "$xpath": "note"}]}
    version = KoboFormVersion.objects.create(
        form=submission.form, uid="v1", first_seen_at=timezone.now(), content=content
    )
    submission.current_revision.form_version = version
    submission.current_revision.save(update_fields=["form_version"])

    assert files(submission) == [ListedFile("rep/photo (row 1)", "late.jpg", "missing")]


def test_file_that_comes_late_takes_the_place_of_the_one_that_never_came(submission):
    late = make_attachment(submission, xpath="rep[1]/photo", name="late.jpg", mimetype="image/jpeg")

    assert [(one.name, one.state, one.pk) for one in files(submission) if one.name == "late.jpg"] == [
        ("late.jpg", "listed", late.pk)
    ]


def test_large_picture_is_a_link(submission):
    make_attachment(submission, content=PNG)
    SubmissionAttachment.objects.update(size=3 * 1024 * 1024)

    assert [one.is_shown for one in files(submission) if one.pk] == [False]


@pytest.mark.parametrize("many", [1, 3])
def test_files_take_one_query_however_many(submission, many, django_assert_num_queries):
    for number in range(many):
        make_attachment(submission, xpath=f"photo{number}", content=PNG)
    submission.refresh_from_db()
    assert (submission.current_revision.form_version, submission.form.form_kind.code) == (None, "baseline_sub_area")

    with django_assert_num_queries(1):
        assert len(files(submission)) >= many


def test_review_page_shows_pictures_links_and_what_never_came(client, coordinator, submission):
    shown = make_attachment(submission, xpath="sign", content=PNG)
    refused = make_attachment(
        submission, xpath="film", name="film.mp4", mimetype="video/mp4", state="refused", error_code="too_large"
    )
    make_attachment(submission, xpath="x", name="x.png", error_code="timed_out")
    client.force_login(coordinator)

    told = page(client, submission)

    assert f'<img src="/kobo/attachments/{shown.pk}/"' in told
    assert f'href="/kobo/attachments/{refused.pk}/"' in told
    for words in (
        "The file is larger than what is taken over.",
        "Kobo did not give the file the last time. Open it to try again.",
        "The answer names this file, but Kobo has not received it.",
    ):
        assert escape(words) in told


def test_review_page_of_a_form_that_fetches_no_files_links_only_what_is_here(client, coordinator, submission):
    here = make_attachment(submission, xpath="sign", content=PNG)
    there = make_attachment(submission, xpath="b", name="b.png")
    KoboForm.objects.update(fetch_media="never")
    client.force_login(coordinator)

    told = page(client, submission)

    assert f"/kobo/attachments/{here.pk}/" in told
    assert f"/kobo/attachments/{there.pk}/" not in told
    assert "Pictures and files of this form are not fetched" in told


def test_review_page_without_files_has_no_section(client, coordinator, village, sub_area):
    submission = make_submission(RoundTargetFactory(unit=village, form_kind=sub_area))
    client.force_login(coordinator)

    assert "Pictures and files" not in page(client, submission)


def test_administrator_chooses_when_files_are_fetched(client, administrator, submission):
    form = submission.form
    client.force_login(administrator)
    address = f"/admin/assessments/koboform/{form.pk}/change/"
    shown = client.get(address).context["adminform"].form

    assert "fetch_media" in shown.fields
    posted = {name: shown[name].value() for name in shown.fields if shown[name].value() not in (None, False)}
    response = client.post(address, {**posted, "fetch_media": "always"})

    assert response.status_code == 302
    form.refresh_from_db()
    assert form.fetch_media == "always"


@pytest.mark.parametrize("who", ["manager", "coordinator"])
def test_nobody_else_chooses_when_files_are_fetched(client, request, submission, who):
    client.force_login(request.getfixturevalue(who))

    client.post(f"/admin/assessments/koboform/{submission.form_id}/change/", {"fetch_media": "always"})

    assert KoboForm.objects.get().fetch_media == "asked"
