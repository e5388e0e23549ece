"""A status that somebody set at Kobo, on the page of the form: read, answered, on a phone and on a desk."""

import pytest
from django.utils import timezone

from assessments.models import KoboSubmission, StatusPush
from assessments.services.review import return_submission
from tests.factories.assessments import RoundTargetFactory, make_submission

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def submission(village, sub_area, enumerator, coordinator):
    """Returned by us; Kobo refused to hear of it, and somebody there set another status."""
    found = make_submission(RoundTargetFactory(unit=village, form_kind=sub_area), enumerator=enumerator)
    return_submission(found, reviewer=coordinator, reason="other", text="Look again")
    KoboSubmission.objects.update(
        kobo_status="validation_status_not_approved", kobo_status_by="aliya", kobo_status_at=timezone.now()
    )
    StatusPush.objects.update(
        state="failed",
        finished_at=timezone.now(),
        error_code="forbidden",
        error_params={"host": "kobo.example.org", "status": 403},
        tries=1,
    )
    return found


@pytest.mark.parametrize("width", [390, 1280])
def test_reviewer_answers_what_was_set_at_kobo(visit, submission, coordinator, width):
    visitor = visit(coordinator)
    start = f"/admin/assessments/kobosubmission/{submission.pk}"
    visitor.show("/admin/assessments/statuspush/", width=width, name="decisions")
    visitor.show(f"/admin/assessments/koboform/{submission.form_id}/change/", width=width, name="form-decisions")
    page = visitor.show(f"{start}/change/", width=width, name="proposal")
    page.get_by_role("button", name="Take it over: reject").click()
    assert page.get_by_label("What is wrong").input_value().startswith("At Kobo, aliya set “Not approved”")
    visitor.look("take-over", width=width)
    page.goto(page.url.replace(f"{start}/do/take_over/", f"{start}/change/"))
    page.get_by_role("button", name="Keep ours").click()
    page.get_by_text("Keep ours: done for 1 of 1.").wait_for()

    assert StatusPush.objects.filter(state="pending").count() == 1
