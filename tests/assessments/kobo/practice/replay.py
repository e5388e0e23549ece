"""Replays recorded exchanges of a real KoboToolbox against the practice Kobo and tells where the answers differ.

What may differ is replaced on both sides: hosts, times, addresses of web forms. Identifiers that a server invents are
bound when they are first seen together; from then on the recorded one has to come back as the same one of ours, also
inside later requests. So identity over edits, versions and attachments is compared too.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import requests

RECORDINGS = Path(__file__).resolve().parents[5] / "shared" / "kobo_recordings"

_HOSTS = re.compile(r"https://(?:kc\.)?kobo\.example\.org")
_LISTENER = "https://listener.example.org"
_WEB_FORM = re.compile(r"(?:https://ee\.kobo\.example\.org|<host>/x)/[^?\"\s]*")
_KEY = re.compile(r"&key=[0-9a-f]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{3,6})?(?:Z|\+00:00)")
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,40}"
    r"|[a-z]{1,3}[A-Za-z0-9]{21})(?![A-Za-z0-9])"
)
# Keys whose values a practice server need not have: fonts of reports, links to exports, Kobo's own texts of settings.
_FREE_KEYS = frozenset(
    [
        "token",
        "gravatar",
        "organization",
        "extra_details",
        "report_styles",
        "kuid_names",
        "deployment__data_download_links",
        "assignable_permissions",
        "name_quality",
        "audit_logs",
        "export_settings",
        "ip_address",
        "source",
    ]
)
_UNORDERED_KEYS = frozenset({"columns", "effective_permissions", "permissions", "translated"})
_DATE_OF_RECORDING = "Date"


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer; ``label`` is folder/file without ``.json``."""

    label: str
    name: str
    request: dict[str, Any]
    response: dict[str, Any]

    def header(self, name: str) -> str:
        return next((value for key, value in self.response["headers"] if key.lower() == name.lower()), "")

    @property
    def moment(self) -> datetime:
        """When the real server received it: a stored submission says it exactly, anything else by the answer's date."""
        text = self.response.get("body_text") or json.dumps(self.response.get("body_json", ""))
        found = re.search(r'submissionDate"?[=:]\s*"([^"]+)"', text) if self.response["status"] == 201 else None
        if found:
            return datetime.fromisoformat(found.group(1))
        return parsedate_to_datetime(self.header(_DATE_OF_RECORDING)).astimezone(UTC)


def load(folder: str) -> Iterator[Exchange]:
    """Yield the exchanges of a folder in order; files that only hold observations are left out."""
    for path in sorted((RECORDINGS / folder).glob("*.json")):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        if "request" in recorded:
            yield Exchange(f"{folder}/{path.stem}", recorded["name"], recorded["request"], recorded["response"])


@dataclass
class Replay:
    """Sends exchanges and collects differences. ``set_clock`` moves the practice server to the recorded time."""

    base_url: str
    tokens: dict[str, str]
    passwords: dict[str, str]
    set_clock: Callable[[datetime], None]
    # Who is told by hooks, in the place of the recorded one.
    listener_url: str = _LISTENER
    bound: dict[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)

    def play(self, exchange: Exchange) -> None:
        self.set_clock(exchange.moment)
        answer = self._send(exchange)
        before = len(self.differences)
        self._compare(exchange, answer)
        self.compared.append(exchange.label)
        if len(self.differences) > before:
            self.differences[before] = f"{exchange.label}: {self.differences[before]}"

    def bind(self, recorded: str, ours: str) -> None:
        self.bound[recorded] = ours

    def ours(self, text: str) -> str:
        """Put our identifiers and host in the place of the recorded ones."""
        text = _HOSTS.sub(self.base_url, text).replace(_LISTENER, self.listener_url)
        for recorded, ours in self.bound.items():
            text = text.replace(recorded, ours)
        return text

    def _send(self, exchange: Exchange) -> requests.Response:
        request = exchange.request
        query = f"?{self.ours(request['query_raw'])}" if request.get("query_raw") else ""
        headers = {key: value for key, value in request["headers"].items() if key in {"Accept", "Range"}}
        headers |= self._authorization(exchange)
        body, files = None, None
        if "multipart" in request:
            files = [self._part(part) for part in request["multipart"]]
        elif "body_json" in request:
            body = self.ours(json.dumps(request["body_json"])).encode()
        elif "body_text" in request:
            body = self.ours(request["body_text"]).encode()
        if body is not None and "Content-Type" in request["headers"]:
            headers["Content-Type"] = request["headers"]["Content-Type"]
        url = self.base_url + self.ours(request["path"]) + query
        return requests.request(
            request["method"], url, headers=headers, data=body, files=files, allow_redirects=False, timeout=30
        )

    def _authorization(self, exchange: Exchange) -> dict[str, str]:
        recorded = exchange.request["headers"].get("Authorization", "")
        user = exchange.request["as_user"]
        if recorded == "Basic BASIC_CREDENTIALS":
            password = "wrong" if "wrong_password" in exchange.name else self.passwords[user]
            return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
        if recorded == "Token TOKEN":
            return {"Authorization": f"Token {self.tokens[user]}"}
        return {"Authorization": recorded} if recorded else {}

    def _part(self, part: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
        if "value" in part:
            return part["name"], (None, self.ours(part["value"]))
        content = base64.b64decode(part["base64"]) if "base64" in part else self.ours(part["text"]).encode()
        return part["name"], (part["filename"], content, part["content_type"])

    # Comparing

    def _compare(self, exchange: Exchange, answer: requests.Response) -> None:
        recorded = exchange.response
        self._equal("status", recorded["status"], answer.status_code)
        self._equal(
            "content type", _kind(exchange.header("Content-Type")), _kind(answer.headers.get("Content-Type", ""))
        )
        self._equal("X-Kobonaut", exchange.header("X-Kobonaut"), answer.headers.get("X-Kobonaut", ""))
        self._equal(
            "challenge", exchange.header("WWW-Authenticate")[:6], answer.headers.get("WWW-Authenticate", "")[:6]
        )
        self._text("Location", exchange.header("Location"), answer.headers.get("Location", ""))
        if exchange.request["method"] == "HEAD" or _kind(exchange.header("Content-Type")) == "html":
            return
        if "body_base64" in recorded:
            self._equal("bytes", base64.b64decode(recorded["body_base64"]), answer.content)
        elif "body_json" in recorded:
            body = answer.json()
            kept = recorded["body_json"]
            if recorded.get("body_truncated"):
                told = int(re.search(r"of (\d+) kept", recorded["body_truncated"]).group(1))
                self._equal("rows", told, len(body["results"]))
                body["results"] = body["results"][: len(kept["results"])]
            if exchange.request["path"].endswith("/history/") and "results" in kept:
                kept, body = self._in_one_order(kept), self._in_one_order(body)
            self._value("", kept, body)
        else:
            self._text("body", recorded.get("body_text") or "", answer.content.decode())

    def _in_one_order(self, history: dict[str, Any]) -> dict[str, Any]:
        """Of one bulk call Kobo notes the rows in no order."""

        def place(entry: dict[str, Any]) -> tuple[str, str, str]:
            submission = entry["metadata"].get("submission", {})
            root_uuid = submission.get("root_uuid", "")
            return entry["action"], submission.get("status", ""), self.bound.get(root_uuid, root_uuid)

        return history | {"results": sorted(history["results"], key=place)}

    def compare_value(self, place: str, recorded: Any, ours: Any) -> None:
        self._value(place, recorded, ours)

    def _equal(self, place: str, recorded: Any, ours: Any) -> None:
        if recorded != ours:
            self.differences.append(f"{place}: recorded {recorded!r}, ours {ours!r}")

    def _value(self, place: str, recorded: Any, ours: Any) -> None:
        if isinstance(recorded, dict) and isinstance(ours, dict):
            self._object(place, recorded, ours)
        elif isinstance(recorded, list) and isinstance(ours, list):
            self._list(place, recorded, ours)
        elif isinstance(recorded, str) and isinstance(ours, str):
            self._text(place, recorded, ours)
        else:
            self._equal(place, recorded, ours)

    def _object(self, place: str, recorded: dict[str, Any], ours: dict[str, Any]) -> None:
        self._equal(f"{place} keys", sorted(recorded), sorted(ours))
        for key in recorded.keys() & ours.keys():
            if key == "$kuid":
                self._equal(f"{place}/{key}", bool(recorded[key]), bool(ours[key]))
            elif key == "timestamp":
                self._equal(f"{place}/{key} within a second", True, abs(recorded[key] - ours[key]) <= 1)
            elif key not in _FREE_KEYS:
                self._value(f"{place}/{key}", recorded[key], ours[key])

    def _list(self, place: str, recorded: list[Any], ours: list[Any]) -> None:
        self._equal(f"{place} length", len(recorded), len(ours))
        if place.rpartition("/")[2] in _UNORDERED_KEYS:
            recorded, ours = sorted(recorded, key=_order), sorted(ours, key=_order)
        for number, (left, right) in enumerate(zip(recorded, ours, strict=False)):
            self._value(f"{place}/{number}", left, right)

    def _text(self, place: str, recorded: str, ours: str) -> None:
        left, right = self._neutral(recorded), self._neutral(ours)
        self._equal(place, _TOKEN.sub("<id>", left), _TOKEN.sub("<id>", right))
        for old, new in zip(_TOKEN.findall(left), _TOKEN.findall(right), strict=False):
            known = self.bound.setdefault(old, new)
            self._equal(f"{place} identity of {old}", known, new)

    def _neutral(self, text: str) -> str:
        text = _HOSTS.sub("<host>", unquote(text)).replace(self.base_url, "<host>")
        text = text.replace(self.listener_url, _LISTENER)
        # Asked with ?format=json, kpi appends that to every link in the answer.
        text = text.replace("/?format=json.", ".").replace("?format=json", "")
        return _TIME.sub("<time>", _KEY.sub("", _WEB_FORM.sub("<web form>", text)))


def _kind(content_type: str) -> str:
    for kind in ("json", "xml", "html"):
        if kind in content_type:
            return kind
    return content_type.partition(";")[0]


def _order(value: Any) -> str:
    """Order entries of an unordered list by what is not invented."""
    return _TOKEN.sub("", json.dumps(value, sort_keys=True)).replace("kobo.example.org", "")
