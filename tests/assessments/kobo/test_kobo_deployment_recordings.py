"""Writing a form, over what a real Kobo answered (recordings 02, 08, 10, 11), served again over HTTP."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from assessments.kobo.client import KoboClient
from assessments.kobo.deployment import deploy, find_projects, grant, import_form, read_project
from assessments.kobo.errors import KoboRejected, KoboUnavailable
from assessments.kobo.form_media import find_media, md5_of, put_media

UID = "awJCzV5ZKuy4eFW6Xrg3Kf"
FIRST, SECOND = "vaQStwmY7aqHb65s7VMzuf", "vChNr7SpnTuUktWbqDrexn"
ASSET = f"/api/v2/assets/{UID}/"


class Asked(NamedTuple):
    path: str
    form: dict[str, str]
    files: dict[str, str | None]
    body: object


class Server:
    """Answers the named recordings in their order and keeps what was asked. What else is asked is a failure."""

    def __init__(self, httpserver: HTTPServer, recordings: Path) -> None:
        self._recordings = recordings
        self._left: list[dict[str, Any]] = []
        self.asked: list[Asked] = []
        httpserver.expect_request(re.compile(".*")).respond_with_handler(self._answer)

    def plays(self, *labels: str) -> None:
        for label in labels:
            self._left.append(json.loads((self._recordings / f"{label}.json").read_text(encoding="utf-8")))

    def _answer(self, request: Request) -> Response:
        exchange = self._left.pop(0)
        files = {name: file.filename for name, file in request.files.items()}
        self.asked.append(Asked(request.path, request.form.to_dict(), files, request.get_json(silent=True)))
        request.close()
        recorded, answer = exchange["request"], exchange["response"]
        assert (request.method, request.path) == (recorded["method"], recorded["path"])
        body = json.dumps(answer["body_json"]) if "body_json" in answer else answer.get("body_text", "")
        headers = [(key, value) for key, value in answer["headers"] if key == "Content-Type"]
        return Response(body, answer["status"], headers)


@pytest.fixture
def server(httpserver: HTTPServer, recordings: Path) -> Server:
    return Server(httpserver, recordings)


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[KoboClient]:
    with KoboClient(httpserver.url_for("/"), "t" * 40, retries=0, read_timeout=5) as client:
        yield client
    httpserver.check_assertions()


def test_recorded_import_makes_a_project(server: Server, client: KoboClient) -> None:
    server.plays("02_form_import_deploy/001_import_xlsform_multipart", "02_form_import_deploy/002_import_poll")

    assert import_form(client.connection, b"book", filename="dtm.xlsx") == UID
    sent = server.asked[0]
    assert (sent.form, sent.files) == ({"library": "false", "name": "dtm"}, {"file": "dtm.xlsx"})


def test_recorded_import_into_a_project_names_it_as_destination(server: Server, client: KoboClient) -> None:
    server.plays("10_new_version/001_import_into_asset", "10_new_version/002_import_poll")

    assert import_form(client.connection, b"book", filename="dtm.xlsx", asset_uid=UID) == UID
    assert server.asked[0].form["destination"] == f"{client.connection.base_url}{ASSET}"


def test_recorded_import_of_a_broken_file_says_why(server: Server, client: KoboClient) -> None:
    server.plays("02_form_import_deploy/004_import_base64_broken_form", "02_form_import_deploy/005_import_poll_broken")

    with pytest.raises(KoboRejected) as error:
        import_form(client.connection, b"no book", filename="x.xlsx")

    assert (error.value.code, error.value.params["reason"]) == ("import_failed", "Unsupported format, or corrupt file")


def test_recorded_draft_is_deployed_as_active_and_read_back(server: Server, client: KoboClient) -> None:
    folder = "02_form_import_deploy"
    server.plays(f"{folder}/006_asset_detail_draft", f"{folder}/009_deploy", f"{folder}/012_asset_detail_deployed")

    project = deploy(client.connection, UID, version_id=FIRST)

    assert server.asked[1].body == {"active": True}
    assert (project.status, project.deployed_version_id, project.owner) == ("deployed", FIRST, "iom_admin")
    assert ("iom_admin", "add_submissions") in project.rights


def test_recorded_second_post_of_a_deployment_is_read_back_as_done(server: Server, client: KoboClient) -> None:
    """The answer to the first one was lost: 405 says no more than that a deployment is there."""
    folder = "02_form_import_deploy"
    server.plays(
        f"{folder}/006_asset_detail_draft", f"{folder}/010_deploy_again_post", f"{folder}/012_asset_detail_deployed"
    )

    assert deploy(client.connection, UID, version_id=FIRST).status == "deployed"


def test_recorded_undeployed_changes_are_deployed_by_version(server: Server, client: KoboClient) -> None:
    folder = "10_new_version"
    server.plays(f"{folder}/003_asset_undeployed_changes", f"{folder}/005_deploy_patch", f"{folder}/006_asset_after")

    project = deploy(client.connection, UID, version_id=SECOND)

    assert server.asked[1].body == {"active": True, "version_id": SECOND}
    assert (project.deployed_version_id, project.has_undeployed_changes) == (SECOND, False)


def test_recorded_project_with_another_draft_is_not_deployed(server: Server, client: KoboClient) -> None:
    server.plays("10_new_version/003_asset_undeployed_changes")

    with pytest.raises(KoboRejected) as error:
        deploy(client.connection, UID, version_id=FIRST)

    assert (error.value.code, len(server.asked)) == ("changed_meanwhile", 1)


def test_recorded_failure_of_a_stale_version_stays_a_failure_of_the_server(server: Server, client: KoboClient) -> None:
    folder = "10_new_version"
    server.plays(
        f"{folder}/003_asset_undeployed_changes", f"{folder}/004_deploy_patch_wrong_version",
        f"{folder}/003_asset_undeployed_changes",
    )  # fmt: skip

    with pytest.raises(KoboUnavailable) as error:
        deploy(client.connection, UID, version_id=SECOND)

    assert error.value.code == "server_error"


def test_recorded_first_file_is_sent_and_read_back(server: Server, client: KoboClient, recordings: Path) -> None:
    upload = json.loads((recordings / "08_asset_files/002_upload_multipart.json").read_text(encoding="utf-8"))
    content = next(part for part in upload["request"]["multipart"] if part["name"] == "content")["text"].encode()
    server.plays("08_asset_files/001_list_empty", "08_asset_files/002_upload_multipart", "08_asset_files/004_list")

    file, sent = put_media(client.connection, UID, "settlements.csv", content)

    assert (file.name, file.md5, sent) == ("settlements.csv", md5_of(content), True)
    theirs = {part["name"]: part["value"] for part in upload["request"]["multipart"] if "value" in part}
    assert server.asked[1].form == theirs


def test_recorded_file_that_is_there_already_is_left_alone(server: Server, client: KoboClient) -> None:
    server.plays("08_asset_files/005_list_form_media", "08_asset_files/005_list_form_media")
    md5 = find_media(client.connection, UID, "settlements.csv")[0].md5

    assert md5 == "d7f0829abc81dd0faa2aca6f4b3e377e"
    content = "name,label,oblast\nKZ1901,Талғар,ALM\nKZ1902,Қоянқұс,ALM\nKZ6101,Сайрам,TUR\n".encode()
    assert put_media(client.connection, UID, "settlements.csv", content)[1] is False


def test_recorded_name_that_is_taken_is_deleted_and_sent_again(server: Server, client: KoboClient) -> None:
    folder = "08_asset_files"
    server.plays(
        f"{folder}/001_list_empty", f"{folder}/003_upload_same_name_again", f"{folder}/004_list",
        f"{folder}/008_delete", f"{folder}/009_upload_base64", f"{folder}/018_list_after",
    )  # fmt: skip
    content = (
        "name,label,oblast\nKZ1901,Талғар,ALM\nKZ1902,Қоянқұс,ALM\nKZ6101,Сайрам,TUR\nKZ6102,Ақсукент,TUR\n"
    ).encode()

    file, sent = put_media(client.connection, UID, "settlements.csv", content)

    assert (file.md5, sent) == ("d693a600aa3c8d9de5cabb75cc2eff6e", True)


@pytest.mark.parametrize("label", ["08_asset_files/012_upload_stranger", "08_asset_files/010_upload_bad_type"])
def test_recorded_refusal_of_a_file_is_no_success(server: Server, client: KoboClient, label: str) -> None:
    server.plays("08_asset_files/001_list_empty", label)

    with pytest.raises(KoboRejected):
        put_media(client.connection, UID, "y.csv", b"a")


def test_recorded_right_is_added_alone(server: Server, client: KoboClient) -> None:
    server.plays("11_permissions/020_assign_add_submissions")

    grant(client.connection, UID, "field_viewer")

    base = f"{client.connection.base_url}/api/v2"
    assert [one.path for one in server.asked] == [f"{ASSET}permission-assignments/"]
    assert server.asked[0].body == {
        "user": f"{base}/users/field_viewer/",
        "permission": f"{base}/permissions/add_submissions/",
    }


@pytest.mark.parametrize(
    ("label", "code"),
    [("11_permissions/038_assign_bad_user", "no_account"), ("11_permissions/039_assign_as_stranger", "no_project")],
)
def test_recorded_refusal_of_a_right_is_named(server: Server, client: KoboClient, label: str, code: str) -> None:
    server.plays(label)

    with pytest.raises(KoboRejected) as error:
        grant(client.connection, UID, "no_such_user")

    assert error.value.code == code


def test_recorded_list_finds_projects_by_whole_name_and_owner(server: Server, client: KoboClient) -> None:
    name = "DTM Baseline and Focus Group KAZ"
    server.plays(*["02_form_import_deploy/017_assets_list_q_deployed"] * 3)

    found = [find_projects(client.connection, *words[:1], owner=words[1]) for words in (
        (name, "iom_admin"), (name, "stranger"), ("DTM Baseline", "iom_admin"),
    )]  # fmt: skip

    assert [[project.uid for project in projects] for projects in found] == [[UID], [], []]


@pytest.mark.parametrize(
    ("label", "status", "deployed", "pending"),
    [
        ("02_form_import_deploy/006_asset_detail_draft", "draft", "", True),
        ("02_form_import_deploy/012_asset_detail_deployed", "deployed", FIRST, False),
        ("10_new_version/003_asset_undeployed_changes", "deployed", FIRST, True),
    ],
)
def test_recorded_project_is_read(
    server: Server, client: KoboClient, label: str, status: str, deployed: str, pending: bool
) -> None:
    server.plays(label)

    project = read_project(client.connection, UID)

    assert (project.status, project.deployed_version_id, project.has_undeployed_changes) == (status, deployed, pending)
    assert (project.deployed_at is None) == (status == "draft")
    assert project.draft["survey"][0]["type"] == "start"
