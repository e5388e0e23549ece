"""Real pages in Chromium. A test fails on any console error, script error, CSP violation or missing file.

``DTM_SCREENSHOTS=folder`` keeps a picture of every page that a test shows with `show`.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright
from pytest_django.live_server_helper import LiveServer

from dtm_ops.accounts.models import User

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WIDTHS = (390, 1280)
LANGUAGES = ("en", "ru", "kk")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: the pages were not looked at in a browser")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's synchronous API keeps an event loop in this thread, and Django would refuse the ORM beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield launched
        launched.close()


class Visitor:
    """Somebody's browser: windows that remember every complaint."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.address = address
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("response", self._look)

    def show(self, path: str, *, width: int = 1280, name: str = "") -> Page:
        """Open a page; fails if it is wider than the window."""
        self.page.set_viewport_size({"width": width, "height": 844 if width < 600 else 900})
        self.page.goto(f"{self.address}{path}")
        self.look(name or path, width=width)
        return self.page

    def look(self, name: str, *, width: int) -> None:
        """At the page as it is now."""
        self._keep_picture(name, width)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width} px"

    def _keep_picture(self, name: str, width: int) -> None:
        folder = os.environ.get("DTM_SCREENSHOTS")
        if folder:
            file = re.sub(r"[^\w-]+", "_", name).strip("_") or "home"
            self.page.screenshot(path=Path(folder) / f"{file}_{width}.png", full_page=True)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _look(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Visitor]]:
    """``visit(user, language="kk", script=False)``; without a user: not logged in. Complaints fail the test."""
    visitors: list[tuple[Visitor, BrowserContext]] = []

    def open_browser(user: User | None = None, *, language: str = "en", script: bool = True) -> Visitor:
        context = browser.new_context(locale=language, java_script_enabled=script)
        if user is not None:
            User.objects.filter(pk=user.pk).update(language=language)
            context.add_cookies([{"name": "sessionid", "value": _session(user), "url": live_server.url}])
        visitor = Visitor(context, live_server.url)
        visitors.append((visitor, context))
        return visitor

    yield open_browser
    for _visitor, context in visitors:
        context.close()
    assert [complaint for visitor, _context in visitors for complaint in visitor.complaints] == []


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)
