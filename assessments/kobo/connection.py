"""One Kobo server over HTTP: the token, brief retries, redirects, and what each kind of failure means."""

import json
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from http.cookiejar import DefaultCookiePolicy
from threading import Lock
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import orjson
import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, InvalidHeader, ReadTimeoutError
from urllib3.util.retry import Retry

from assessments.kobo.errors import KoboError, KoboRejected, KoboUnavailable
from assessments.kobo.payloads import clean_text

logger = logging.getLogger(__name__)

MAX_RETRY_AFTER = 30.0  # seconds of one pause; a server that asks for more is left to the caller's schedule
# No new try once this much time has passed: uWSGI kills a slow request after 120 s (502), nginx after 130 s (504), and
# asking again for the same heavy page would only take as long again.
RETRY_WINDOW = 60.0
# The read time-out starts anew with each byte. A body that drips longer than this many times the time-out is given up.
MOST_TIMEOUTS = 3
PIECE = 256 * 1024
EXCERPT_LENGTH = 200

_RETRY_OFTEN = frozenset({"too_many_requests", "server_unavailable", "connection_failed", "connection_cut"})
_RETRY_ONCE = frozenset({"server_error", "not_json"})
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Accept-Language": "en",  # errors are told apart by their English text where Kobo gives nothing better
    "User-Agent": "dtm-ops",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNAVAILABLE_BY_STATUS: Mapping[int, str] = {
    408: "timed_out",
    425: "server_unavailable",
    429: "too_many_requests",
    502: "server_unavailable",
    503: "server_unavailable",
    504: "server_unavailable",
}
_REJECTED_BY_STATUS: Mapping[int, str] = {
    401: "bad_token",
    403: "forbidden",
    409: "conflict",
    410: "removed_api",
}


class _TokenAuth(AuthBase):
    """Given with each request, so that no `.netrc` entry replaces the header."""

    def __init__(self, token: str) -> None:
        self._value = f"Token {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class KoboConnection:
    """Requests to one origin with one token. Safe to use from two threads at the same time.

    ``requests`` counts what was sent, ``incidents`` the troubles by code, also those that a further try has made good.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout: tuple[float, float],
        retries: int,
        backoff: float,
        session: requests.Session | None,
    ) -> None:
        self.base_url, self._origin = _split_base(base_url)
        self.host = urlsplit(self.base_url).netloc
        self._token = token.strip()
        if not re.fullmatch(r"[!-~]+", self._token):  # anything else breaks the header, and the error would quote it
            raise KoboRejected("bad_token", host=self.host)
        self._auth = _TokenAuth(self._token)
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._jitter = random.SystemRandom()
        self._session = session or _open_session()
        self._counting = Lock()
        self.requests = 0
        self.incidents: Counter[str] = Counter()

    def close(self) -> None:
        self._session.close()

    def get_object(
        self, path: str, params: Mapping[str, str] | None = None, *, missing: str = "no_project", **known: Any
    ) -> dict[str, Any]:
        """GET with brief retries. `missing` is the code for a 404; `known` goes into the params of errors."""
        return self.send_object("GET", path, params=params, missing=missing, **known)

    def send_object(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: object = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        expected: tuple[int, ...] = (200,),
        again: bool = True,
        missing: str = "no_project",
        **known: Any,
    ) -> dict[str, Any]:
        """The JSON object of the answer; {} for an answer without a body (204).

        Either ``json_body``, or ``form`` fields with ``files`` (field -> name, content, type). ``again``: may be sent a
        second time after a trouble, since doing it twice does no harm. Raises like `get_object`; a status that is not
        ``expected`` is an error.
        """
        body = {"json": json_body} if json_body is not None else {"data": form, "files": files}

        def ask() -> dict[str, Any]:
            response = self._send_once(method, path, params or {}, body, missing, known, expected)
            return {} if response.status_code == 204 else self._read_object(response, known)

        if not again:
            # A kept connection that the server has closed meanwhile would break, and this must not be tried twice.
            self._session.close()
        return self._try(ask, again=again)

    def _read_object(self, response: requests.Response, known: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = _read_json(response.content)
        except (ValueError, RecursionError):
            raise self._note(KoboUnavailable("not_json", **self._describe(response, known))) from None
        if not isinstance(answer, dict):
            what = type(answer).__name__
            raise self._note(KoboUnavailable("bad_answer", what=what, **self._describe(response, known)))
        return answer

    @contextmanager
    def open_file(self, path: str, *, missing: str = "no_file", **known: Any) -> Iterator[requests.Response]:
        """A GET whose body is read piece by piece from ``iter_content``. Redirects inside the own origin only.

        Raises `KoboError` for the answer's head; what breaks while the body is read is a `requests` exception, which
        `explain` turns into one.
        """
        try:
            response = self._send("GET", path, None, {}, stream=True, accept="*/*")
        except requests.RequestException as error:
            raise self.explain(error, known) from None
        try:
            if response.status_code != 200:
                raise self._note(self._classify_status(response, missing, known))
            yield response
        finally:
            response.close()

    def explain(self, error: requests.RequestException, known: Mapping[str, Any] | None = None) -> KoboError:
        return self._note(self._classify_connection(error, known or {}))

    def _try(self, ask: Callable[[], dict[str, Any]], *, again: bool) -> dict[str, Any]:
        started = time.monotonic()
        attempt = 0
        while True:
            try:
                return ask()
            except KoboUnavailable as error:
                pause = self._plan_pause(error, attempt) if again else None
                if pause is None or time.monotonic() - started + pause > RETRY_WINDOW:
                    raise
                logger.info("Kobo %s: %s, next try in %.1f s", self.host, error.code, pause)
            time.sleep(pause)
            attempt += 1

    def _note(self, error: KoboError) -> KoboError:
        with self._counting:
            self.incidents[error.code] += 1
        return error

    def _plan_pause(self, error: KoboUnavailable, attempt: int) -> float | None:
        """Seconds until the next try, None for no further try."""
        tries = self._retries if error.code in _RETRY_OFTEN else min(self._retries, 1)
        if attempt >= tries or error.code not in _RETRY_OFTEN | _RETRY_ONCE:
            return None
        asked = error.params.get("retry_after")
        pause = float(self._backoff * 2**attempt) if asked is None else float(asked)
        return min(pause, MAX_RETRY_AFTER) + self._jitter.uniform(0, self._backoff)

    def _send_once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, Any],
        missing: str,
        known: Mapping[str, Any],
        expected: tuple[int, ...],
    ) -> requests.Response:
        try:
            response = self._send(method, path, params, body)
        except requests.RequestException as error:
            raise self.explain(error, known) from None
        except ValueError:  # requests itself stumbles over a Location that is no address
            raise self._note(KoboRejected("redirected", host=self.host, to="?")) from None
        if response.status_code not in expected:
            raise self._note(self._classify_status(response, missing, known))
        return response

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Mapping[str, Any],
        *,
        stream: bool = False,
        accept: str = "application/json",
    ) -> requests.Response:
        """One request; a GET follows redirects inside the server's own origin only, nothing else is redirected."""
        url, query = self.base_url + path, params or None
        for _ in range(_MAX_REDIRECTS):
            with self._counting:
                self.requests += 1
            response = self._request(method, url, query, {**_HEADERS, "Accept": accept}, body)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location:
                if not stream:
                    self._read_whole(response)
                return response
            response.close()
            if method != "GET":
                raise self._note(KoboRejected("redirected", host=self.host, to=self.host))
            url, query = self._join_redirect(response.url, location), None
        raise self._note(KoboRejected("redirected", host=self.host, to=self.host))

    def _request(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: Mapping[str, Any],
    ) -> requests.Response:
        """What breaks off below, also from outside (a time limit, Ctrl-C), is raised without the frames there: they
        hold the header with the token, and reports of errors print what frames hold.
        """
        try:
            return self._session.request(
                method, url, params=params, headers=headers, auth=self._auth, timeout=self._timeout,
                allow_redirects=False, stream=True, **body,
            )  # fmt: skip
        except BaseException as error:  # noqa: BLE001  raised again
            raise error.with_traceback(None) from None

    def _read_whole(self, response: requests.Response) -> None:
        """Into ``response.content``, as ``requests`` does without ``stream``, but not for ever."""
        with response:
            whole = b"".join(iter_pieces(response, seconds=MOST_TIMEOUTS * self._timeout[1]))
        response._content = whole

    def _join_redirect(self, url: str, location: str) -> str:
        """Where to go next; raises unless it is on the same scheme, host and port."""
        try:
            joined = urljoin(url, location)
            target = urlsplit(joined)
            if _get_origin(target) == self._origin:
                return joined
            to = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
        except ValueError:
            to = "?"
        raise self._note(KoboRejected("redirected", host=self.host, to=self._clean(to)))

    def _classify_connection(self, error: requests.RequestException, known: Mapping[str, Any]) -> KoboError:
        inner = error.args[0] if error.args else error
        params = {"host": self.host, "reason": self._clean(str(getattr(inner, "reason", inner))), **known}
        # a time-out in the middle of a body comes as a ConnectionError around urllib3's own
        if isinstance(error, requests.ReadTimeout) or isinstance(inner, ReadTimeoutError):
            return KoboUnavailable("timed_out", **params)
        if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            return KoboRejected("bad_certificate", **params)
        if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
            return KoboUnavailable("connection_cut", **params)
        return KoboUnavailable("connection_failed", **params)

    def _classify_status(self, response: requests.Response, missing: str, known: Mapping[str, Any]) -> KoboError:
        status = response.status_code
        params = self._describe(response, known)
        if (retry_after := _read_retry_after(response)) is not None:
            params["retry_after"] = retry_after
        if status == 400:
            return _classify_bad_request(response, params)
        if status == 404:
            # an unknown project answers in plain text, a missing row of a project that answers in JSON
            is_json = "json" in response.headers.get("Content-Type", "")
            return KoboRejected(missing if is_json or "asset_uid" not in known else "no_project", **params)
        if status in _UNAVAILABLE_BY_STATUS:
            return KoboUnavailable(_UNAVAILABLE_BY_STATUS[status], **params)
        if status in _REJECTED_BY_STATUS:
            return KoboRejected(_REJECTED_BY_STATUS[status], **params)
        if 400 <= status < 500:
            return KoboRejected("refused", **params)
        return KoboUnavailable("server_error" if status >= 500 else "not_json", **params)

    def _describe(self, response: requests.Response, known: Mapping[str, Any]) -> dict[str, Any]:
        excerpt = self._clean(response.content[:4_000].decode("utf-8", "replace"))
        return {"host": self.host, "status": response.status_code, "excerpt": excerpt, **known}

    def _clean(self, text: str) -> str:
        """One short line for people: no tags, no control characters, no token."""
        text = text.replace(self._token, "***")
        if title := re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL):
            text = title[1]
        text = unescape(re.sub(r"<(script|style)\b.*?</\1>|<[^<>]*>", " ", text, flags=re.IGNORECASE | re.DOTALL))
        text = "".join(letter if letter.isprintable() else " " for letter in clean_text(text)[: 20 * EXCERPT_LENGTH])
        return " ".join(text.split()).replace(self._token, "***")[:EXCERPT_LENGTH]


def iter_pieces(response: requests.Response, *, seconds: float) -> Iterator[bytes]:
    """The body as it comes in. `requests.ReadTimeout` once it took longer than ``seconds``, however little came at a
    time: ``iter_content`` would wait for a whole piece, and what drips never fills one.

    Raises the exceptions of `requests` that `iter_content` would.
    """
    deadline = time.monotonic() + seconds
    try:
        while piece := response.raw.read1(PIECE, decode_content=True):
            yield piece
            if time.monotonic() > deadline:
                raise requests.ReadTimeout("the answer drips")
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from None
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from None


def _open_session() -> requests.Session:
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _split_base(base_url: str) -> tuple[str, tuple[str, str, int | None]]:
    """The address without its trailing parts, and its origin."""
    shown = re.sub(r"//[^/@]*@", "//", base_url.strip())[:EXCERPT_LENGTH]
    try:
        parts = urlsplit(base_url.strip())
        path = re.sub(r"/+(api/v2/?)?$", "", parts.path)
        base = f"{parts.scheme}://{parts.netloc}{path}"
        origin = _get_origin(parts)
        requests.Request("GET", base + "/").prepare()
    except (ValueError, requests.RequestException):
        raise KoboRejected("bad_address", address=shown) from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise KoboRejected("bad_address", address=shown)
    return base, origin


def _get_origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _classify_bad_request(response: requests.Response, params: Mapping[str, Any]) -> KoboError:
    if b"has not been deployed" in response.content:
        return KoboRejected("not_deployed", **params)
    if b"Unsupported query" in response.content:
        # kpi's words for any failure of MongoDB; for the queries of this client that is its time limit of 125 s
        return KoboUnavailable("query_failed", **params)
    return KoboRejected("bad_request", **params)


def _read_json(content: bytes) -> Any:
    """A page of 1,000 rows in a quarter of the standard library's time. That one reads what orjson is too strict for;
    what is no JSON number (``NaN``) becomes its text.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return json.loads(content, parse_constant=str)


def _read_retry_after(response: requests.Response) -> float | None:
    header = response.headers.get("Retry-After")
    if not header:
        return None
    try:
        return Retry().parse_retry_after(header)
    except (ValueError, InvalidHeader):
        return None
