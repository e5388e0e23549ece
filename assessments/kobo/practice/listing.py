"""The data list: parameters, pages, formats, as Kobo answers them (kobo_api.md section 4, recordings 04, 04b, 15)."""

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from assessments.kobo.practice.accounts import Access
from assessments.kobo.practice.answers import write_xml
from assessments.kobo.practice.context import Context
from assessments.kobo.practice.exchange import (
    HttpError,
    Request,
    Response,
    as_json,
    dumps,
    page_links,
    server_error,
)
from assessments.kobo.practice.query import (
    Filter,
    QueryCrash,
    QueryError,
    build_filter,
    build_predicate,
    parse_query,
    parse_sort,
    sort_as_sql,
    sort_rows,
)
from assessments.kobo.practice.submissions import HOST_MARK, parse_body

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000
XML_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
# Passed on as keyword arguments inside Kobo, where they collide with its own.
_CRASHING = ("user", "request", "for_output", "format_type", "skip_count")
_LIGHT_COLUMNS = {
    "_id": "kobo_id",
    "_uuid": "uuid",
    "meta/rootUuid": "root_uuid",
    "meta/instanceID": "instance_id",
    "meta/deprecatedID": "deprecated_id",
    "_submission_time": "submission_time",
    "_submitted_by": "submitted_by",
    "_validation_status": "validation",
    "__version__": "version_uid",
}


@dataclass(frozen=True)
class ListParameters:
    limit: int
    start: int
    sort: list[tuple[str, int]]
    query: Any
    fields: list[str]


@dataclass(frozen=True)
class Page:
    """Rows of one page as JSON texts, addresses still without host, and how many rows match in all."""

    count: int
    texts: list[str]
    kobo_ids: list[int]


def read_parameters(request: Request) -> ListParameters:
    if "count" in request.query:
        text = "This param is not implemented. Use `count` property of the response instead."
        raise HttpError(as_json({"count": text}, status=400))
    if any(name in request.query for name in _CRASHING):
        raise HttpError(server_error())
    limit = _read_number(request, "limit", DEFAULT_PAGE_SIZE, least=1, error="A positive integer is required")
    start = _read_number(request, "start", 0, least=0, error="A positive integer is required.")
    try:
        sort = parse_sort(request.parameter("sort") or '{"_id": 1}')
    except QueryCrash:
        raise HttpError(server_error()) from None
    except ValueError:
        raise HttpError(_bad_json("sort")) from None
    try:
        query = parse_query(request.parameter("query") or "{}")
    except ValueError:
        raise HttpError(_bad_json("query")) from None
    return ListParameters(min(limit, MAX_PAGE_SIZE), start, sort, query, _read_fields(request))


def _read_fields(request: Request) -> list[str]:
    text = request.parameter("fields")
    if not text:
        return []
    try:
        fields = json.loads(text)
    except ValueError:
        raise HttpError(_bad_json("fields")) from None
    if not isinstance(fields, list):
        raise HttpError(server_error())
    return [str(name) for name in fields]


def _bad_json(name: str) -> Response:
    return as_json({name: "Value must be valid JSON."}, status=400)


def _read_number(request: Request, name: str, default: int, *, least: int, error: str) -> int:
    text = request.parameter(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < least:
        raise HttpError(as_json({name: error}, status=400))
    return number


def select_rows(
    context: Context, project: sqlite3.Row, access: Access, query: Any, *, columns: str = "*", with_ghosts: bool = False
) -> list[sqlite3.Row]:
    """Return the rows that a bulk call's query names, in the order of ``_id``."""
    chosen = build_row_filter(query, access)
    where, values = _where(project, chosen)
    if not with_ghosts:
        where += " AND ghost = 0"
    sql = " ".join(("SELECT", columns, "FROM submission WHERE", where, "ORDER BY kobo_id"))
    rows = context.db.execute(sql, values).fetchall()
    return [row for row in rows if chosen.matches(parse_body(row["body"]))] if chosen.predicates else rows


def build_row_filter(query: Any, access: Access) -> Filter:
    """Join the caller's query with what a partial permission lets see; both can only narrow."""
    try:
        chosen = build_filter(query)
        if access.filters is not None:
            partial = [build_predicate(part) for part in access.filters]
            chosen.predicates.append(lambda row: any(part(row) for part in partial))
    except QueryCrash:
        raise HttpError(server_error()) from None
    except QueryError:
        raise HttpError(as_json(["Unsupported query"], status=400)) from None
    return chosen


def _where(project: sqlite3.Row, chosen: Filter) -> tuple[str, list[Any]]:
    conditions = ["project_uid = ?", "hidden = 0", *(f"({condition})" for condition in chosen.conditions)]
    return " AND ".join(conditions), [project["uid"], *chosen.values]


def read_page(context: Context, project: sqlite3.Row, access: Access, parameters: ListParameters) -> Page:
    chosen = build_row_filter(parameters.query, access)
    where, values = _where(project, chosen)
    order = sort_as_sql(parameters.sort)
    if chosen.predicates or order is None:
        return _page_by_rows(context, chosen, parameters, where, values)
    count = context.db.execute(" ".join(("SELECT COUNT(*) FROM submission WHERE", where)), values).fetchone()[0]
    light = bool(parameters.fields) and set(parameters.fields) <= set(_LIGHT_COLUMNS)
    columns = ", ".join(_LIGHT_COLUMNS.values()) if light else "kobo_id, body"
    sql = " ".join(("SELECT", columns, "FROM submission WHERE", where, "ORDER BY", order, "LIMIT ? OFFSET ?"))
    rows = context.db.execute(sql, [*values, parameters.limit, parameters.start]).fetchall()
    ids = [row["kobo_id"] for row in rows]
    if light:
        return Page(count, _write_light(rows, parameters.fields), ids)
    if not parameters.fields:
        return Page(count, [row["body"] for row in rows], ids)
    return Page(
        count,
        [dumps(_pick(parse_body(row["body"], base_url=context.request.base_url), parameters.fields)) for row in rows],
        ids,
    )


def _page_by_rows(context: Context, chosen: Filter, parameters: ListParameters, where: str, values: list[Any]) -> Page:
    sql = " ".join(("SELECT body FROM submission WHERE", where, "ORDER BY kobo_id"))
    rows = [parse_body(row["body"], base_url=context.request.base_url) for row in context.db.execute(sql, values)]
    matching = sort_rows([row for row in rows if chosen.matches(row)], parameters.sort)
    page = matching[parameters.start : parameters.start + parameters.limit]
    texts = [dumps(_pick(row, parameters.fields) if parameters.fields else row) for row in page]
    return Page(len(matching), texts, [row["_id"] for row in page])


def _pick(row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """Keep the fields asked for and what always comes; a validation status that was not asked for comes empty."""
    wanted = {*fields, "_id", "_uuid", "meta/rootUuid"}
    picked = {key: value for key, value in row.items() if key in wanted}
    return picked if "_validation_status" in picked else {**picked, "_validation_status": {}}


def _write_light(rows: list[sqlite3.Row], fields: list[str]) -> list[str]:
    """Write rows from columns alone, without reading their bodies."""
    always = ("_uuid", "meta/rootUuid")
    extra = [name for name in dict.fromkeys(fields) if name not in {*always, "_id", "_validation_status"}]
    names = [(dumps(name), _LIGHT_COLUMNS[name]) for name in extra]
    status = "_validation_status" in fields
    texts = []
    for row in rows:
        more = "".join(f"{key}:{dumps(row[column])}," for key, column in names if row[column] is not None)
        texts.append(
            f'{{{more}"_uuid":{dumps(row["uuid"])},"meta/rootUuid":{dumps(row["root_uuid"])},'
            f'"_id":{row["kobo_id"]},"_validation_status":{row["validation"] if status else "{}"}}}'
        )
    return texts


def get_list(context: Context, uid: str) -> Response:
    begun = time.monotonic()
    project, access = context.data(uid)
    request = context.request
    as_xml = request.parameter("format") == "xml"
    if as_xml and ("sort" in request.query or "fields" in request.query):
        name = "sort" if "sort" in request.query else "fields"
        text = f"{XML_HEAD}<root><{name}>This param is not supported in `XML` format</{name}></root>"
        return Response(400, text.encode(), "application/xml; charset=utf-8")
    parameters = read_parameters(request)
    page = read_page(context, project, access, parameters)
    following, previous = _links(request, parameters, page.count)
    if as_xml:
        return _as_xml(context, project, page, following, previous)
    text = (
        f'{{"count":{page.count},"next":{dumps(following)},"previous":{dumps(previous)},'
        f'"results":[{",".join(page.texts)}]}}'
    )
    response = Response(body=text.replace(HOST_MARK, request.base_url).encode("utf-8", "replace"))
    _slow_down(context, begun, len(page.texts), light=bool(parameters.fields))
    return response


def _slow_down(context: Context, begun: float, rows: int, *, light: bool) -> None:
    full, ids = context.kobo.read_pace(context.db)
    rest = (ids if light else full) * rows / MAX_PAGE_SIZE - (time.monotonic() - begun)
    if rest > 0:
        time.sleep(rest)


def _links(request: Request, parameters: ListParameters, count: int) -> tuple[str | None, str | None]:
    """``offset``, ``page`` and ``page_size`` change the links though not the rows: wrong pages without an error."""
    limit, start = parameters.limit, parameters.start
    page = _number_or_none(request.parameter("page"))
    if page is not None and "start" not in request.query:
        limit = min(_number_or_none(request.parameter("page_size")) or limit, MAX_PAGE_SIZE)
        start = (page - 1) * limit
    elif "start" not in request.query:
        start = _number_or_none(request.parameter("offset")) or start
    return page_links(request, count=count, start=start, limit=limit)


def _number_or_none(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and int(text) > 0 else None


def _as_xml(
    context: Context, project: sqlite3.Row, page: Page, following: str | None, previous: str | None
) -> Response:
    documents = []
    for kobo_id in page.kobo_ids:
        row = context.db.execute("SELECT * FROM submission WHERE kobo_id = ?", (kobo_id,)).fetchone()
        documents.append(submission_xml(project, row).removeprefix(XML_HEAD))
    links = "".join(
        f"<{name}>{str(link).replace('&', '&amp;')}</{name}>"
        for name, link in (("next", following), ("previous", previous))
    )
    text = f"{XML_HEAD}<root><count>{page.count}</count>{links}<results>{''.join(documents)}</results></root>"
    return Response(body=text.encode("utf-8", "replace"), content_type="application/xml; charset=utf-8")


def submission_xml(project: sqlite3.Row, row: sqlite3.Row) -> str:
    """Return the XML as it arrived, or one built from the answers."""
    return str(row["xml"]) if row["xml"] else write_xml(parse_body(row["body"]), root=project["uid"])
