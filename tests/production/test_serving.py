"""Gunicorn with production settings and collected files, on servers that it knows by address only."""

import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from dtm_ops.embedded.places import HERE, PROJECT
from tests.production.environments import production

HOST = "dtm.example.org"

# The database is only made when a test says that it wants one.
pytestmark = pytest.mark.django_db


def get(port: int, path: str, **headers: str) -> tuple[http.client.HTTPResponse, str]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    named = {"Host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    line.request("GET", path, headers=named)
    response = line.getresponse()
    body = response.read().decode("utf-8", errors="replace")
    line.close()
    return response, body


def answers(port: int) -> bool:
    try:
        return get(port, "/health/")[0].status > 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a production site on the suite's own database; the same files as in the image."""
    folder = tmp_path_factory.mktemp("production")
    environment = production(
        STATIC_ROOT=str(folder / "static"),
        DATABASE_URL=f"postgres://dtm@{quote(str(HERE.sockets), safe='')}/{connection.settings_dict['NAME']}",
        REDIS_URL=f"unix://{HERE.sockets}/valkey.sock?db=13",
    )
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(collect, env=environment, cwd=PROJECT, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = [sys.executable, "-m", "gunicorn", "--config", "python:dtm_ops.gunicorn", "--bind", f"127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(serve, env=environment, cwd=PROJECT, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def test_health_answers_without_https_for_the_monitor_inside(site: int) -> None:
    assert get(site, "/health/")[0].status == 200


def test_healthcheck_of_the_image_asks_by_an_allowed_name(site: int) -> None:
    asked = [sys.executable, "-m", "dtm_ops.healthcheck", str(site)]
    closed = [sys.executable, "-m", "dtm_ops.healthcheck", "1"]

    codes = [subprocess.run(words, env=production(), cwd=PROJECT, check=False).returncode for words in (asked, closed)]
    assert codes == [0, 1]


def test_plain_http_is_led_to_https(site: int) -> None:
    response, _body = get(site, "/admin/login/")

    assert (response.status, response.headers["Location"]) == (301, f"https://{HOST}/admin/login/")


def test_page_behind_the_proxy_carries_the_safe_headers_and_cookies(site: int) -> None:
    response, _body = get(site, "/log-in/", X_Forwarded_Proto="https")
    cookies = response.headers.get_all("Set-Cookie") or []

    assert response.status == 200
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert (response.headers["X-Frame-Options"], response.headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert cookies
    assert [cookie for cookie in cookies if "; Secure" not in cookie] == []


def test_other_host_names_are_refused(site: int) -> None:
    assert get(site, "/log-in/", Host="evil.example.net", X_Forwarded_Proto="https")[0].status == 400


def test_static_files_have_hashed_names_and_are_kept_for_ever(site: int) -> None:
    _response, body = get(site, "/log-in/", X_Forwarded_Proto="https")
    found = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', body)
    assert found, body
    response, _css = get(site, found[1], X_Forwarded_Proto="https")

    assert (response.status, response.headers["Cache-Control"]) == (200, "max-age=315360000, public, immutable")


def test_missing_page_shows_no_inside(site: int) -> None:
    response, body = get(site, "/no-such-page/", X_Forwarded_Proto="https")

    assert response.status in (302, 404)
    assert "Traceback" not in body
    assert str(Path(PROJECT)) not in body
