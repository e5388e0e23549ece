"""One HTTP request and its answer, as the practice Kobo handles them; knows nothing about forms or rows."""

import email.parser
import email.policy
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode

# A real Kobo's nginx refuses more than 100 MB a request; a page of the practice form needs far less.
MAX_BODY_BYTES = 64 * 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class HttpError(Exception):
    """Stops a request with the answer it carries."""

    def __init__(self, response: "Response") -> None:
        super().__init__(response.status)
        self.response = response


@dataclass
class Response:
    """An answer. ``names_user`` sends the user's name along, as Kobo does but before its views are reached.

    ``cut_after`` ends the connection after so many bytes; ``drip_seconds`` spreads the body over that time.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    names_user: bool = True
    cut_after: int | None = None
    drip_seconds: float = 0.0

    @property
    def status_line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"


@dataclass(frozen=True)
class UploadedFile:
    name: str
    filename: str
    content_type: str
    content: bytes


class Request:
    """A request read from a WSGI environ; body and parameters are read on first use."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"].upper()
        self.path: str = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace")
        self.query_string: str = environ.get("QUERY_STRING", "")
        self.username: str | None = None

    @cached_property
    def base_url(self) -> str:
        """Scheme and host as the client wrote them: Kobo too builds its links from the request's host."""
        host = self.environ.get("HTTP_HOST") or f"{self.environ['SERVER_NAME']}:{self.environ['SERVER_PORT']}"
        return f"{self.environ.get('wsgi.url_scheme', 'http')}://{host}"

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.query_string, keep_blank_values=True)

    def parameter(self, name: str) -> str | None:
        """Return the last value, as Django's QueryDict does."""
        return self.query[name][-1] if name in self.query else None

    def header(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        plain = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        return str(self.environ.get(plain, ""))

    @cached_property
    def body(self) -> bytes:
        try:
            length = int(self.header("Content-Length") or 0)
        except ValueError:
            raise HttpError(detail(400, "Malformed request.")) from None
        if not 0 <= length <= MAX_BODY_BYTES:
            raise HttpError(detail(413, "Request body is too large."))
        return bytes(self.environ["wsgi.input"].read(length)) if length else b""

    @cached_property
    def media_type(self) -> str:
        return self.header("Content-Type").partition(";")[0].strip().lower()

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The JSON or form body as a dict; broken JSON, or JSON that is no object, answers 400."""
        if self.media_type == "application/json":
            try:
                value = json.loads(self.body or b"{}")
            except ValueError as error:
                raise HttpError(detail(400, f"JSON parse error - {error}")) from error
            if not isinstance(value, dict):
                raise HttpError(as_json({"non_field_errors": ["Invalid data. Expected a dictionary."]}, status=400))
            return value
        return dict(self.fields)

    @cached_property
    def fields(self) -> dict[str, str]:
        """Values of a form body, the last of each name."""
        return {name: values[-1] for name, values in self.field_lists.items()}

    @cached_property
    def field_lists(self) -> dict[str, list[str]]:
        if self.media_type == "multipart/form-data":
            return self._multipart[0]
        if self.media_type == "application/x-www-form-urlencoded":
            return parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {}

    @property
    def files(self) -> list[UploadedFile]:
        return self._multipart[1] if self.media_type == "multipart/form-data" else []

    @cached_property
    def _multipart(self) -> tuple[dict[str, list[str]], list[UploadedFile]]:
        head = f"Content-Type: {self.header('Content-Type')}\r\n\r\n".encode("latin-1", "replace")
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body)
        values: dict[str, list[str]] = {}
        files: list[UploadedFile] = []
        for part in message.iter_parts() if message.is_multipart() else ():
            name = str(part.get_param("name", "", header="content-disposition"))
            content = part.get_payload(decode=True)
            raw = content if isinstance(content, bytes) else b""
            filename = part.get_filename()
            if filename is None:
                values.setdefault(name, []).append(raw.decode("utf-8", "replace"))
            else:
                files.append(UploadedFile(name, clean_filename(filename), part.get_content_type(), raw))
        return values, files


def clean_filename(name: str) -> str:
    """Keep the last part of a client's file name, without control characters."""
    return _CONTROL.sub("", name).replace("\\", "/").rpartition("/")[2][:200] or "file"


_HALF = re.compile("[\ud800-\udfff]")


def dumps(value: Any) -> str:
    """Write JSON as Kobo does: compact, UTF-8. Half a character stays the escape that it came as."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() else _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def as_json(value: Any, *, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    return Response(status, dumps(value).encode("utf-8", "replace"), headers=list(headers))


def detail(status: int, text: str) -> Response:
    return as_json({"detail": text}, status=status)


def nothing() -> Response:
    """Done, and there is nothing to say: no body and no type of one."""
    return Response(204, content_type="")


def not_found() -> Response:
    return detail(404, "Not found.")


def not_allowed(method: str) -> Response:
    return detail(405, f'Method "{method}" not allowed.')


def forbidden() -> Response:
    return detail(403, "You do not have permission to perform this action.")


def server_error() -> Response:
    """A crash inside Kobo; recorded for odd ``sort`` and ``query`` values. Retrying does not help."""
    return as_json({"error": "Server Error (500)"}, status=500)


def replace_parameters(request: Request, changes: dict[str, str | None]) -> str:
    """Return the request's own address with changed parameters, sorted by name as Kobo's paginators write them."""
    query: dict[str, list[str]] = {**request.query}
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = [value]
    encoded = urlencode(sorted(query.items()), doseq=True)
    return request.base_url + request.path + (f"?{encoded}" if encoded else "")


def page_links(request: Request, *, count: int, start: int, limit: int) -> tuple[str | None, str | None]:
    """Return (next, previous) as DRF's limit and offset paginator builds them."""
    shared = {"limit": str(limit)}
    following = replace_parameters(request, {**shared, "start": str(start + limit)}) if start + limit < count else None
    if start <= 0:
        return following, None
    earlier = str(start - limit) if start - limit > 0 else None
    return following, replace_parameters(request, {**shared, "start": earlier})


def envelope(rows: list[Any], *, count: int | None = None) -> dict[str, Any]:
    return {"count": len(rows) if count is None else count, "next": None, "previous": None, "results": rows}


def iterate_body(response: Response, *, pause: Any) -> Iterator[bytes]:
    """Yield the body, whole or drop by drop; stops early for a cut answer."""
    body = response.body if response.cut_after is None else response.body[: response.cut_after]
    if not response.drip_seconds:
        yield body
        return
    step = max(1, len(body) // 20)
    for begin in range(0, len(body), step):
        pause(response.drip_seconds / 20)
        yield body[begin : begin + step]
