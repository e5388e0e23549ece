"""The text of the token is in no log at debug level, no report of an error, no page, no answer, no message."""

import json
import logging
import pickle
import sys

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.serializers import serialize
from django.urls import reverse
from django.views.debug import ExceptionReporter
from rest_framework.test import APIClient
from urllib3.connection import HTTPConnection

from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboError, KoboRejected
from assessments.models import KoboForm, KoboServer, SyncRun
from assessments.services.kobo_connection import connect_form, open_client
from assessments.tasks import sync_kobo_form
from dtm_ops.celery import app
from dtm_ops.common.command import read_token
from dtm_ops.common.encryption import HiddenText
from tests.practice import ASSET, sync

pytestmark = pytest.mark.django_db

FAULTS = ("bad_gateway", "too_many", "server_error", "html", "cut", "wrong_json")


@pytest.fixture
def token(form):
    """As long as a real one. Hidden, since the frames of the test are in the report, too."""
    return HiddenText(form.server.token)


@pytest.fixture
def everything_logged(caplog, monkeypatch):
    """All loggers at debug level, those of urllib3 and of the connection below too."""
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "requests", "http.client", "assessments", "django", "celery"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def report() -> str:
    """What Django's page and mail about the error that is being handled show, the variables of all frames included."""
    reporter = ExceptionReporter(None, *sys.exc_info())
    return reporter.get_traceback_html() + reporter.get_traceback_text()


def reports_of_a_failing_sync(form, **fault):
    try:
        sync(form)
    except KoboError as error:
        return report() + repr(error) + repr(error.__context__) + str(error) + str(pickle.dumps(error))
    return ""


@pytest.mark.parametrize("fault", FAULTS)
def test_token_is_in_no_report_and_no_log_of_a_fault(kobo, form, submit, token, everything_logged, fault):
    submit()
    kobo.misbehave(fault, times=30)

    written = reports_of_a_failing_sync(KoboForm.objects.get())

    assert ("KoboUnavailable" in written, token in written) == (True, False)
    assert everything_logged.records
    assert token not in everything_logged.text + repr([vars(record) for record in everything_logged.records])
    assert token not in repr(list(SyncRun.objects.values()))


@pytest.mark.parametrize("moment", ["connect", "send", "getresponse"])
@pytest.mark.parametrize("error", [SoftTimeLimitExceeded, KeyboardInterrupt, MemoryError])
def test_token_is_in_no_report_of_what_breaks_off_from_outside(form, token, monkeypatch, moment, error):
    """A worker's time limit ends the request wherever it is: below lie the frames that hold the header."""

    def break_off(*_args, **_options):
        raise error

    form = KoboForm.objects.get()
    monkeypatch.setattr(HTTPConnection, moment, break_off)

    try:
        sync(form)
    except error:
        written = report()

    assert (error.__name__ in written, token in written) == (True, False)


def test_token_is_in_no_report_of_a_defect_while_connecting(form, token, monkeypatch, tmp_path):
    """Whose frames have it as a variable."""
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    monkeypatch.setattr("assessments.services.kobo_connection.load_mapping", lambda _mapping: 1 // 0)

    with KoboClient(form.server.base_url, read_token(file)) as client:
        try:
            connect_form(
                client, base_url=form.server.base_url, token=read_token(file), asset_uid=ASSET,
                form_kind=form.form_kind, assessment_round=form.round, mapping=form.mapping,
            )  # fmt: skip
        except ZeroDivisionError:
            written = report()

    assert ("connect_form" in written, token in written) == (True, False)


def test_token_is_in_no_repr(form, token):
    server = KoboServer.objects.get()
    with open_client(server) as client:
        objects = [server, server.token, vars(server), form, client, client.connection, client.connection._auth]
        assert server.token == token
        assert token not in repr(objects) + str([str(server), str(form), str(client)])


def test_token_goes_to_no_other_host_and_into_no_error_of_a_redirect(form, token, httpserver, everything_logged):
    """Two servers on two ports of this machine: the other one is never asked."""
    here = f"http://127.0.0.1:{httpserver.port}"
    elsewhere = form.server.base_url
    form.server.base_url = here
    form.server.save()
    quoting = f"http://{token}@evil.example.org/?t={token}"
    for location in (f"{elsewhere}/me/", "//evil.example.org/", quoting):
        httpserver.clear()
        httpserver.expect_request("/api/v2/assets/" + ASSET + "/data/").respond_with_data(
            "", status=302, headers={"Location": location}
        )
        with pytest.raises(KoboRejected) as raised:
            sync(KoboForm.objects.get())
        assert raised.value.code == "redirected"
        assert token not in repr(raised.value) + str(raised.value) + str(pickle.dumps(raised.value))
    assert token not in everything_logged.text
    assert token not in repr(list(SyncRun.objects.values()))


def test_token_is_on_no_desk_page(form, submit, token, administrator, client):
    submit()
    run = sync(form)
    client.force_login(administrator)
    names = [
        ("koboserver", form.server.pk), ("koboform", form.pk), ("syncrun", run.pk),
        ("kobosubmission", form.submissions.get().pk),
    ]  # fmt: skip
    addresses = [reverse(f"admin:assessments_{name}_changelist") for name, _pk in names]
    addresses += [
        reverse(f"admin:assessments_{name}_{page}", args=[pk]) for name, pk in names for page in ("change", "history")
    ]
    shown = []
    for address in addresses:
        answer = client.get(address, follow=True)
        shown.append(answer.status_code)
        assert token not in answer.content.decode(), address
    assert shown == [200] * len(addresses)


def test_token_is_in_no_answer_of_the_interface(form, submit, token, administrator):
    submit()
    sync(form)
    api = APIClient()
    api.force_authenticate(administrator)
    root = api.get("/api/v1/").json()

    addresses = [address for address in root.values() if isinstance(address, str)]
    assert addresses
    for address in addresses:
        assert token not in api.get(address).content.decode(), address


def test_token_is_in_no_message_of_the_queue_and_in_no_export(form, token, monkeypatch):
    sent = []
    monkeypatch.setattr(app, "send_task", lambda *args, **options: sent.append((args, options)))
    monkeypatch.setattr(sync_kobo_form, "apply_async", lambda *args, **options: sent.append((args, options)))
    sync_kobo_form.delay(form.pk)

    assert sent
    assert token not in repr(sent) + str(pickle.dumps(sent)) + json.dumps(sent, default=repr)
    assert token not in serialize("json", [KoboForm.objects.get()])
