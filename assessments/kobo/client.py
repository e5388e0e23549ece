"""Reading from a KoboToolbox server (API v2).

Short troubles are ridden out here (a few tries, smaller pages); long ones surface as KoboUnavailable for the caller's
own schedule. The token goes to the server's own origin only, and into no error, repr or log.
"""

import json
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from urllib.parse import quote

import requests

from assessments.kobo.connection import KoboConnection
from assessments.kobo.errors import KoboRejected, KoboUnavailable
from assessments.kobo.payloads import MAX_KOBO_ID, clean_text, read_moment

logger = logging.getLogger(__name__)

T = TypeVar("T")
Row = dict[str, Any]

MIN_PAGE_SIZE = 50
JOIN_SECONDS = 5.0
HISTORY_PAGE = 100

# what makes the asset's detail heavy: the form, Enketo's links (a request to Enketo each time), rights, reports
_ASSET_EXCLUDE = (
    "content,deployment__links,deployment__data_download_links,deployed_versions,permissions,effective_permissions,"
    "assignable_permissions,files,report_styles,report_custom,map_styles,map_custom,export_settings,summary,"
    "analysis_form_json,downloads,embeds,children,paired_data"
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A Kobo project. `deployed_version_id` and `form_uuid` are "" while it has never been deployed.

    `deployment_status`: deployed, archived or draft. `submission_count` is Kobo's own counter, which can drift from
    `KoboClient.count`, and None for a token that sees only some rows.
    """

    uid: str
    name: str
    deployment_status: str
    deployed_version_id: str
    version_id: str
    submission_count: int | None
    form_uuid: str


@dataclass(frozen=True, slots=True)
class Probe:
    """The cheapest look at a project. ``newest_id``: None where it has no submissions."""

    count: int
    newest_id: int | None


@dataclass(frozen=True, slots=True)
class Edit:
    """An entry of the project's history: who changed a submission, when (UTC; None: not said)."""

    root_uuid: str
    username: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows by rising `_id`, as received (a broken server may put in what is not an object).

    `count`: rows that matched the query of this page, so on the first page of a walk all that will come, on later ones
    what was left. `asked`: the limit that was sent; the server may have capped it silently.
    """

    rows: list[Row]
    count: int
    asked: int


class KoboClient:
    """One server and one token. Safe to use from the prefetching thread and its consumer at the same time.

    `base_url` is the address of the "kf" host; a path such as /api/v2 at its end is taken off. `retries` counts further
    tries after the first, `backoff` is the first pause in seconds (doubled each time, with jitter).
    Raises KoboRejected `bad_address` or `bad_token` when address or token cannot be used at all.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        connect_timeout: float = 10,
        read_timeout: float = 130,
        retries: int = 4,
        backoff: float = 0.5,
        session: requests.Session | None = None,
    ) -> None:
        self._connection = KoboConnection(
            base_url,
            token,
            timeout=(connect_timeout, read_timeout),
            retries=retries,
            backoff=backoff,
            session=session,
        )
        self.host = self._connection.host
        self._get_object = self._connection.get_object

    @property
    def connection(self) -> KoboConnection:
        """For what is written to Kobo, or fetched as a file (`assessments.kobo.desk`)."""
        return self._connection

    def __repr__(self) -> str:
        return f"KoboClient({self._connection.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def whoami(self) -> str:
        """The user name behind the token. The one safe test of it: without a valid token, lists look merely empty."""
        me = self._get_object("/me/", missing="not_kobo")
        username = me.get("username")
        if not isinstance(username, str) or not username:
            raise KoboRejected("bad_token", host=self.host, status=200)
        return username

    def asset(self, asset_uid: str) -> Asset:
        found = self._get_object(_asset_path(asset_uid), {"exclude": _ASSET_EXCLUDE}, asset_uid=asset_uid)
        count = found.get("deployment__submission_count")
        return Asset(
            uid=_take_text(found, "uid") or asset_uid,
            name=_take_text(found, "name"),
            deployment_status=_take_text(found, "deployment_status") or _derive_status(found),
            deployed_version_id=_take_text(found, "deployed_version_id"),
            version_id=_take_text(found, "version_id"),
            submission_count=count if type(count) is int else None,
            form_uuid=_take_text(found, "deployment__uuid"),
        )

    def version_content(self, asset_uid: str, version_uid: str) -> dict[str, Any]:
        """The form as it was saved for one version: `survey`, `choices`, `settings`, `translations`, `translated`.

        The asset's own `content` is the draft, which may be ahead of what phones have; it is never used.
        """
        path = f"{_asset_path(asset_uid)}versions/{quote(version_uid, safe='')}/"
        try:
            version = self._get_object(path, asset_uid=asset_uid, missing="no_version", version_uid=version_uid)
        except KoboRejected as error:
            if error.code == "no_version":
                self.asset(asset_uid)  # raises no_project if it is the project that is gone
            raise
        content = version.get("content")
        if not isinstance(content, dict):
            raise KoboUnavailable("bad_answer", host=self.host, what="version without content")
        return content

    def count(self, asset_uid: str) -> int:
        """How many submissions this token may see, counted by Kobo at this moment."""
        return self._get_page(asset_uid, {"limit": "1", "fields": _to_json(["_id"])}, asked=1).count

    def probe(self, asset_uid: str) -> Probe:
        """Count and newest ``_id`` in one small request."""
        params = {"limit": "1", "fields": _to_json(["_id"]), "sort": '{"_id":-1}'}
        page = self._get_page(asset_uid, params, asked=1)
        newest = page.rows[0].get("_id") if page.rows and isinstance(page.rows[0], dict) else None
        return Probe(page.count, newest if type(newest) is int else None)

    def iter_edits(self, asset_uid: str, *, since: datetime) -> Iterator[Edit]:
        """Who edited submissions since then (UTC), newest first, from the project's history.

        Raises KoboRejected ``forbidden`` for an account that does not manage the project. A history is kept for a
        limited time and is no proof of anything: a hint who, beside what the listing shows.
        """
        text = f'action:modify-submission AND date_created__gte:"{since:%Y-%m-%d %H:%M:%S}"'
        start, path = 0, f"{_asset_path(asset_uid)}history/"
        while True:
            params = {"q": text, "limit": str(HISTORY_PAGE), "start": str(start)}
            answer = self._get_object(path, params, asset_uid=asset_uid)
            entries = answer.get("results")
            if not isinstance(entries, list):
                raise KoboUnavailable("bad_answer", host=self.host, what="history without results")
            for entry in entries:
                if isinstance(entry, dict) and (edit := _read_edit(entry)) is not None:
                    yield edit
            start += len(entries)
            if not entries or answer.get("next") is None:
                return

    def iter_pages(
        self,
        asset_uid: str,
        *,
        after_id: int = 0,
        up_to_id: int | None = None,
        where: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
        page_size: int = 1000,
    ) -> Iterator[Page]:
        """Walk the submissions with `after_id` < `_id` <= `up_to_id` by rising `_id`, a page at a time. ``where``:
        further conditions in MongoDB's words, of the operators that Kobo lets through.

        Never skips a row; one that appears behind the walk (late attachments) is for the caller's overlap. A page that
        is too heavy (502, 504, time-out, broken off) is asked again from the same id at half the size, down to 50.
        Rows without a usable `_id`, and rows that are not objects, stay in their page. Rows that do not rise (a cache,
        a server that ignores the query) raise KoboUnavailable `paging_broken` before that page is handed out.
        With `fields`, a row's `_validation_status` is {} unless it was asked for.
        """

        def narrow(after: int) -> dict[str, Any] | None:
            if up_to_id is None:
                return {"$gt": after}
            return {"$gt": after, "$lte": up_to_id} if after < up_to_id else None

        return self._walk(asset_uid, narrow, after_id=after_id, where=where, fields=fields, page_size=page_size)

    def rows_by_id(
        self, asset_uid: str, ids: Iterable[int], *, fields: Sequence[str] | None = None, chunk: int = 300
    ) -> Iterator[list[Row]]:
        """The rows with these ids, in lists of at most `chunk`, by rising `_id`; what Kobo does not have is left out.

        The ids travel in the address: more than about 500 overflow the header buffers of nginx and uWSGI.
        """
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), chunk):
            part = wanted[start : start + chunk]

            def narrow(after: int, part: list[int] = part) -> dict[str, Any] | None:
                left = [kobo_id for kobo_id in part if kobo_id > after]
                return {"$in": left} if left else None

            walk = self._walk(asset_uid, narrow, after_id=part[0] - 1, fields=fields, page_size=len(part))
            yield from (page.rows for page in walk if page.rows)

    def submission(self, asset_uid: str, kobo_id: int) -> Row | None:
        """One row, or None if Kobo does not have it *for this token* while the project's data still answers."""
        path = f"{_asset_path(asset_uid)}data/{kobo_id}/"
        try:
            return self._get_object(path, asset_uid=asset_uid, missing="no_submission", kobo_id=kobo_id)
        except KoboRejected as error:
            if error.code != "no_submission":
                raise
        self.count(asset_uid)  # raises no_project if it is the project or the right that is gone
        return None

    def edit_url(self, asset_uid: str, kobo_id: int) -> str:
        """A link that opens this submission in Kobo's web form. It carries no token: who opens it logs in at Kobo."""
        path = f"{_asset_path(asset_uid)}data/{kobo_id}/enketo/edit/"
        try:
            link = self._get_object(
                path, {"return_url": "false"}, asset_uid=asset_uid, missing="no_submission", kobo_id=kobo_id
            )
        except KoboRejected as error:
            if error.code == "no_submission":
                self.count(asset_uid)
            raise
        url = _take_text(link, "url")
        if not url.startswith(("https://", "http://")):
            raise KoboUnavailable("bad_answer", host=self.host, what="edit link")
        return url

    def _walk(
        self,
        asset_uid: str,
        narrow: Callable[[int], dict[str, Any] | None],
        *,
        after_id: int,
        where: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None,
        page_size: int,
    ) -> Iterator[Page]:
        """`narrow(after)` is the condition on `_id` for what is left after that id, None when nothing can be left."""
        floor = min(MIN_PAGE_SIZE, page_size)
        while (condition := narrow(after_id)) is not None:
            params = {
                "query": _to_json({"_id": condition, **(where or {})}),
                "sort": '{"_id":1}',
                "limit": str(page_size),
            }
            if fields is not None:
                params["fields"] = _to_json(list(fields))
            try:
                page = self._get_page(asset_uid, params, asked=page_size)
            except KoboUnavailable as error:
                if page_size <= floor or not _is_too_heavy(error):
                    raise
                page_size = max(floor, page_size // 2)
                logger.info("Kobo %s: %s after row %s, page size now %s", self.host, error.code, after_id, page_size)
                continue
            last_id = self._check_order(page.rows, after_id, asset_uid)
            if page.rows:
                yield page
            # a short page with nothing more to match is the end; otherwise the server's cap was below what was asked
            if not page.rows or (len(page.rows) < page.asked and page.count <= len(page.rows)):
                return
            if last_id == after_id:
                raise self._broken_paging(asset_uid, after_id)
            after_id = last_id

    def _check_order(self, rows: list[Row], after_id: int, asset_uid: str) -> int:
        """The last usable id of the page, or `after_id` if it has none."""
        last_id = after_id
        for row in rows:
            kobo_id = row.get("_id") if isinstance(row, dict) else None
            if type(kobo_id) is not int or abs(kobo_id) > MAX_KOBO_ID:
                continue
            if kobo_id <= last_id:
                raise self._broken_paging(asset_uid, after_id)
            last_id = kobo_id
        return last_id

    def _broken_paging(self, asset_uid: str, after_id: int) -> KoboUnavailable:
        return KoboUnavailable("paging_broken", host=self.host, asset_uid=asset_uid, after_id=after_id)

    def _get_page(self, asset_uid: str, params: Mapping[str, str], *, asked: int) -> Page:
        answer = self._get_object(f"{_asset_path(asset_uid)}data/", params, asset_uid=asset_uid)
        rows, count = answer.get("results"), answer.get("count")
        if not isinstance(rows, list) or type(count) is not int:
            raise KoboUnavailable("bad_answer", host=self.host, what="listing without count and results")
        return Page(rows, count, asked)


def prefetch(pages: Iterator[T], depth: int = 1) -> Generator[T, None, None]:
    """The same items; up to `depth` of them are fetched in a thread while the consumer works on the one it has.

    An error of `pages` is raised in the consumer, after the items before it. Closing early ends the thread at once, or,
    if it is inside a request, after that request: the close waits at most 5 s for it. `pages` is closed by the thread.
    """
    room, ready, stop = Semaphore(depth), SimpleQueue[tuple[bool, T | BaseException]](), Event()
    thread = Thread(target=_fill, args=(pages, room, ready, stop), name="kobo-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            is_item, item = ready.get()
            if not is_item:
                if isinstance(item, StopIteration):
                    return
                raise cast(BaseException, item)
            room.release()
            yield cast(T, item)
    finally:
        stop.set()
        room.release()
        thread.join(JOIN_SECONDS)


def _fill(pages: Iterator[T], room: Semaphore, ready: SimpleQueue[tuple[bool, T | BaseException]], stop: Event) -> None:
    try:
        while room.acquire() and not stop.is_set():
            ready.put((True, next(pages)))
    except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
        ready.put((False, error))
    finally:
        close = getattr(pages, "close", None)
        if close is not None:
            close()


def _asset_path(asset_uid: str) -> str:
    return f"/api/v2/assets/{quote(asset_uid, safe='')}/"


def _to_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _take_text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    return clean_text(value) if isinstance(value, str) else ""


def _derive_status(found: Mapping[str, Any]) -> str:
    """Servers before 2023 do not send `deployment_status`."""
    if not found.get("has_deployment"):
        return "draft"
    return "deployed" if found.get("deployment__active") else "archived"


def _read_edit(entry: Mapping[str, Any]) -> Edit | None:
    metadata = entry.get("metadata")
    submission = metadata.get("submission") if isinstance(metadata, dict) else None
    # With a status it tells of a validation, not of an edit.
    if not isinstance(submission, dict) or entry.get("action") != "modify-submission" or "status" in submission:
        return None
    root_uuid, username = _take_text(submission, "root_uuid"), _take_text(entry, "username")
    at = read_moment(entry.get("date_created"))
    return Edit(root_uuid.removeprefix("uuid:"), username, at) if root_uuid and username else None


def _is_too_heavy(error: KoboUnavailable) -> bool:
    if error.code == "server_unavailable":
        return error.params.get("status") in (502, 504)
    return error.code in ("timed_out", "connection_cut", "query_failed")
