"""The section of a form's page that says which focus groups phones have, in a browser."""

from datetime import UTC, datetime

import pytest

from assessments.models import AssignmentList
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from tests.browser.conftest import WIDTHS
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2022, 12, 1, 9, tzinfo=UTC)


@pytest.fixture
def form(village, sub_area, enumerator):
    target = RoundTargetFactory(unit=village, form_kind=sub_area)
    assign_enumerator(plan_focus_group(target), enumerator)
    form = KoboFormFactory(round=target.round, form_kind=target.form_kind)
    AssignmentList.objects.create(
        form=form,
        md5="0" * 32,
        lines=41,
        published_at=AT,
        checked_at=AT,
        error_code="undeployed_changes",
        error_params={"host": "kobo.example.org", "asset_uid": "aX7"},
    )
    return form


@pytest.mark.parametrize("width", WIDTHS)
def test_page_says_what_phones_have(visit, administrator, form, width):
    page = visit(administrator).show(f"/admin/assessments/koboform/{form.pk}/change/", width=width, name="phone_list")

    section = page.locator("section", has_text="Focus groups on phones").last
    assert "Phones have a list with 41 lines" in section.inner_text()
    assert "that nobody has deployed" in section.inner_text()
    button = page.get_by_role("button", name="Send focus groups to phones")
    assert button.bounding_box()["height"] >= 44
