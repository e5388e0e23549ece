"""The client against a server inside the test, and the recorded exchanges with a real Kobo."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from assessments.kobo.client import KoboClient
from tests.assessments.kobo.kobo_listing import DATA_PATH, TOKEN, Listing

RECORDINGS = Path(__file__).parents[4] / "shared" / "kobo_recordings"


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[KoboClient]:
    with KoboClient(httpserver.url_for(""), TOKEN, backoff=0, connect_timeout=2, read_timeout=2) as opened:
        yield opened


@pytest.fixture
def listing(httpserver: HTTPServer) -> Listing:
    """130 submissions behind a server that never gives more than 1,000 in a page."""
    served = Listing(range(1, 131))
    httpserver.expect_request(DATA_PATH).respond_with_handler(served)
    return served


@pytest.fixture(scope="session")
def recordings() -> Path:
    if not RECORDINGS.is_dir():
        pytest.skip("needs ../shared/kobo_recordings beside the project")
    return RECORDINGS
