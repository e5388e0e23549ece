"""Surprises of the recordings that a sync meets and no other test names; and every recorded row through the store."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from assessments.kobo.payloads import read_attachments
from assessments.models import KoboSubmission, SubmissionAttachment, SubmissionRevision
from assessments.services import kobo_passes
from tests.assessments.kobo.practice.replay import RECORDINGS
from tests.practice import ASSET, client_of, ledger, our_copy, sync

pytestmark = pytest.mark.django_db

# Each changes outside edits, and is kept beside the content.
APART = ("_validation_status", "_attachments")


@pytest.fixture
def asked(monkeypatch):
    """The parameters of every request for a page, as they leave."""
    noted = []
    ask = kobo_passes.KoboClient._get_page

    def note(client, asset_uid, params, *, asked):
        noted.append({name: json.loads(text) if name != "limit" else int(text) for name, text in params.items()})
        return ask(client, asset_uid, params, asked=asked)

    monkeypatch.setattr(kobo_passes.KoboClient, "_get_page", note)
    return noted


def test_surprise_02_deleted_form_that_is_posted_again_is_another_row_of_the_same_uuid(kobo, form, submit):
    first = submit(uuid="same")
    sync(form)
    kobo.delete(first)
    again = submit(uuid="same")

    run = sync(form)

    assert ledger(run) == {"at_kobo": 1, "here": 1, "new": 1, "deleted": 1}
    rows = KoboSubmission.objects.order_by("kobo_id").values_list("kobo_id", "uuid", "root_uuid", "deleted_at")
    assert [(*row[:3], row[3] is None) for row in rows] == [
        (first, "same", "same", False),
        (again, "same", "same", True),
    ]


def test_surprise_08_bounds_of_time_are_whole_seconds_without_a_zone(form, submit, asked):
    submit()
    sync(form)
    del asked[:]

    sync(form, quick=True)

    bounds = [
        part["_submission_time"]["$gte"]
        for one in asked
        for part in one.get("query", {}).get("$or", [])
        if "_submission_time" in part
    ]
    assert len(bounds) == 1
    assert datetime.fromisoformat(bounds[0]).strftime("%Y-%m-%dT%H:%M:%S") == bounds[0]


def test_surprise_09_kobos_own_counter_is_not_believed(kobo, form, submit):
    """After a crash `deployment__submission_count` says less than the listing: ghosts are not in it."""
    kobo.add_ghost(submit())
    with client_of(form) as client:
        assert (client.asset(ASSET).submission_count, client.count(ASSET)) == (1, 2)

    run = sync(form)

    assert (run.outcome, ledger(run)) == ("closed", {"at_kobo": 2, "here": 2, "new": 2})


def test_surprise_16_ids_are_asked_for_as_numbers(kobo, form, submit, asked):
    kobo.edit(submit(), {"total": "9"})
    sync(form)
    submit()
    sync(form, quick=True, wanted=[12_345_678])

    conditions = [one["query"]["_id"] for one in asked if "_id" in one.get("query", {})]
    values = [value for one in conditions for value in one.values()]
    assert {type(value) for value in values} == {int, list}
    assert {type(one) for value in values if isinstance(value, list) for one in value} == {int}


def test_surprise_19_status_is_asked_for_by_name_and_nothing_inside_a_repeat(form, submit, asked):
    submit()
    sync(form)
    sync(form)
    sync(form, quick=True)

    fields = {tuple(one["fields"]) for one in asked if "fields" in one}
    assert fields == {("_id",), ("_id", "_uuid"), ("_id", "_uuid", "_validation_status")}
    asked_for_status = [one for one in asked if "_validation_status.timestamp" in one.get("query", {})]
    assert [one["fields"] for one in asked_for_status] == [["_id", "_uuid", "_validation_status"]]


@pytest.mark.parametrize("point", ["51.1 71.4 350 4.5", None])
def test_surprise_21_place_of_the_phone_is_kept_as_the_form_has_it(kobo, form, submit, point):
    kobo_id = submit(point=point)

    assert sync(form).outcome == "closed"

    answers = our_copy(form)[kobo_id][2]
    assert (answers.get("point"), answers["_geolocation"]) == (point, kobo.row(kobo_id)["_geolocation"])


def test_surprise_35_status_that_survives_an_edit_is_no_approval_of_the_edit(kobo, form, submit):
    kobo_id = submit()
    kobo.set_validation(kobo_id, "validation_status_approved", by="somebody")
    sync(form)
    before = KoboSubmission.objects.get().kobo_status_at
    kobo.edit(kobo_id, {"total": "11", "men": "7"})

    run = sync(form)

    row = KoboSubmission.objects.get()
    assert (run.edited, row.kobo_status, row.kobo_status_at) == (1, "validation_status_approved", before)
    assert (row.review_status, row.approved_revision) == ("received", None)


# --- every recorded row through the store


class Recorded:
    """Lists rows as a server does, as far as a sync asks."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}

    def __call__(self, request: Request) -> Response:
        query = json.loads(request.args.get("query", "{}"))
        chosen = [row for kobo_id, row in sorted(self.rows.items()) if _fits(kobo_id, query.get("_id", {}))]
        shown = chosen[: int(request.args["limit"])]
        if "fields" in request.args:
            fields = {*json.loads(request.args["fields"]), "_id", "_uuid", "meta/rootUuid"}
            shown = [{key: row[key] for key in row if key in fields} for row in shown]
        body = {"count": len(chosen), "next": None, "previous": None, "results": shown}
        return Response(json.dumps(body), content_type="application/json")


def _fits(kobo_id: int, condition: dict[str, Any]) -> bool:
    return (
        condition.get("$gt", 0) < kobo_id <= condition.get("$lte", 2**63)
        and ("$in" not in condition or kobo_id in condition["$in"])
    )  # fmt: skip


def recorded_rows() -> Iterator[dict[str, Any]]:
    """Whole rows, in the order in which they were recorded."""
    for folder in ("03", "04_", "05", "07", "06", "12", "10", "11", "09", "15", "16", "17", "18"):
        for path in sorted(path for found in RECORDINGS.glob(f"{folder}*") for path in found.glob("*.json")):
            exchange = json.loads(path.read_text(encoding="utf-8"))
            body = exchange.get("response", {}).get("body_json")
            if not re.search(r"/data(\.json)?/?(\d+/?)?$", exchange.get("request", {}).get("path", "")):
                continue
            rows = body.get("results", [body]) if isinstance(body, dict) else []
            yield from (row for row in rows if isinstance(row, dict) and {"_id", "_xform_id_string"} <= row.keys())


def told_apart(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in APART}


@pytest.mark.skipif(not Path(RECORDINGS).is_dir(), reason=f"the recordings are not at {RECORDINGS}")
def test_every_recorded_row_is_stored_and_read_back(form, httpserver: HTTPServer):
    """Each content that a row had, one after the other: the recordings show up to some of each."""
    contents: dict[int, list[dict[str, Any]]] = {}
    for row in recorded_rows():
        known = contents.setdefault(row["_id"], [])
        if told_apart(row) not in map(told_apart, known):
            known.append(row)
    served = Recorded()
    httpserver.expect_request(re.compile(".*/data/")).respond_with_handler(served)
    httpserver.expect_request(re.compile(".*")).respond_with_json({"detail": "Not found."}, status=404)
    form.server.base_url = httpserver.url_for("")
    form.server.save()

    for turn in range(max(map(len, contents.values()))):
        served.rows = {kobo_id: known[min(turn, len(known) - 1)] for kobo_id, known in contents.items()}
        run = sync(form)
        assert (run.outcome, run.at_kobo, run.here) == ("closed", len(contents), len(contents))
        kept = {kobo_id: told_apart(row) for kobo_id, (_uuid, _root, row) in our_copy(form).items()}
        assert kept == {kobo_id: told_apart(row) for kobo_id, row in served.rows.items()}

    statuses = {kobo_id: row["_validation_status"].get("uid", "") for kobo_id, row in served.rows.items()}
    assert dict(KoboSubmission.objects.values_list("kobo_id", "kobo_status")) == statuses
    sync(form, full=True)
    files = SubmissionAttachment.objects.filter(gone_at=None).values_list("submission__kobo_id", "xpath", "name")
    assert set(files) == {
        (kobo_id, one.xpath, one.name)
        for kobo_id, row in served.rows.items()
        for one in read_attachments(row["_attachments"])
        if not one.is_deleted
    }
    assert (len(contents), sum(map(len, contents.values())), SubmissionRevision.objects.count()) == (41, 50, 50)
