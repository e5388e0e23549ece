"""Commands that other programs call: one JSON object on standard output, words on standard error, exit codes."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from assessments.models import KoboForm, KoboServer, KoboSubmission, SyncRun
from assessments.services.review import approve_submission
from tests.practice import ACCOUNT, ASSET

pytestmark = pytest.mark.django_db

ZERO = dict.fromkeys(("new", "edited", "deleted", "unchanged", "refused", "unmatched"), 0)


def run(*words):
    """What the command writes to standard output and to standard error, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*words, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), f"{err.getvalue()}{error}", error.returncode
    except SystemExit as left:
        return out.getvalue(), err.getvalue(), left.code
    return out.getvalue(), err.getvalue(), 0


def answer_of(*words):
    out, _err, code = run(*words, "--json")
    return json.loads(out), code


def test_sync_kobo_twice_finds_nothing_new_the_second_time(form, submit):
    submit()
    submit(total="many")
    counted = {"asset": ASSET, "at_kobo": 2, "here": 2, "closed": True}

    assert answer_of("sync_kobo") == ({"forms": [ZERO | counted | {"new": 1, "refused": 1}]}, 0)
    assert answer_of("sync_kobo") == ({"forms": [ZERO | counted | {"unchanged": 1, "refused": 1}]}, 0)
    assert answer_of("sync_kobo", "--full", "--asset", ASSET)[0]["forms"][0]["unchanged"] == 1


def test_sync_kobo_without_json_says_it_in_words_only(form, submit):
    submit()

    out, err, code = run("sync_kobo")

    assert (out, code) == ("", 0)
    assert f"{ASSET} (A form): at_kobo 1, here 1, new 1," in err


def test_sync_kobo_exits_3_where_the_ledger_does_not_close(kobo, form, submit):
    ids = [submit() for _unused in range(8)]
    run("sync_kobo")
    for kobo_id in ids[:7]:
        kobo.delete(kobo_id)

    out, err, code = run("sync_kobo", "--json")

    assert code == 3
    assert (json.loads(out)["forms"][0]["closed"], json.loads(out)["forms"][0]["here"]) == (False, 8)
    assert "nothing was marked as deleted" in err


def test_sync_kobo_exits_1_where_kobo_cannot_be_read(kobo, form, submit):
    submit()
    kobo.delete_asset(ASSET)

    out, err, code = run("sync_kobo", "--json")

    assert (json.loads(out), code) == ({"forms": []}, 1)
    assert f"{ASSET}: Project {ASSET} is not visible to this token" in err


def test_sync_kobo_of_an_unknown_asset_is_refused(form):
    assert run("sync_kobo", "--asset", "aNobody") == ("", "No connected form has the asset uid aNobody.", 1)


# --- connecting


@pytest.fixture
def project(kobo, kobo_url, target):
    """A deployed project that nobody has connected yet."""
    token = kobo.create_user(ACCOUNT)
    kobo.create_asset(ASSET, "Sub-area", ACCOUNT, {"survey": [{"type": "integer", "name": "total", "$xpath": "total"}]})
    return token


@pytest.fixture
def connect(tmp_path, kobo_url, project):
    mapping = {"schema": 1, "head": {"unit": ["place"]}, "figures": [{"indicator": "present", "path": ["total"]}]}

    def command(**options):
        options = {"token": f"{project}\n", "mapping": json.dumps(mapping), "asset": ASSET, "url": kobo_url} | options
        files = {name: tmp_path / name for name in ("token", "mapping")}
        for name, file in files.items():
            file.write_text(options[name])
        words = ["--url", options["url"], "--token-file", str(files["token"]), "--asset", options["asset"]]
        words += ["--kind", options.get("kind", "baseline_sub_area"), "--round", options.get("round", "2022-Q4")]
        return run("connect_kobo", *words, "--mapping", str(files["mapping"]), "--json")

    return command


def test_connect_kobo_registers_and_names_what_the_form_lacks(connect, project, kobo_url):
    out, err, code = connect()

    assert (json.loads(out), code) == ({"asset": ASSET, "created": True, "missing": ["place"]}, 0)
    assert "has no question place" in err
    form = KoboForm.objects.get()
    assert (form.server.base_url, form.server.token, form.server.username) == (kobo_url, project, ACCOUNT)
    assert (form.name, form.form_kind.code, form.round.code) == ("Sub-area", "baseline_sub_area", "2022-Q4")
    assert project not in out + err


def test_connect_kobo_again_renews_and_makes_nothing_new(connect):
    connect()

    assert json.loads(connect()[0])["created"] is False
    assert (KoboForm.objects.count(), KoboServer.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"token": "0" * 40}, "does not accept the token"),
        ({"token": " "}, "is empty"),
        ({"asset": "aNowhere"}, "Project aNowhere is not visible to this token"),
        ({"url": "http://127.0.0.1:9"}, "No connection to 127.0.0.1:9"),
        ({"url": "kobo"}, "kobo is not a usable server address"),
        ({"mapping": "{"}, "is not JSON"),
        ({"mapping": '{"schema": 1, "figures": []}'}, "The mapping is not usable"),
        ({"kind": "census"}, "No form kind has the code census; there are: baseline_area"),
        ({"round": "1999-Q1"}, "No round has the code 1999-Q1"),
    ],
)
def test_connect_kobo_says_what_is_wrong_and_writes_nothing(connect, monkeypatch, options, words):
    monkeypatch.setattr("assessments.kobo.connection.time.sleep", lambda _seconds: None)

    out, err, code = connect(**options)

    assert (out, code) == ("", 1)
    assert words in err
    assert "0" * 40 not in err
    assert not KoboForm.objects.exists()
    assert not KoboServer.objects.exists()


# --- numbers


def test_coverage_and_report_print_one_json_object(form, submit, target, coordinator):
    submit()
    run("sync_kobo")
    approve_submission(KoboSubmission.objects.get(), reviewer=coordinator)

    coverage, code = answer_of("coverage", "2022-Q4")
    assert (coverage["round"], coverage["planned"], coverage["buckets"]["covered"], code) == ("2022-Q4", 1, 1, 0)
    assert coverage["targets"] == [
        {"unit_id": target.unit.unit_id, "form_kind": "baseline_sub_area", "bucket": "covered"}
    ]
    report, code = answer_of("report", "2022-Q4")
    assert (report["round"], report["total"], code) == ("2022-Q4", 10, 0)
    assert {row["code"]: row["count"] for row in report["by"]["sex"]["rows"]} == {"male": 6, "female": 4}


@pytest.mark.parametrize("command", ["coverage", "report"])
def test_numbers_of_an_unknown_round_are_refused(command, db):
    assert run(command, "1999-Q1", "--json") == ("", "No round has the code 1999-Q1.", 1)
    assert not SyncRun.objects.exists()
