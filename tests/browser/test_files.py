"""Pictures of a submission on its review page, on a phone and on a laptop."""

import struct
import zlib

import pytest
from django.core.files.storage import InMemoryStorage, default_storage
from django.utils import timezone

from tests.browser.conftest import WIDTHS
from tests.factories.assessments import RoundTargetFactory, make_attachment, make_submission

pytestmark = pytest.mark.django_db(transaction=True)


def draw(width: int, height: int, shade: int) -> bytes:
    """A grey picture as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + bytes((shade + line) % 256 for _pixel in range(width)) for line in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture
def submission(village, sub_area, enumerator, monkeypatch):
    monkeypatch.setattr(default_storage, "_wrapped", InMemoryStorage())
    target = RoundTargetFactory(unit=village, form_kind=sub_area)
    answers = {"total": "10", "men": "6", "women": "4", "rep": [{"rep/photo": "1669012345678_never_came.jpg"}]}
    made = make_submission(target, enumerator=enumerator, answers=answers)
    make_attachment(made, xpath="place/sign", name="sign.png", content=draw(800, 600, 60))
    make_attachment(made, xpath="place/yard", name="yard.png", content=draw(300, 500, 140), gone_at=timezone.now())
    make_attachment(made, xpath="place/film", name="film_of_the_market.mp4", mimetype="video/mp4", state="refused",
                    error_code="too_large")  # fmt: skip
    make_attachment(made, xpath="place/late", name="late.jpg", mimetype="image/jpeg", state="missing",
                    error_code="no_file", gone_at=timezone.now())  # fmt: skip
    make_attachment(made, xpath="place/listed", name="listed.jpg", mimetype="image/jpeg")
    return made


@pytest.mark.parametrize("width", WIDTHS)
def test_reviewer_sees_the_pictures_and_opens_one(visit, coordinator, submission, width):
    seen = visit(coordinator, script=False)

    page = seen.show(f"/admin/assessments/kobosubmission/{submission.pk}/change/", width=width, name="review_files")
    pictures = page.locator(".files img")
    for number in range(pictures.count()):
        pictures.nth(number).scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")

    assert pictures.count() == 2
    assert page.evaluate("[...document.querySelectorAll('.files img')].every(one => one.naturalWidth > 0)")
    assert page.locator(".files .file").first.bounding_box()["height"] >= 44
    page.locator(".files a.file", has_text="sign.png").click()
    assert page.evaluate("document.images[0].naturalWidth") == 800
    # A picture on its own names no icon, so Chromium asks for one.
    seen.complaints = [one for one in seen.complaints if "favicon" not in one and "404 (Not Found)" not in one]


@pytest.mark.parametrize("width", WIDTHS)
def test_reviewer_reads_why_a_file_is_not_here(visit, coordinator, submission, width):
    seen = visit(coordinator, script=False)
    missing = submission.attachments.get(name="late.jpg")

    page = seen.show(f"/kobo/attachments/{missing.pk}/", width=width, name="file_missing")

    assert page.get_by_role("alert").inner_text() == "Kobo has no such file any more, or has never received it whole."
    assert page.get_by_role("link", name="Ask Kobo again").bounding_box()["height"] >= 44
    page.get_by_role("link", name="Back to the form").click()
    assert page.locator(".files").count() == 1
    # The page itself is "not found", and the browser says so.
    seen.complaints = [
        one for one in seen.complaints if f"/kobo/attachments/{missing.pk}/" not in one and "404" not in one
    ]
