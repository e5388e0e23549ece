"""The mapping of a form in a browser: without a script, on a phone, in three languages, by keyboard."""

import json

import pytest
from django.utils import timezone

from assessments.kobo.forms import form_content, read_mapping
from assessments.models import KoboForm, KoboFormVersion
from tests.browser.conftest import LANGUAGES, WIDTHS
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, make_submission

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def form(village, sub_area):
    target = RoundTargetFactory(unit=village, form_kind=sub_area)
    form = KoboFormFactory(
        round=target.round, form_kind=sub_area, mapping=read_mapping("baseline_sub_area"), name="Sub-area"
    )
    KoboFormVersion.objects.create(
        form=form, uid="vFirst", first_seen_at=timezone.now(), content=form_content("baseline_sub_area")
    )
    known = {"head/sub_area": village.unit_id, "head/session_date": "2022-11-20", "head/enumerator": "E01"}
    for answers in (
        {"people/present_total": "0", "profile/sex/sex_known": "dk"},
        {"people/present_total": "120", "profile/sex/sex_known": "yes", "profile/sex/sex_male": "70"},
        {"people/present_total": "many"},
    ):
        make_submission(target, form=form, answers=known | answers)
    return form


@pytest.fixture
def page_of(visit, administrator, form):
    def open_page(*, width=1280, name="mapping", **options):
        return visit(administrator, **options).show(
            f"/admin/assessments/koboform/{form.pk}/mapping/", width=width, name=name
        )

    return open_page


def row(page, number):
    return page.locator(f"#row-{number}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_editor_fits_and_shows_the_three_apart(page_of, width, language):
    page = page_of(width=width, name=f"mapping_{language}", language=language)

    cells = page.locator("table.preview tbody tr:not(.head)").first.locator("td").all_inner_texts()
    assert (cells[1].strip(), cells[2].strip()) == ("120", "0")
    assert page.locator("#preview .flags li").count() == 1
    small = [
        box["height"]
        for one in page.locator(".mapping button, .mapping summary").all()
        if one.is_visible() and (box := one.bounding_box())
    ]
    assert min(small) >= 44


@pytest.mark.parametrize("script", [True, False])
def test_row_is_added_checked_previewed_and_saved(page_of, form, script):
    page = page_of(width=390, script=script)
    number = len(form.mapping["figures"])

    page.get_by_role("button", name="Add a row").click()
    row(page, number).wait_for()
    row(page, number).get_by_label("Figure", exact=True).select_option("migration_type=other")
    page.get_by_role("button", name="Save").first.click()
    row(page, number).locator(".errorlist").wait_for()

    assert row(page, number).locator(".errorlist li").all_inner_texts() == ["Question has the wrong type"]
    assert row(page, number).get_by_label("Figure", exact=True).input_value() == "migration_type=other"
    assert KoboForm.objects.get(pk=form.pk).mapping == form.mapping

    row(page, number).get_by_label("Figure", exact=True).select_option("reason")
    row(page, number).locator("summary").click() if not row(page, number).get_by_label(
        "The same in"
    ).is_visible() else None
    row(page, number).get_by_label("The same in every form").fill("1")
    page.get_by_role("button", name="Check and preview").first.click()
    page.locator("table.preview").wait_for()
    assert KoboForm.objects.get(pk=form.pk).mapping == form.mapping
    page.get_by_role("button", name="Save").first.click()
    page.locator(".messagelist .success").wait_for()

    saved = KoboForm.objects.get(pk=form.pk).mapping
    assert saved["figures"] == [*form.mapping["figures"], {"indicator": "reason", "constant": 1}]
    assert {key: saved[key] for key in saved if key != "figures"} == {
        key: form.mapping[key] for key in form.mapping if key != "figures"
    }


def test_json_is_taken_over_into_the_rows_by_keyboard(page_of, form):
    page = page_of()
    mapping = {"schema": 1, "figures": [{"indicator": "present", "path": ["people/present_total"]}]}

    page.locator("#json summary").focus()
    page.keyboard.press("Enter")
    page.locator("#json textarea").fill(json.dumps(mapping))
    page.locator("#json button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('.mapping-row').length === 1")
    page.get_by_role("button", name="Save").first.focus()
    page.keyboard.press("Enter")
    page.locator(".messagelist .success").wait_for()

    assert KoboForm.objects.get(pk=form.pk).mapping == mapping
