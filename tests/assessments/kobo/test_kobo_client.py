import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from assessments.kobo.client import Asset, KoboClient
from assessments.kobo.errors import KoboError, KoboRejected, KoboUnavailable
from tests.assessments.kobo.kobo_listing import ASSET, DATA_PATH, TOKEN, answer_json

ASSET_PATH = f"/api/v2/assets/{ASSET}/"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Instead of waiting, writes down how long the client would have waited."""
    waited: list[float] = []
    monkeypatch.setattr("assessments.kobo.connection.time.sleep", waited.append)
    return waited


def _answer_in_turn(httpserver: HTTPServer, path: str, *answers: Response) -> list[Request]:
    """Serve the answers one after the other, the last one for ever."""
    seen: list[Request] = []

    def handle(request: Request) -> Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    httpserver.expect_request(path).respond_with_handler(handle)
    return seen


def _error_of(call: Callable[[], object]) -> KoboError:
    with pytest.raises(KoboError) as caught:
        call()
    return caught.value


def test_whoami_sends_the_token_and_asks_for_json(httpserver: HTTPServer, client: KoboClient) -> None:
    seen = _answer_in_turn(httpserver, "/me/", answer_json({"username": "iom_admin"}))

    assert client.whoami() == "iom_admin"
    assert [(r.headers["Authorization"], r.headers["Accept"], r.headers["Accept-Encoding"]) for r in seen] == [
        (f"Token {TOKEN}", "application/json", "gzip")
    ]


def test_whoami_without_user_is_a_bad_token(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, "/me/", answer_json({"message": "user is not logged in"}))

    assert (type(error := _error_of(client.whoami)), error.code) == (KoboRejected, "bad_token")


def test_whoami_on_another_kind_of_server_says_so(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, "/me/", Response("<h1>Not Found</h1>", 404, content_type="text/html"))

    assert repr(_error_of(client.whoami)) == (
        f"KoboRejected('not_kobo', host='{client.host}', status=404, excerpt='Not Found')"
    )


def test_whoami_netrc_entry_does_not_replace_the_token(
    httpserver: HTTPServer, client: KoboClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login other password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen = _answer_in_turn(httpserver, "/me/", answer_json({"username": "iom_admin"}))
    client.whoami()

    assert seen[0].headers["Authorization"] == f"Token {TOKEN}"


def test_asset_of_a_draft_on_an_old_server_has_no_version(httpserver: HTTPServer, client: KoboClient) -> None:
    body = {"uid": ASSET, "name": "Baseline", "has_deployment": False, "version_id": "v1", "deployed_version_id": None}
    seen = _answer_in_turn(httpserver, ASSET_PATH, answer_json(body))

    assert client.asset(ASSET) == Asset(ASSET, "Baseline", "draft", "", "v1", None, "")
    assert "content" in seen[0].args["exclude"].split(",")


def test_version_content_missing_version_of_a_living_project(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, f"{ASSET_PATH}versions/v9/", answer_json({"detail": "Not found."}, 404))
    _answer_in_turn(httpserver, ASSET_PATH, answer_json({"uid": ASSET}))
    error = _error_of(lambda: client.version_content(ASSET, "v9"))

    assert str(error) == f"Project {ASSET} on {client.host} has no form version v9."


def test_version_content_missing_project_is_no_project(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, f"{ASSET_PATH}versions/v9/", answer_json({"detail": "Not found."}, 404))
    _answer_in_turn(httpserver, ASSET_PATH, answer_json({"detail": "Not found."}, 404))

    assert _error_of(lambda: client.version_content(ASSET, "v9")).code == "no_project"


def test_count_asks_for_one_light_row(httpserver: HTTPServer, client: KoboClient) -> None:
    seen = _answer_in_turn(httpserver, DATA_PATH, answer_json({"count": 2301, "results": [{"_id": 1}]}))

    assert client.count(ASSET) == 2301
    assert [dict(request.args) for request in seen] == [{"limit": "1", "fields": '["_id"]'}]


def test_submission_keeps_nul_surrogate_and_emoji(httpserver: HTTPServer, client: KoboClient) -> None:
    row = {"_id": 7, "q": "a\x00b \ud83d 🙂 ә"}
    _answer_in_turn(httpserver, f"{DATA_PATH}7/", answer_json(row))

    assert client.submission(ASSET, 7) == row


def test_submission_missing_in_a_living_project_is_none(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, f"{DATA_PATH}7/", answer_json({"detail": "Not found."}, 404))
    _answer_in_turn(httpserver, DATA_PATH, answer_json({"count": 3, "results": []}))

    assert client.submission(ASSET, 7) is None


@pytest.mark.parametrize(
    "row_answer", [answer_json({"detail": "Not found."}, 404), Response("Resource not found", 404)]
)
def test_submission_of_a_lost_project_is_no_project(
    httpserver: HTTPServer, client: KoboClient, row_answer: Response
) -> None:
    _answer_in_turn(httpserver, f"{DATA_PATH}7/", row_answer)
    _answer_in_turn(httpserver, DATA_PATH, Response("Resource not found (404)", 404, content_type="text/html"))

    assert _error_of(lambda: client.submission(ASSET, 7)).code == "no_project"


def test_edit_url_of_a_row_is_read(httpserver: HTTPServer, client: KoboClient) -> None:
    seen = _answer_in_turn(
        httpserver,
        f"{DATA_PATH}7/enketo/edit/",
        answer_json({"url": "https://ee.example.org/edit/K8", "version_uid": "v"}),
    )

    assert client.edit_url(ASSET, 7) == "https://ee.example.org/edit/K8"
    assert dict(seen[0].args) == {"return_url": "false"}


def test_edit_url_that_is_no_web_address_is_refused(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, f"{DATA_PATH}7/enketo/edit/", answer_json({"url": "javascript:alert(1)"}))

    assert _error_of(lambda: client.edit_url(ASSET, 7)).code == "bad_answer"


def test_edit_url_missing_row_of_a_living_project(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, f"{DATA_PATH}7/enketo/edit/", answer_json({"detail": "Not found."}, 404))
    _answer_in_turn(httpserver, DATA_PATH, answer_json({"count": 3, "results": []}))
    error = _error_of(lambda: client.edit_url(ASSET, 7))

    assert (type(error), error.code, error.params["kobo_id"]) == (KoboRejected, "no_submission", 7)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_get_short_trouble_is_ridden_out(httpserver: HTTPServer, client: KoboClient, status: int) -> None:
    trouble = Response("<html><title>Bad Gateway</title></html>", status, content_type="text/html")
    seen = _answer_in_turn(httpserver, "/me/", *[trouble] * 4, answer_json({"username": "iom_admin"}))

    assert client.whoami() == "iom_admin"
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("answer", "kind", "code", "tries"),
    [
        (Response("<title>502 Bad Gateway</title><h1>x</h1>", 502), KoboUnavailable, "server_unavailable", 5),
        (answer_json({"detail": "slow down"}, 429), KoboUnavailable, "too_many_requests", 5),
        (answer_json({"error": "Server Error (500)"}, 500), KoboUnavailable, "server_error", 2),
        (Response("<html><title>Maintenance</title></html>", 200), KoboUnavailable, "not_json", 2),
        (Response('{"username": "x', 200), KoboUnavailable, "not_json", 2),
        (Response("[" * 100_000, 200), KoboUnavailable, "not_json", 2),
        (Response("", 204), KoboUnavailable, "not_json", 2),
        (answer_json(["x"]), KoboUnavailable, "bad_answer", 1),
        (answer_json(["Unsupported query"], 400), KoboUnavailable, "query_failed", 1),
        (answer_json({"detail": "Invalid token."}, 401), KoboRejected, "bad_token", 1),
        (answer_json({"detail": "Your access is restricted"}, 403), KoboRejected, "forbidden", 1),
        (answer_json({"detail": "x"}, 409), KoboRejected, "conflict", 1),
        (answer_json({"detail": "Gone"}, 410), KoboRejected, "removed_api", 1),
        (Response("Request-URI Too Large", 414), KoboRejected, "refused", 1),
    ],
)
def test_get_lasting_trouble_is_classified(
    httpserver: HTTPServer, client: KoboClient, answer: Response, kind: type[KoboError], code: str, tries: int
) -> None:
    seen = _answer_in_turn(httpserver, "/me/", answer)
    error = _error_of(client.whoami)

    assert (type(error), error.code, error.params["status"], len(seen)) == (kind, code, answer.status_code, tries)


def test_get_trouble_lasting_longer_than_the_window_is_not_retried(
    httpserver: HTTPServer, client: KoboClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assessments.kobo.connection.RETRY_WINDOW", -1.0)
    seen = _answer_in_turn(httpserver, "/me/", Response("", 504))

    assert _error_of(client.whoami).code == "server_unavailable"
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("header", "paused", "told"),
    [("7", 7.0, 7.0), ("3600", 30.0, 3600.0), ("soon", 0.0, None), ("9" * 5000, 0.0, None)],
)
def test_retry_after_is_honoured_up_to_a_cap(
    httpserver: HTTPServer, client: KoboClient, pauses: list[float], header: str, paused: float, told: float | None
) -> None:
    _answer_in_turn(httpserver, "/me/", answer_json({}, 429, {"Retry-After": header}))
    error = _error_of(client.whoami)

    assert (pauses, error.params.get("retry_after")) == ([paused] * 4, told)


def test_pauses_double_with_jitter(httpserver: HTTPServer, pauses: list[float]) -> None:
    _answer_in_turn(httpserver, "/me/", Response("", 503))
    with KoboClient(httpserver.url_for(""), TOKEN, backoff=0.5) as client:
        _error_of(client.whoami)

    assert [0.5 <= pauses[0] <= 1, 1 <= pauses[1] <= 1.5, 2 <= pauses[2] <= 2.5, 4 <= pauses[3] <= 4.5] == [True] * 4


def test_body_cut_is_retried_then_told(httpserver: HTTPServer, client: KoboClient) -> None:
    cut = Response('{"username":')
    cut.headers["Content-Length"] = "5000"
    seen = _answer_in_turn(httpserver, "/me/", cut)

    assert _error_of(client.whoami).code == "connection_cut"
    assert len(seen) == 5


def test_body_that_is_not_gzip_is_a_cut_connection(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, "/me/", Response("plain", headers={"Content-Encoding": "gzip"}))

    assert _error_of(client.whoami).code == "connection_cut"


def test_nobody_listening_is_a_failed_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with KoboClient(address, TOKEN, backoff=0) as client:
            error = _error_of(client.whoami)

    assert (type(error), error.code, "refused" in str(error)) == (KoboUnavailable, "connection_failed", True)


@pytest.mark.parametrize("stalls_in_body", [False, True])
def test_silence_is_a_time_out_without_retry(httpserver: HTTPServer, stalls_in_body: bool) -> None:
    def stall() -> Iterator[bytes]:
        yield b"{"
        time.sleep(0.6)
        yield b"}"

    def handle(_: Request) -> Response:
        if not stalls_in_body:
            time.sleep(0.6)
        return Response(stall(), content_type="application/json")

    httpserver.expect_request("/me/").respond_with_handler(handle)
    with KoboClient(httpserver.url_for(""), TOKEN, read_timeout=0.2, backoff=0) as client:
        assert _error_of(client.whoami).code == "timed_out"


def test_redirect_to_another_host_is_refused_and_gets_no_token(
    httpserver: HTTPServer, make_httpserver_elsewhere: HTTPServer, client: KoboClient
) -> None:
    elsewhere = make_httpserver_elsewhere
    _answer_in_turn(httpserver, "/me/", Response("", 302, {"Location": elsewhere.url_for("/me/")}))
    error = _error_of(client.whoami)

    assert (error.code, error.params["to"]) == ("redirected", f"http://{elsewhere.host}:{elsewhere.port}")
    assert elsewhere.log == []


@pytest.fixture
def make_httpserver_elsewhere() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server


@pytest.mark.parametrize(
    ("location", "to"),
    [
        ("https://localhost/me/", "https://localhost"),
        ("//kc.example.org/me/", "http://kc.example.org"),
        ("http://user:secret@kc.example.org/", "http://kc.example.org"),
    ],
)
def test_redirect_to_another_origin_names_it(
    httpserver: HTTPServer, client: KoboClient, location: str, to: str
) -> None:
    _answer_in_turn(httpserver, "/me/", Response("", 301, {"Location": location}))

    assert repr(_error_of(client.whoami)) == f"KoboRejected('redirected', host='{client.host}', to='{to}')"


@pytest.mark.parametrize("location", ["http://kc.example.org:port/", "http://[::1/"])
def test_redirect_to_an_unreadable_address_is_refused(
    httpserver: HTTPServer, client: KoboClient, location: str
) -> None:
    broken = Response("", 301, {"Location": location})
    broken.get_wsgi_headers = lambda environ: broken.headers  # the test server would stumble over it itself
    _answer_in_turn(httpserver, "/me/", broken)

    assert _error_of(client.whoami).params["to"] == "?"


def test_redirect_inside_the_server_is_followed(httpserver: HTTPServer, client: KoboClient) -> None:
    _answer_in_turn(httpserver, "/me/", Response("", 301, {"Location": "/me/?again=1"}), answer_json({"username": "u"}))

    assert client.whoami() == "u"


def test_redirect_in_a_circle_ends(httpserver: HTTPServer, client: KoboClient) -> None:
    seen = _answer_in_turn(httpserver, "/me/", Response("", 302, {"Location": "/me/"}))

    assert _error_of(client.whoami).code == "redirected"
    assert len(seen) == 5


def test_token_appears_in_no_error_repr_or_log(
    httpserver: HTTPServer, client: KoboClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"<h1>Debug</h1><pre>Authorization: Token {TOKEN}</pre>"
    _answer_in_turn(httpserver, "/me/", Response(echo, 503), Response(echo, 403))
    error = _error_of(client.whoami)

    assert error.params["excerpt"] == "Debug Authorization: Token ***"
    assert TOKEN not in repr(error) + str(error) + repr(client) + repr(vars(client)) + caplog.text


def test_excerpt_is_one_short_clean_line(httpserver: HTTPServer, client: KoboClient) -> None:
    body = "<style>p{}</style><p>a\x00b\n&lt;c&gt;</p>\x1b[31m" + "я" * 500
    _answer_in_turn(httpserver, "/me/", Response(body, 403))
    excerpt = _error_of(client.whoami).params["excerpt"]

    assert (excerpt[:13], len(excerpt)) == ("ab <c> [31mяя", 200)


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "кириллица"])
def test_client_with_a_token_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(KoboRejected) as caught:
        KoboClient("https://kf.example.org", token)

    assert (caught.value.code, caught.value.params) == ("bad_token", {"host": "kf.example.org"})


@pytest.mark.parametrize(
    "address",
    ["", "kf.example.org", "ftp://kf.example.org", "https://", "https://kf:port", "https://u:p@kf.example.org"],
)
def test_client_with_a_bad_address_is_refused(address: str) -> None:
    with pytest.raises(KoboRejected) as caught:
        KoboClient(address, TOKEN)

    assert (caught.value.code, "u:p" in str(caught.value)) == ("bad_address", False)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://kf.example.org/", "https://kf.example.org"),
        (" https://kf.example.org/api/v2/ ", "https://kf.example.org"),
        ("http://10.0.0.5:8001/kobo/#/forms", "http://10.0.0.5:8001/kobo"),
    ],
)
def test_client_address_is_trimmed_to_its_base(address: str, base: str) -> None:
    assert repr(KoboClient(address, TOKEN)) == f"KoboClient('{base}')"


def test_asset_uid_from_outside_cannot_leave_its_path(httpserver: HTTPServer, client: KoboClient) -> None:
    seen = _answer_in_turn(httpserver, "/api/v2/assets/../../me?/data/", answer_json({"count": 0, "results": []}))
    client.count("../../me?")

    assert [request.environ["REQUEST_URI"].split("?")[0] for request in seen] == [
        "/api/v2/assets/..%2F..%2Fme%3F/data/"
    ]


def test_connection_closed_by_the_server_between_requests_is_ridden_out() -> None:
    """Kobo's front end drops idle connections; the first request after that must not fail."""
    body = b'{"username":"u"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_serve_and_hang_up, args=(server, head + body, 2))
        thread.start()
        with KoboClient(f"http://127.0.0.1:{server.getsockname()[1]}", TOKEN, backoff=0) as client:
            assert [client.whoami(), client.whoami()] == ["u", "u"]
        thread.join(5)


def _serve_and_hang_up(server: socket.socket, answer: bytes, times: int) -> None:
    for _ in range(times):
        accepted, _address = server.accept()
        with accepted:
            accepted.recv(65536)
            accepted.sendall(answer)
