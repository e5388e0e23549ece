"""Everything that the product ever asks a Kobo, and the recordings that show how a real one answers to it.

The calls are made here, one by one, and noted as they leave: a new one, or a new parameter, has no recording here and
fails. What a recording shows the practice Kobo is compared with in `test_contract`.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from assessments.kobo import deployment, form_media, hooks, validation, versions
from assessments.kobo.attachments import attachment_path
from assessments.kobo.client import KoboClient
from assessments.kobo.forms import KINDS, read_form, write_xlsx
from assessments.kobo.practice.server import running
from assessments.kobo.practice.state import PracticeKobo
from tests.assessments.kobo.practice.conftest import CONTENT, PROJECT
from tests.assessments.kobo.practice.replay import RECORDINGS, load
from tests.assessments.kobo.practice.test_contract import FOLDERS, OUT_OF_SCOPE

PICTURE = ("one.jpg", "image/jpeg", b"\xff\xd8\xff\xe0one")
_LISTED = ("04_data_listing/002_limit_10", "04_data_listing/010_sort_id", "04_data_listing/040_fields_id_uuid")
# (method, address, names of parameters and of a query's operators) -> recordings that show them together.
CALLS: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "/me/"): ("01_auth_and_empty/006_me", "01_auth_and_empty/008_me_wrong_token"),
    ("GET", "/api/v2/assets/"): (
        "02_form_import_deploy/016_assets_list",
        "02_form_import_deploy/017_assets_list_q_deployed",
        "02_form_import_deploy/018_assets_list_metadata",
    ),
    ("GET", "/api/v2/assets/{}/"): (
        "02_form_import_deploy/006_asset_detail_draft",
        "02_form_import_deploy/012_asset_detail_deployed",
        "02_form_import_deploy/020_asset_not_found",
    ),
    ("GET", "/api/v2/assets/{}/versions/{}/"): ("02_form_import_deploy/014_asset_version_detail",),
    ("GET", "/api/v2/assets/{}/data/"): (),
    ("GET", "/api/v2/assets/{}/data/{}/"): ("05_edit/002_before", "04_data_listing/070_detail_404"),
    ("GET", "/api/v2/assets/{}/data/{}/enketo/edit/"): ("05_edit/004_enketo_edit_link",),
    ("GET", "/api/v2/assets/{}/data/{}/attachments/{}/"): (
        "12_attachments/002_download",
        "12_attachments/018_unknown_attachment",
    ),
    ("GET", "/api/v2/assets/{}/data/{}/attachments/"): ("12_attachments/015_by_xpath",),
    ("GET", "/api/v2/assets/{}/history/"): (
        "05_edit/035_history_modify",
        "05_edit/036_history_stranger",
        "07_validation_status/043_history_after_validation",
    ),
    ("PATCH", "/api/v2/assets/{}/data/validation_statuses/"): (
        "07_validation_status/022_bulk_patch",
        "07_validation_status/024_bulk_patch_missing_id",
    ),
    ("DELETE", "/api/v2/assets/{}/data/validation_statuses/"): ("07_validation_status/033_bulk_delete_with_null_uid",),
    ("GET", "/api/v2/assets/{}/hooks/"): ("09_hooks/001_list_empty", "09_hooks/031_hooks_list"),
    ("POST", "/api/v2/assets/{}/hooks/"): ("09_hooks/002_create_json_hook",),
    ("PATCH", "/api/v2/assets/{}/hooks/{}/"): ("09_hooks/013_patch_subset_and_template",),
    ("DELETE", "/api/v2/assets/{}/hooks/{}/"): ("09_hooks/035_delete_hook",),
    ("POST", "/api/v2/imports/"): (
        "02_form_import_deploy/001_import_xlsform_multipart",
        "10_new_version/001_import_into_asset",
    ),
    ("GET", "/api/v2/imports/{}/"): (
        "02_form_import_deploy/002_import_poll",
        "02_form_import_deploy/005_import_poll_broken",
    ),
    ("POST", "/api/v2/assets/{}/deployment/"): ("02_form_import_deploy/009_deploy",),
    ("PATCH", "/api/v2/assets/{}/deployment/"): ("10_new_version/005_deploy_patch",),
    ("POST", "/api/v2/assets/{}/permission-assignments/"): ("11_permissions/020_assign_add_submissions",),
    ("GET", "/api/v2/assets/{}/files/"): ("08_asset_files/005_list_form_media",),
    ("POST", "/api/v2/assets/{}/files/"): ("08_asset_files/002_upload_multipart",),
    ("DELETE", "/api/v2/assets/{}/files/{}/"): ("08_asset_files/008_delete",),
}
# Parameters, and inside a listing's query the operators and what they stand at.
PARAMETERS: dict[tuple[str, str], dict[str, str]] = {
    ("GET", "/api/v2/assets/"): {
        "q": "02_form_import_deploy/017_assets_list_q_deployed",
        "limit": "02_form_import_deploy/017_assets_list_q_deployed",
        "ordering": "02_form_import_deploy/018_assets_list_metadata",
    },
    ("GET", "/api/v2/assets/{}/data/"): {
        "limit": "15_paging_large/003_limit_1000",
        "sort": "04_data_listing/024_query_id_gt",
        "fields": "04b_time_bounds/002_gt",
        "query": "04_data_listing/024_query_id_gt",
        "_id $gt": "04_data_listing/028_query_id_gt_limit",
        "_id $lte": "04b_time_bounds/007_lte",
        "_id $in": "04_data_listing/026_query_id_in",
        "$or": "04_data_listing/037_query_or",
        "_submission_time $gte": "04b_time_bounds/003_gte",
        "meta/deprecatedID $exists": "05_edit/034_edited_only_query",
        "_validation_status.timestamp $gt": "07_validation_status/011_sort_by_validation_timestamp",
    },
    ("GET", "/api/v2/assets/{}/history/"): {
        "q": "06_delete/020_audit_history_since",
        "limit": "07_validation_status/043_history_after_validation",
    },
    ("GET", "/api/v2/assets/{}/files/"): {"file_type": "08_asset_files/005_list_form_media"},
    ("GET", "/api/v2/assets/{}/data/{}/attachments/"): {"xpath": "12_attachments/015_by_xpath"},
}
# No recording shows them: each is documented at Kobo and harmless where a server does not know it.
UNRECORDED = {
    ("GET", "/api/v2/assets/{}/", "exclude"): "leaves out heavy parts; without it more comes",
    ("GET", "/api/v2/assets/", "start"): "the second page of a list of projects, in Kobo's own links",
    ("GET", "/api/v2/assets/{}/history/", "start"): "the second page, as in the `next` of 06_delete/018",
    ("GET", "/api/v2/assets/{}/hooks/", "limit"): "a project has few; without it the first hundred come",
    ("GET", "/api/v2/assets/{}/files/", "limit"): "a form has few; without it the first hundred come",
    ("GET", "/api/v2/assets/{}/data/{}/enketo/edit/", "return_url"): "where Enketo leads after the edit",
}


class Noting(requests.Session):
    """A session that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: dict[tuple[str, str], set[str]] = {}
        self.addresses: list[str] = []

    def request(self, method: str, url: str, params: Any = None, **options: Any) -> requests.Response:
        parts = urlsplit(url)
        self.addresses.append(url)
        sent = dict(params or {}) | dict(parse_qsl(parts.query))
        names = set(sent)
        if parts.path.endswith("/data/") and "query" in sent:
            names |= operators(json.loads(sent["query"]))
        self.noted.setdefault((method, pattern_of(parts.path)), set()).update(names)
        return super().request(method, url, params=params, **options)


def operators(query: dict[str, Any]) -> set[str]:
    found = set()
    for key, condition in query.items():
        if isinstance(condition, list):
            found |= {key, *(name for part in condition for name in operators(part))}
        elif isinstance(condition, dict):
            found |= {f"{key} {operator}" for operator in condition}
        else:
            found.add(key)
    return found


def pattern_of(path: str) -> str:
    kept = {"api", "v2", "assets", "data", "versions", "validation_statuses", "hooks", "imports", "deployment", "files"}
    kept |= {"permission-assignments", "attachments", "enketo", "edit", "history", "me", "bulk", ""}
    return "/".join(part if part in kept else "{}" for part in path.split("/"))


@pytest.fixture
def noting() -> Iterator[Noting]:
    with Noting() as session:
        yield session


@pytest.fixture
def calls(kobo: PracticeKobo, noting: Noting, tmp_path: Path) -> Noting:
    """Each call of the product, made once or a few times."""
    kobo.create_user("enumerator")
    token = kobo.create_user("owner")
    row = kobo.submit(PROJECT, {"villages": [{"photo": "one.jpg"}]}, submitted_by="owner", attachments=[PICTURE])
    kobo.edit(kobo.submit(PROJECT, {"people": "3"}, submitted_by="owner"), {"people": "4"})
    with running(kobo) as base_url, KoboClient(base_url, token, session=noting) as client:
        read_everything(client, kobo, row)
        write_everything(client, tmp_path)
    return noting


def read_everything(client: KoboClient, kobo: PracticeKobo, row: int) -> None:
    since = datetime(2022, 1, 1, tzinfo=UTC)
    version = client.asset(PROJECT).deployed_version_id
    assert client.whoami() == "owner"
    assert client.version_content(PROJECT, version) == CONTENT
    assert versions.read_version(client.connection, PROJECT, version).content == CONTENT
    assert (client.count(PROJECT), client.probe(PROJECT).count) == (2, 2)
    assert len(list(client.iter_edits(PROJECT, since=since))) == 1
    late = {"$or": [{"_id": {"$gt": 1}}, {"_submission_time": {"$gte": "2022-01-01T00:00:00"}}]}
    for where in (
        late,
        {"_submission_time": {"$gte": "2022-01-01T00:00:00"}},
        {"meta/deprecatedID": {"$exists": True}},
        {"_validation_status.timestamp": {"$gt": 0}},
    ):
        list(client.iter_pages(PROJECT, where=where, fields=("_id", "_uuid", "_validation_status")))
    assert len(next(client.iter_pages(PROJECT, up_to_id=row + 1)).rows) == 2
    assert [len(rows) for rows in client.rows_by_id(PROJECT, [row, 999])] == [1]
    assert client.submission(PROJECT, row) is not None
    assert client.submission(PROJECT, 999) is None
    assert client.edit_url(PROJECT, row)
    uid = kobo.row(row)["_attachments"][0]["uid"]
    for named in (uid, ""):
        path = attachment_path(PROJECT, row, uid=named, xpath="villages[1]/photo")
        with client.connection.open_file(path) as answer:
            assert b"".join(answer.iter_content(1000)) == PICTURE[2]
    set_to = {row: "validation_status_approved"}
    assert validation.set_statuses(client.connection, PROJECT, set_to)[row].fate == validation.Fate.SENT
    assert validation.set_statuses(client.connection, PROJECT, {row: ""})[row].fate == validation.Fate.SENT


def write_everything(client: KoboClient, folder: Path) -> None:
    connection = client.connection
    for _unused in range(2):
        hooks.set_up_hook(connection, PROJECT, endpoint="https://dtm.example.org/kobo/x/", secret="s" * 40)
    assert hooks.remove_hook(connection, PROJECT, endpoint="https://dtm.example.org/kobo/x/") == 1
    workbook = folder / "form.xlsx"
    write_xlsx(read_form(KINDS[0]), workbook)
    made = deployment.import_form(connection, workbook.read_bytes(), filename="form.xlsx", pause=lambda _seconds: None)
    for _unused in range(2):
        version = deployment.read_project(connection, made).version_id
        deployment.deploy(connection, made, version_id=version)
        again = deployment.import_form(connection, workbook.read_bytes(), filename="form.xlsx", asset_uid=made)
        assert again == made
    assert deployment.find_projects(connection, "No such project", owner="owner") == []
    deployment.grant(connection, made, "enumerator")
    for content in (b"a,b\n1,2\n", b"a,b\n1,3\n"):
        assert form_media.put_media(connection, made, "list.csv", content)[1]


def test_every_call_and_parameter_is_one_that_a_recording_shows(calls: Noting) -> None:
    assert calls.noted.keys() == CALLS.keys()
    shown = {key: set(PARAMETERS.get(key, {})) for key in CALLS}
    for method, address, name in UNRECORDED:
        shown[method, address].add(name)
    strangers = {key: names - shown[key] for key, names in calls.noted.items() if names - shown[key]}
    assert strangers == {}


def test_every_recording_that_is_named_shows_the_call_and_is_compared() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"the recordings are not at {RECORDINGS}")
    recorded = {exchange.label: exchange.request for folder in FOLDERS for exchange in load(folder)}
    named = [(key, label) for key, labels in CALLS.items() for label in labels]
    named += [(key, label) for key, parameters in PARAMETERS.items() for label in parameters.values()]

    assert [label for _key, label in named if label not in recorded] == []
    for key, label in named:
        assert (label, recorded[label]["method"], pattern_of(recorded[label]["path"])) == (label, *key)
        # Of the history the contract compares edits and validations; the question with a time is read here.
        assert label not in OUT_OF_SCOPE or label == "06_delete/020_audit_history_since"
    for key, parameters in PARAMETERS.items():
        for name, label in parameters.items():
            text = recorded[label].get("query_raw") or ""
            assert re.search(re.escape(name.partition(" ")[2] or name).replace(r"\$", r"(?:\$|%24)"), text), (key, name)


def test_surprises_12_13_14_of_paging_are_never_asked_for(calls: Noting) -> None:
    """`offset`, `page` and `page_size` are ignored for the rows of a listing, `count` is refused, `start` drifts."""
    names = calls.noted["GET", "/api/v2/assets/{}/data/"]

    assert {name for name in names if " " not in name and "$" not in name} == {"fields", "limit", "query", "sort"}


def test_surprise_31_the_call_that_replaces_everybodys_rights_is_never_made(calls: Noting) -> None:
    assert [url for url in calls.addresses if "permission-assignments/bulk" in url] == []


def test_surprise_40_the_removed_api_is_never_asked(calls: Noting) -> None:
    asked = {urlsplit(url).path.split("/")[1:3] == ["api", "v1"] for url in calls.addresses}

    assert asked == {False}
    assert {urlsplit(url).path.split("/")[1] for url in calls.addresses} == {"api", "me"}


def test_surprise_34_rows_are_never_edited_or_deleted_by_us(calls: Noting) -> None:
    """Bulk edits skip what is missing, bulk deletions refuse the batch: neither is ever sent."""
    assert [key for key in calls.noted if key[1].endswith("/data/bulk/")] == []
    assert [key for key in calls.noted if key == ("DELETE", "/api/v2/assets/{}/data/{}/")] == []


def test_surprise_36_we_send_no_submissions(calls: Noting) -> None:
    """Duplicates, stale ids and deadlocks (surprise 37) are what phones meet, not we."""
    assert [url for url in calls.addresses if urlsplit(url).path.endswith("/submission")] == []
