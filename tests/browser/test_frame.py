"""The frame, the log-in, home and the enumerator's page as people see them."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from assessments.models import KoboForm
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from assessments.services.review import return_submission
from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from tests.browser.conftest import LANGUAGES, WIDTHS
from tests.factories.assessments import AssessmentRoundFactory, KoboFormFactory, RoundTargetFactory, make_submission
from tests.factories.locations import AdminUnitFactory
from training.models import Enumerator, FormKind

PRACTICE = "http://127.0.0.1:8001"


@pytest.fixture
def field_work(
    enumerator: Enumerator, district: AdminUnit, sub_area: FormKind, manager: User, settings: Settings
) -> KoboForm:
    """Two focus groups to come, one that is over, one form sent, one returned."""
    settings.PRACTICE_KOBO_URL = PRACTICE
    current = AssessmentRoundFactory(code="2026-Q4", names={"en": "Practice round, all regions"})
    form = KoboFormFactory(round=current, form_kind=sub_area, name="Village session")

    def target(name: str):
        unit = AdminUnitFactory(
            parent=district, names={"en": f"{name} rural okrug", "ru": f"{name} с.о.", "kk": f"{name} а.о."}
        )
        return RoundTargetFactory(round=current, unit=unit, form_kind=sub_area)

    noon = datetime.now(UTC).replace(hour=5, minute=0, second=0, microsecond=0)
    for name, days in (("Eltay", 2), ("Zhambyl", 4), ("Aytey", -3)):
        start = noon + timedelta(days=days)
        group = plan_focus_group(
            target(name), starts_at=start, ends_at=start + timedelta(hours=2), venue="Акимат, 2-й этаж, малый зал"
        )
        assign_enumerator(group, enumerator)
    make_submission(target("Umtyl"), form=form, enumerator=enumerator)
    back = make_submission(target("Kemertogan"), form=form, enumerator=enumerator)
    return_submission(
        back, reviewer=manager, reason="arithmetic", text="Мужчин и женщин вместе 60, а всего указано 50."
    )
    return form


@pytest.mark.parametrize("language", LANGUAGES)
def test_log_in_page_fits_and_complains_about_nothing(language: str, visit, coordinator: User, manager: User) -> None:
    visitor = visit(language=language)

    for width in WIDTHS:
        page = visitor.show("/log-in/", width=width, name=f"log_in_{language}")
        assert page.locator("html").get_attribute("lang") == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_home_fits_and_complains_about_nothing(
    language: str, visit, field_work: KoboForm, coordinator: User, manager: User, administrator: User
) -> None:
    for user in (coordinator, manager, administrator):
        for width in WIDTHS:
            visit(user, language=language).show("/", width=width, name=f"home_{user.username}_{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_my_work_fits_and_complains_about_nothing(
    language: str, visit, field_work: KoboForm, enumerator: Enumerator
) -> None:
    visitor = visit(enumerator.user, language=language)

    for width in WIDTHS:
        page = visitor.show("/my/", width=width, name=f"my_{language}")
        assert page.locator(".card-list .card").count() == 4


def test_page_without_a_role_fits(visit, stranger: User) -> None:
    for width in WIDTHS:
        visit(stranger).show("/", width=width, name="home_stranger")


def test_buttons_on_a_phone_are_large_enough_for_a_thumb(visit, field_work: KoboForm, enumerator: Enumerator) -> None:
    page = visit(enumerator.user).show("/my/", width=390)
    page.locator("summary").click()

    buttons = page.locator("a.button:visible, button:visible, summary:visible, .links a:visible")

    assert buttons.count() >= 8
    assert [one.inner_text() for one in buttons.all() if (one.bounding_box() or {"height": 0})["height"] < 44] == []


def test_menu_and_language_work_on_a_phone_without_script(visit, coordinator: User) -> None:
    page = visit(coordinator, script=False).page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(visit(coordinator).address)

    page.locator("summary").click()
    page.locator(".drawer").get_by_role("button", name="Қазақша").click()

    assert page.locator("html").get_attribute("lang") == "kk"
    coordinator.refresh_from_db()
    assert coordinator.language == "kk"


def test_coordinator_logs_in_and_out_by_hand(visit, coordinator: User) -> None:
    visitor = visit(language="en")
    page = visitor.show("/")

    page.get_by_label("Username").fill("coordinator")
    page.get_by_label("Password").fill("coordinator")
    page.locator("main").get_by_role("button", name="Log in").click()
    assert page.locator("h1").inner_text() == "What waits for you"
    page.locator("header").get_by_role("button", name="Log out").click()

    assert page.url == f"{visitor.address}/log-in/"


def test_keyboard_reaches_the_content_first(visit, coordinator: User) -> None:
    page = visit(coordinator).show("/")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "content"


def test_dark_screen_keeps_its_contrast(visit, field_work: KoboForm, enumerator: Enumerator) -> None:
    visitor = visit(enumerator.user)
    visitor.page.emulate_media(color_scheme="dark")

    page = visitor.show("/my/", width=390, name="my_dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 33)"
