"""A shipped form comes to a Kobo server that has nothing, is renewed there, and what breaks is said beforehand."""

import csv
import io
import json
import shutil

import pytest
from django.core.management import CommandError, call_command

from assessments.kobo import deployment, forms
from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboRejected, KoboUnavailable
from assessments.kobo.form_media import list_media
from assessments.kobo.forms import KINDS, form_content
from assessments.models import KoboForm
from assessments.services import kobo_deployment
from assessments.services.kobo_deployment import BreakingChange, deploy_form
from dtm_ops.common.errors import Refused
from tests.factories.assessments import AssessmentRoundFactory
from tests.practice import sync

pytestmark = pytest.mark.django_db

KIND = "baseline_sub_area"
TITLE = "DTM baseline: village session"
CHANGING = {"POST", "PATCH", "DELETE", "PUT"}


@pytest.fixture(autouse=True)
def few_places(request, tmp_path, monkeypatch):
    """The shipped forms with one region of the gazetteer: 2,600 places make each request slow and show nothing more."""
    if request.node.originalname == "test_first_deployment_makes_a_project_that_has_the_form_and_its_file":
        return
    folder = tmp_path / "xlsforms"
    shutil.copytree(forms.FOLDER, folder, ignore=shutil.ignore_patterns("*.xlsx"))
    places = (forms.FOLDER / "places.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "places.csv").write_text("".join(places[:40]), encoding="utf-8")
    monkeypatch.setattr(forms, "FOLDER", folder)


@pytest.fixture
def token(kobo):
    return kobo.create_user("iom")


@pytest.fixture
def sent(kobo_url, token, monkeypatch):
    """Every request that would change something at Kobo, as "METHOD path" without the project's uid."""
    calls = []
    real = deployment.KoboConnection.send_object

    def note(self, method, path, **options):
        if method in CHANGING:
            calls.append(
                f"{method} {path.partition('/api/v2/')[2].partition('/')[0]}/{path.rstrip('/').split('/')[-1]}"
            )
        return real(self, method, path, **options)

    monkeypatch.setattr(deployment.KoboConnection, "send_object", note)
    return calls


@pytest.fixture
def client(kobo_url, token):
    with KoboClient(kobo_url, token, retries=0, read_timeout=5) as client:
        yield client


@pytest.fixture
def put(client, kobo_url):
    def run(**options):
        return deploy_form(client, KIND, base_url=kobo_url, **options)

    return run


def change(monkeypatch, edit):
    """The next version of the shipped form: its sheets as ``edit`` leaves them."""
    real_form, real_content = kobo_deployment.read_form, kobo_deployment.form_content

    def read(kind):
        form = real_form(kind)
        edit(form)
        return form

    def content(kind):
        monkeypatch.setattr("assessments.kobo.forms.read_form", read)
        try:
            return real_content(kind)
        finally:
            monkeypatch.setattr("assessments.kobo.forms.read_form", real_form)

    monkeypatch.setattr(kobo_deployment, "read_form", read)
    monkeypatch.setattr(kobo_deployment, "form_content", content)


def rename(form):
    for row in form.survey:
        for name, cell in row.items():
            row[name] = "men" if (name, cell) == ("name", "sex_male") else cell.replace("${sex_male}", "${men}")


def drop_consent(form):
    form.choices[:] = [row for row in form.choices if (row["list_name"], row["name"]) != ("access_level", "partly")]


def reword(form):
    for row in form.survey:
        if row["name"] == "round":
            row["hint::English (en)"] = "As in the plan"


@pytest.mark.parametrize("kind", KINDS)
def test_first_deployment_makes_a_project_that_has_the_form_and_its_file(client, kobo_url, kind):
    done = deploy_form(client, kind, base_url=kobo_url)

    project = deployment.read_project(client.connection, done.asset_uid)
    files = list_media(client.connection, done.asset_uid)
    assert (done.created, done.sent, done.deployed, done.touches) == (True, True, True, ())
    assert (project.status, project.deployed_version_id, project.owner) == ("deployed", done.version_id, "iom")
    assert [file.name for file in files] == ["focus_groups.csv"]
    assert files[0].created_at <= project.deployed_at
    assert client.version_content(done.asset_uid, done.version_id)["survey"][-1]["type"] == "end_group"


def test_deploying_again_sends_nothing(put, sent):
    first = put()
    sent.clear()

    again = put()

    assert (again.asset_uid, again.version_id) == (first.asset_uid, first.version_id)
    assert (again.created, again.sent, again.deployed, sent) == (False, False, False, [])


def test_each_round_has_a_project_of_its_own(put, db):
    one, two = AssessmentRoundFactory(code="2022-Q4"), AssessmentRoundFactory(code="2023-Q1")

    uids = {put(assessment_round=one).asset_uid, put(assessment_round=two).asset_uid, put().asset_uid}

    assert len(uids) == 3
    assert put(assessment_round=two).name == f"{TITLE} 2023-Q1"


def test_wording_is_renewed_without_a_word(put, monkeypatch, client):
    first = put()
    change(monkeypatch, reword)

    done = put()

    assert done.asset_uid == first.asset_uid
    assert (done.sent, done.deployed, done.version_id != first.version_id) == (True, True, True)
    assert [(one.change.kind, one.change.path, one.is_breaking) for one in done.touches] == [
        ("text_changed", "head/round", False)
    ]
    assert put().sent is False


@pytest.mark.parametrize(
    ("edit", "kind", "places"),
    [
        (rename, "question_renamed", ("sex=male",)),
        (drop_consent, "choice_removed", ("head.access",)),
    ],
)
def test_breaking_difference_is_refused_and_phones_keep_the_form(put, monkeypatch, client, sent, edit, kind, places):
    first = put()
    change(monkeypatch, edit)
    sent.clear()

    with pytest.raises(BreakingChange) as refused:
        put()

    breaking = [one for one in refused.value.deployment.touches if one.is_breaking]
    assert kind in str(refused.value)
    assert [(one.change.kind, one.places) for one in breaking] == [(kind, places)]
    assert sent == []
    assert client.asset(first.asset_uid).deployed_version_id == first.version_id
    assert put(accept_changes=True).version_id != first.version_id


def test_dry_run_lists_what_would_break_and_sends_nothing(put, monkeypatch, sent):
    assert put(dry_run=True).asset_uid == ""
    put()
    change(monkeypatch, rename)
    sent.clear()

    plan = put(dry_run=True)

    assert [one.change.kind for one in plan.touches if one.is_breaking] == ["question_renamed"]
    assert sent == []


def test_changes_of_somebody_else_that_are_not_deployed_are_not_lost(put, kobo, client, sent):
    done = put()
    draft = form_content(KIND)
    draft["survey"][6]["hint"] = ["Ask the office", None, None]
    path = f"/api/v2/assets/{done.asset_uid}/"
    client.connection.send_object("PATCH", path, json_body={"content": draft})
    sent.clear()

    with pytest.raises(Refused) as refused:
        put()

    assert (refused.value.code, sent) == ("draft", [])


def test_archived_project_is_not_opened_again_by_itself(put, client, sent):
    done = put()
    client.connection.send_object("PATCH", f"/api/v2/assets/{done.asset_uid}/deployment/", json_body={"active": False})
    sent.clear()

    with pytest.raises(Refused) as refused:
        put()

    assert (refused.value.code, sent) == ("archived", [])
    assert put(accept_changes=True).deployed is True


def test_two_projects_of_one_name_are_asked_about(put, client):
    done = put()
    title = client.asset(done.asset_uid).name
    body = {"name": title, "content": {"settings": {"id_string": "dtm_baseline_sub_area"}, "survey": []}}
    client.connection.send_object("POST", "/api/v2/assets/", json_body=body, expected=(201,))

    with pytest.raises(Refused) as refused:
        put()

    assert refused.value.code == "several_projects"
    assert put(asset_uid=done.asset_uid).sent is False


def test_project_that_merely_bears_the_name_is_left_alone(put, client):
    body = {"name": TITLE, "content": {"settings": {"id_string": "somebody_elses"}, "survey": []}}
    theirs = client.connection.send_object("POST", "/api/v2/assets/", json_body=body, expected=(201,))["uid"]

    done = put()

    assert (done.created, done.asset_uid != theirs) == (True, True)
    assert client.asset(theirs).deployed_version_id == ""


def test_sharing_adds_one_by_one_and_takes_from_nobody(put, kobo, client, sent):
    for name in ("anna", "bolat", "watcher"):
        kobo.create_user(name)
    done = put()
    kobo.grant(done.asset_uid, "watcher", "view_submissions")
    kobo.grant(done.asset_uid, "anna", "add_submissions")
    sent.clear()

    shared = put(share=["anna", "bolat", "iom", "bolat"]).shared

    rights = deployment.read_project(client.connection, done.asset_uid).rights
    assert (shared, sent) == (("bolat",), ["POST assets/permission-assignments"])
    assert {("anna", "add_submissions"), ("bolat", "add_submissions"), ("watcher", "view_submissions")} <= rights


def test_sharing_with_somebody_unknown_is_told_by_name(put):
    with pytest.raises(KoboRejected) as error:
        put(share=["nobody"])

    assert (error.value.code, error.value.params["username"]) == ("no_account", "nobody")


# Each request of a first deployment: done or not, its answer is lost; the next run makes one whole project of it.
STEPS = ["/me/", "/imports/", "/files/", "/deployment/", "/versions/", "/assets/"]


@pytest.mark.parametrize("fault", ["bad_gateway", "cut"])
@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize("skip", [0, 1])
def test_deployment_cut_off_anywhere_is_made_good_by_the_next_run(put, kobo, client, path, fault, skip):
    kobo.misbehave(fault, path=path, skip=skip, times=1)
    try:
        put()
    except KoboUnavailable:
        kobo.behave()

    kobo.behave()
    client.close()  # the next run has connections of its own, none that the server closes late
    done = put()

    found = deployment.find_projects(client.connection, TITLE, owner="iom")
    assert [project.uid for project in found] == [done.asset_uid]
    assert [project.status for project in found] == ["deployed"]
    assert [file.name for file in list_media(client.connection, done.asset_uid)] == ["focus_groups.csv"]
    assert put().deployed is False


def test_form_that_kobo_reads_otherwise_is_not_given_to_phones(put, monkeypatch, client):
    monkeypatch.setattr(kobo_deployment, "form_content", lambda kind: form_content("baseline_area"))

    with pytest.raises(KoboRejected) as error:
        put()

    assert error.value.code == "content_differs"
    assert deployment.read_project(client.connection, error.value.params["asset_uid"]).status == "draft"


def test_kind_that_is_not_shipped_is_refused(client, kobo_url):
    with pytest.raises(Refused):
        deploy_form(client, "census", base_url=kobo_url)


# --- the command


@pytest.fixture
def command(tmp_path, kobo_url, token):
    file = tmp_path / "token"
    file.write_text(f"{token}\n")

    def run(*words):
        out, err = io.StringIO(), io.StringIO()
        words = ("--kind", KIND, "--url", f"{kobo_url}/api/v2/", "--token-file", str(file), *words)
        try:
            call_command("deploy_form", *words, stdout=out, stderr=err)
        except CommandError as error:
            return out.getvalue(), f"{err.getvalue()}{error}", error.returncode
        return out.getvalue(), err.getvalue(), 0

    return run


def test_deploy_form_from_nothing_connects_and_syncs(command, kobo, target, village, token):
    out, err, code = command("--round", target.round.code, "--json")

    answer = json.loads(out)
    form = KoboForm.objects.get()
    assert code == 0
    assert (answer["asset"], answer["created"], answer["connected"]) == (form.asset_uid, True, True)
    assert (answer["list"], answer["changes"]) == ({"lines": 0, "error": None}, [])
    assert (form.round, form.form_kind.code, form.server.token) == (target.round, KIND, token)
    assert token not in out + err
    kobo.submit(form.asset_uid, {"head/sub_area": village.unit_id}, submitted_by="e01")
    run = sync(form)
    assert (run.outcome, run.new) == ("closed", 1)


def test_deploy_form_again_keeps_a_mapping_that_was_mended(command, target):
    command("--round", target.round.code)
    form = KoboForm.objects.get()
    form.mapping["head"]["place_text"] = ["head/elsewhere"]
    form.save()

    out, err, code = command("--round", target.round.code, "--json")

    form.refresh_from_db()
    assert (code, json.loads(out)["sent"], json.loads(out)["deployed"]) == (0, False, False)
    assert form.mapping["head"]["place_text"] == ["head/elsewhere"]
    assert "keeps its own mapping" in err


def test_deploy_form_names_what_breaks_and_exits_1(command, monkeypatch):
    command()
    change(monkeypatch, rename)

    out, err, code = command("--json")

    assert (out, code) == ("", 1)
    assert "BREAKS question_renamed profile/sex/sex_male" in err
    assert "--accept-changes" in err
    assert command("--accept-changes")[2] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--round", "1999-Q1"), "No round has the code 1999-Q1"),
        (("--asset", "aNowhere"), "Project aNowhere is not visible"),
        (("--share", "nobody"), "has no account nobody"),
    ],
)
def test_deploy_form_says_what_is_wrong(command, words, said):
    out, err, code = command(*words)

    assert (out, code) == ("", 1)
    assert said in err


def test_deploy_form_dry_run_creates_nothing(command, client):
    _out, err, code = command("--dry-run")

    assert code == 0
    assert "Would create" in err
    assert deployment.find_projects(client.connection, TITLE, owner="iom") == []


def test_file_of_a_new_project_has_a_line_that_nobody_is_offered(put, client):
    done = put()

    file = list_media(client.connection, done.asset_uid)[0]
    with client.connection.open_file(f"/api/v2/assets/{done.asset_uid}/files/{file.uid}/content/") as answer:
        rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [(row["name"], row["person"]) for row in rows] == [("none", "-")]
