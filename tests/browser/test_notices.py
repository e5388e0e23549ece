"""The page where Kobo's notices are set up, in a browser."""

import pytest

from assessments.services.kobo_hooks import open_hook, take_delivery
from tests.browser.conftest import WIDTHS
from tests.factories.assessments import KoboFormFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_notices_are_switched_on_and_their_secret_is_there_to_copy(visit, administrator, width):
    form = KoboFormFactory()
    seen = visit(administrator, script=False)
    page = seen.show(f"/admin/assessments/koboform/{form.pk}/notices/", width=width, name="notices_off")

    page.get_by_role("button", name="Switch on, I set it up by hand").click()

    form.refresh_from_db()
    assert page.get_by_text(form.hook_secret).is_visible()
    take_delivery(form, b'{"_id": 12346}')
    take_delivery(form, b"<xml/>")
    seen.show(f"/admin/assessments/koboform/{form.pk}/notices/", width=width, name="notices_on")
    assert page.get_by_role("cell", name="12346").is_visible()
    for button in page.locator("#content button").all():
        assert button.bounding_box()["height"] >= 44


@pytest.mark.parametrize("width", WIDTHS)
def test_form_page_says_that_notices_are_on(visit, administrator, width):
    form = open_hook(KoboFormFactory(), by=administrator)
    take_delivery(form, b'{"_id": 12346}')

    page = visit(administrator).show(f"/admin/assessments/koboform/{form.pk}/change/", width=width, name="form_notices")

    page.get_by_role("link", name="Address, secret and switch").click()
    assert page.get_by_text("Endpoint URL").is_visible()
