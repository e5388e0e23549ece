"""The page of a Kobo form in a browser: a run that goes on, the stop button, the ledger, deletions let through."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from assessments.models import KoboForm, SyncRun
from assessments.querysets import SYNC_LOCK
from tests.browser.conftest import LANGUAGES, WIDTHS
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, make_submission

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def form(village, sub_area):
    target = RoundTargetFactory(unit=village, form_kind=sub_area)
    form = KoboFormFactory(round=target.round, form_kind=sub_area, name="Sub-area", swept_at=timezone.now())
    for kobo_id in (120_001, 120_002, 120_003):
        make_submission(target, form=form, kobo_id=kobo_id)
    end_run(form, hours=2, outcome="closed", at_kobo=3, here=3, new=2, unchanged=1, is_sweep=True, requests=4)
    return form


def end_run(form, *, hours=1, **columns):
    at = timezone.now() - timedelta(hours=hours)
    return SyncRun.objects.create(form=form, trigger="beat", started_at=at, finished_at=at, **columns)


@pytest.fixture
def running(form, manager):
    """A run of a worker that lives: it holds the form's lock."""
    run = SyncRun.objects.create(
        form=form,
        trigger="button",
        by=manager,
        started_at=timezone.now(),
        step="sweep",
        done=4200,
        expected=10_000,
        new=3,
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [SYNC_LOCK, form.pk])
        yield run
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [SYNC_LOCK, form.pk])


def address(form):
    return f"/admin/assessments/koboform/{form.pk}/change/"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_page_of_a_running_sync_fits_and_shows_how_far_it_is(visit, coordinator, form, running, width, language):
    page = visit(coordinator, language=language).show(address(form), width=width, name=f"sync_running_{language}")

    assert page.locator("#progress").evaluate("bar => [bar.value, bar.max]") == [4200, 10_000]
    small = [one.bounding_box()["height"] for one in page.locator("#sync button, .contents a").all()]
    assert min(small) >= 44


def test_progress_moves_by_itself_and_the_page_says_when_the_run_is_over(visit, coordinator, form, running):
    page = visit(coordinator).show(address(form), name="sync_moves")

    page.locator("#stop").focus()
    SyncRun.objects.filter(pk=running.pk).update(done=9000)
    page.locator("#progress[value='9000']").wait_for()
    assert page.evaluate("document.activeElement.id") == "stop"

    SyncRun.objects.filter(pk=running.pk).update(
        outcome="closed", finished_at=timezone.now(), at_kobo=3, here=3, unchanged=3, new=0
    )
    page.locator("#progress").wait_for(state="detached")
    assert "up to date" in page.locator("#sync .state").inner_text()
    assert page.evaluate("document.activeElement.id") == "sync"


@pytest.mark.parametrize("script", [True, False])
def test_run_is_stopped_by_keyboard_with_and_without_a_script(visit, coordinator, form, running, script):
    page = visit(coordinator, script=script).show(address(form), width=390, name=f"sync_stop_{script}")

    page.locator("#stop").focus()
    page.keyboard.press("Enter")
    page.locator(".messagelist .success").wait_for()

    running.refresh_from_db()
    assert running.stop_asked_by == coordinator
    assert page.get_by_role("button", name="Stop this run").is_disabled()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_deletions_are_let_through_after_one_more_question(visit, administrator, form, width, language):
    end_run(
        form, outcome="red", error_code="rows_gone", error_params={"gone": 6, "here": 8}, at_kobo=2, here=8,
        unchanged=2, is_sweep=True, differences={"only_here": [120_001, 120_002, 990_001], "only_at_kobo": []},
        incidents={"timed_out": 2}, requests=12,
    )  # fmt: skip
    visitor = visit(administrator, language=language)
    page = visitor.show(address(form), width=width, name=f"sync_red_{language}")

    page.locator("#let-through").click()
    page.locator("#id_on_purpose").wait_for()
    visitor.look(f"sync_let_through_{language}", width=width)
    page.locator("#id_on_purpose").check()
    page.locator(".submit-row .button").click()
    page.locator(".messagelist .success").wait_for()

    assert KoboForm.objects.get(pk=form.pk).deletions_released == 6
    visitor.look(f"sync_released_{language}", width=width)
