"""The client and the parser against what a real Kobo answered, served again over HTTP."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Response

from assessments.kobo.client import Asset, KoboClient
from assessments.kobo.errors import KoboError
from assessments.kobo.payloads import parse_submission, raw_text

UID = "awJCzV5ZKuy4eFW6Xrg3Kf"


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _iter_gets(recordings: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for path in sorted(recordings.glob("*/*.json")):
        exchange = _read(path)
        if exchange.get("request", {}).get("method") == "GET":
            yield f"{path.parent.name}/{path.stem}", exchange["request"], exchange["response"]


def _serve(httpserver: HTTPServer, response: dict[str, Any], path: str) -> None:
    if "body_json" in response:
        body = json.dumps(response["body_json"]).encode()
    else:
        body = response.get("body_text", "").encode() or base64.b64decode(response.get("body_base64", ""))
    headers = [(key, value) for key, value in response["headers"] if key in ("Content-Type", "Location")]
    httpserver.expect_request(path).respond_with_response(Response(body, response["status"], headers))


def test_every_recorded_row_parses(recordings: Path) -> None:
    parsed = 0
    for name, request, response in _iter_gets(recordings):
        body = response.get("body_json")
        if not re.search(r"/data(\.json)?/?$", request["path"]) or not isinstance(body, dict):
            continue
        for row in body.get("results", []):
            payload = parse_submission(row)
            assert (name, payload.kobo_id, payload.uuid) == (name, row["_id"], row["_uuid"])
            assert json.loads(raw_text(row)) == row
            parsed += 1

    assert parsed > 500


def test_recorded_edit_keeps_id_and_root_and_moves_uuid_and_fingerprint(recordings: Path) -> None:
    before, after = (
        parse_submission(_read(recordings / "05_edit" / name)["response"]["body_json"])
        for name in ("002_before.json", "007_after.json")
    )

    assert (after.kobo_id, after.root_uuid, after.deprecated_uuid) == (before.kobo_id, before.root_uuid, before.uuid)
    assert (after.submitted_at, after.validation_uid) == (before.submitted_at, before.validation_uid)
    assert (after.uuid == before.uuid, after.fingerprint == before.fingerprint) == (False, False)


def test_recorded_photo_deletion_marks_the_photo_and_no_answer(recordings: Path) -> None:
    before, after = (
        parse_submission(_read(recordings / "12_attachments" / name)["response"]["body_json"])
        for name in ("001_row_with_attachment.json", "021_row_after_attachment_delete.json")
    )

    assert [photo.is_deleted for photo in before.attachments].count(True) == 0
    assert [photo.is_deleted for photo in after.attachments].count(True) == 1
    assert (before.uuid == after.uuid, before.fingerprint == after.fingerprint) == (True, True)


# every recorded refusal of a GET that the client makes: and what it becomes
REFUSALS = {
    "01_auth_and_empty/007_me_anonymous": "KoboRejected bad_token",
    "01_auth_and_empty/008_me_wrong_token": "KoboRejected bad_token",
    "02_form_import_deploy/007_data_of_undeployed_asset": "KoboRejected not_deployed",
    "02_form_import_deploy/020_asset_not_found": "KoboRejected no_project",
    "02_form_import_deploy/021_asset_anonymous": "KoboRejected no_project",
    "02_form_import_deploy/022_asset_stranger": "KoboRejected no_project",
    "02_form_import_deploy/023_asset_wrong_token": "KoboRejected bad_token",
    "04_data_listing/014_sort_minus_style": "KoboRejected bad_request",
    "04_data_listing/015_sort_list_style": "KoboUnavailable server_error",
    "04_data_listing/044_fields_bad": "KoboRejected bad_request",
    "04_data_listing/045_query_bad_json": "KoboRejected bad_request",
    "04_data_listing/046_query_not_object": "KoboUnavailable server_error",
    "04_data_listing/047_query_number": "KoboUnavailable server_error",
    "04_data_listing/051_limit_zero": "KoboRejected bad_request",
    "04_data_listing/052_limit_negative": "KoboRejected bad_request",
    "04_data_listing/053_limit_text": "KoboRejected bad_request",
    "04_data_listing/054_start_negative": "KoboRejected bad_request",
    "04_data_listing/055_start_text": "KoboRejected bad_request",
    "04_data_listing/056_count_param": "KoboRejected bad_request",
    "04_data_listing/062_format_xml_sort": "KoboRejected bad_request",
    "04_data_listing/070_detail_404": "None",
    "04_data_listing/072_data_unknown_asset": "KoboRejected no_project",
    "04_data_listing/073_data_anonymous": "KoboRejected no_project",
    "04_data_listing/074_data_stranger": "KoboRejected no_project",
    "04_data_listing/075_data_wrong_token": "KoboRejected bad_token",
    "06_delete/002_get_deleted": "None",
    "11_permissions/003_before_data": "KoboRejected no_project",
    "11_permissions/006_data_with_view_asset_only": "KoboRejected no_project",
    "11_permissions/027_partial_other_row": "None",
    "11_permissions/035_data_viewer_after_bulk": "KoboRejected no_project",
    "14_exports_archive_misc/020_get_deleted_asset": "KoboRejected no_project",
    "14_exports_archive_misc/021_data_of_deleted_asset": "KoboRejected no_project",
    "16_ghost_after_deadlock/003_ghost_xml": "KoboRejected no_project",
}


def _call(client: KoboClient, path: str) -> object:
    """Make the call that asks for this path; NotImplemented if the client never asks for it."""
    if path == "/me/":
        return client.whoami()
    match = re.fullmatch(r"/api/v2/assets/(\w{22})/(?:(data)/)?(?:(\d+)/)?", path)
    if match is None:
        return NotImplemented
    asset_uid, data, kobo_id = match.groups()
    if kobo_id:
        return client.submission(asset_uid, int(kobo_id))
    return client.count(asset_uid) if data else client.asset(asset_uid)


def _name_outcome(client: KoboClient, path: str) -> str:
    try:
        return repr(_call(client, path))
    except KoboError as error:
        return f"{type(error).__name__} {error.code}"


def test_every_recorded_refusal_is_classified(recordings: Path, httpserver: HTTPServer, client: KoboClient) -> None:
    met = {}
    for name, request, response in _iter_gets(recordings):
        if response["status"] >= 400:
            httpserver.clear()
            _serve(httpserver, response, request["path"])
            # for a missing row: the project itself still answers
            httpserver.expect_request(re.compile(r".*/data/")).respond_with_json({"count": 1, "results": []})
            met[name] = _name_outcome(client, request["path"])

    assert {name: outcome for name, outcome in met.items() if outcome != "NotImplemented"} == REFUSALS


def test_recorded_asset_deployed_and_draft(recordings: Path, httpserver: HTTPServer, client: KoboClient) -> None:
    read = []
    for name in ("006_asset_detail_draft", "012_asset_detail_deployed", "024_asset_detail_after"):
        folder = "03_submit" if name.startswith("024") else "02_form_import_deploy"
        httpserver.clear()
        _serve(httpserver, _read(recordings / folder / f"{name}.json")["response"], f"/api/v2/assets/{UID}/")
        read.append(client.asset(UID))

    title, version, form_uuid = "DTM Baseline and Focus Group KAZ", "vaQStwmY7aqHb65s7VMzuf", read[1].form_uuid
    assert read == [
        Asset(UID, title, "draft", "", version, 0, ""),
        Asset(UID, title, "deployed", version, version, 0, form_uuid),
        Asset(UID, title, "deployed", version, version, 31, form_uuid),
    ]
    assert form_uuid == "f4758cbf09d54321b317078500db28d0"


def test_recorded_version_content_is_the_form(recordings: Path, httpserver: HTTPServer, client: KoboClient) -> None:
    exchange = _read(recordings / "02_form_import_deploy" / "014_asset_version_detail.json")
    _serve(httpserver, exchange["response"], exchange["request"]["path"])
    content = client.version_content(UID, "vaQStwmY7aqHb65s7VMzuf")

    assert content["translations"] == ["English (en)", "Русский (ru)", "Қазақша (kk)"]
    assert content["survey"][0] == {
        "name": "start",
        "type": "start",
        "$kuid": "G7xwUm2el",
        "$xpath": "start",
        "$autoname": "start",
    }


def test_recorded_whoami_count_row_and_edit_link(recordings: Path, httpserver: HTTPServer, client: KoboClient) -> None:
    for name in (
        "01_auth_and_empty/006_me",
        "04_data_listing/002_limit_10",
        "05_edit/002_before",
        "05_edit/004_enketo_edit_link",
    ):
        exchange = _read(recordings / f"{name}.json")
        _serve(httpserver, exchange["response"], exchange["request"]["path"])
    kobo_id = int(exchange["request"]["path"].split("/")[6])

    assert (client.whoami(), client.count(UID)) == ("iom_admin", 31)
    assert client.submission(UID, kobo_id) == _read(recordings / "05_edit/002_before.json")["response"]["body_json"]
    assert client.edit_url(UID, kobo_id) == exchange["response"]["body_json"]["url"]


def test_recorded_capped_page_and_missing_slash(recordings: Path, httpserver: HTTPServer, client: KoboClient) -> None:
    """1,000 rows came for a limit of 30,000; an address without its slash is redirected on the same server."""
    exchange = _read(recordings / "15_paging_large" / "005_limit_30000.json")
    _serve(httpserver, exchange["response"], exchange["request"]["path"])
    page = next(client.iter_pages(exchange["request"]["path"].split("/")[4], page_size=30_000))

    assert (page.count, page.asked, page.rows) == (1200, 30_000, exchange["response"]["body_json"]["results"])
