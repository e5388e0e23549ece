"""The state as seed, tests and chaos use it."""

import multiprocessing
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from assessments.kobo.practice.server import running
from assessments.kobo.practice.state import PracticeKobo, UnknownProject, UnknownSubmission
from tests.assessments.kobo.practice.conftest import CONTENT, PROJECT

PNG = b"\x89PNG practice"


def test_submit_nested_answers_lists_them_flat_and_as_text(kobo: PracticeKobo) -> None:
    answers = {
        "place": {"district": "K1"},
        "people": 12,
        "needs": ["food", "water"],
        "why": "  ",
        "villages": [{"name": "A", "estimate": 7}, {"name": "", "estimate": None}, {"name": "B\x00😀"}],
        "point": "51.5 71.25 300 5",
    }

    kobo_id = kobo.submit(PROJECT, answers, submitted_by="enum07", uuid="11111111-1111-4111-8111-111111111111")

    row = kobo.row(kobo_id)
    version, deployment = row.pop("__version__"), row.pop("formhub/uuid")
    assert version.startswith("v")
    assert len(deployment) == 32
    assert row == {
        "_id": 1,
        "place/district": "K1",
        "people": "12",
        "needs": "food water",
        "villages": [{"villages/name": "A", "villages/estimate": "7"}, {"villages/name": "B\x00😀"}],
        "point": "51.5 71.25 300 5",
        "meta/instanceID": "uuid:11111111-1111-4111-8111-111111111111",
        "_xform_id_string": PROJECT,
        "_uuid": "11111111-1111-4111-8111-111111111111",
        "meta/rootUuid": "uuid:11111111-1111-4111-8111-111111111111",
        "_attachments": [],
        "_status": "submitted_via_web",
        "_geolocation": [51.5, 71.25],
        "_submission_time": "2022-11-20T06:30:00",
        "_validation_status": {},
        "_submitted_by": "enum07",
    }


def test_submit_time_of_another_zone_is_listed_in_utc(kobo: PracticeKobo) -> None:
    kobo_id = kobo.submit(
        PROJECT, {"people": 1}, submitted_by=None, submission_time=datetime.fromisoformat("2022-11-20T12:30:00+06:00")
    )

    assert kobo.row(kobo_id)["_submission_time"] == "2022-11-20T06:30:00"
    with pytest.raises(ValueError, match="time zone"):
        kobo.submit(PROJECT, {"people": 1}, submitted_by=None, submission_time=datetime(2022, 11, 20))  # noqa: DTZ001
    assert kobo.ids(PROJECT) == [kobo_id]


def test_submit_to_unknown_project_is_refused(kobo: PracticeKobo) -> None:
    with pytest.raises(UnknownProject):
        kobo.submit("aNone", {}, submitted_by=None)


def test_edit_moves_uuid_and_keeps_root_time_and_status(kobo: PracticeKobo) -> None:
    kobo_id = kobo.submit(PROJECT, {"people": 1, "why": "x"}, submitted_by="a", uuid="first")
    kobo.set_validation(kobo_id, "validation_status_approved", by="owner")
    before = kobo.row(kobo_id)

    new_uuid = kobo.edit(kobo_id, {"people": 2, "why": ""})

    after = kobo.row(kobo_id)
    changed = {
        "people": "2",
        "_uuid": new_uuid,
        "meta/instanceID": f"uuid:{new_uuid}",
        "meta/deprecatedID": "uuid:first",
    }
    assert after == {key: value for key, value in before.items() if key != "why"} | changed
    assert after["meta/rootUuid"] == "uuid:first"
    assert after["_validation_status"]["label"] == "Approved"


def test_edit_with_replace_drops_other_answers(kobo: PracticeKobo) -> None:
    kobo_id = kobo.submit(PROJECT, {"people": 1, "needs": "food"}, submitted_by="a")

    kobo.edit(kobo_id, {"people": 3}, replace=True)

    row = kobo.row(kobo_id)
    assert row["people"] == "3"
    assert "needs" not in row
    assert "__version__" in row


def test_set_validation_unknown_status_changes_nothing(kobo: PracticeKobo) -> None:
    kobo_id = kobo.submit(PROJECT, {"people": 1}, submitted_by=None)

    with pytest.raises(ValueError, match="unknown validation status"):
        kobo.set_validation(kobo_id, "approved", by="owner")

    assert kobo.row(kobo_id)["_validation_status"] == {}


def test_delete_twice_says_that_it_is_gone(kobo: PracticeKobo) -> None:
    kobo_id = kobo.submit(PROJECT, {"people": 1}, submitted_by=None)
    kobo.delete(kobo_id)

    with pytest.raises(UnknownSubmission):
        kobo.delete(kobo_id)

    assert kobo.ids(PROJECT) == []


def test_ids_after_a_given_one_go_on_above_it(kobo: PracticeKobo) -> None:
    kobo.submit(PROJECT, {"people": 1}, submitted_by=None, kobo_id=5_000_000_000)

    assert kobo.submit(PROJECT, {"people": 2}, submitted_by=None) == 5_000_000_001


def test_attachment_named_by_an_answer_can_be_downloaded(
    kobo: PracticeKobo, data_url: str, session: requests.Session
) -> None:
    kobo_id = kobo.submit(
        PROJECT,
        {"villages": [{}, {"name": "A"}, {"name": "B", "photo": "b.png"}]},
        submitted_by=None,
        attachments=[("../b.png", "image/png", PNG)],
    )

    listed = session.get(data_url, params={"query": f'{{"_id": {kobo_id}}}'}, timeout=10).json()["results"][0]
    (attachment,) = listed["_attachments"]
    assert attachment["question_xpath"] == "villages[2]/photo"
    assert attachment["download_url"].startswith(f"{data_url}{kobo_id}/attachments/att")
    assert session.get(attachment["download_url"], timeout=10).content == PNG


def test_deploy_version_same_content_keeps_the_version(kobo: PracticeKobo) -> None:
    first = kobo.deploy_version(PROJECT, CONTENT)
    again = kobo.deploy_version(PROJECT, CONTENT)
    changed = kobo.deploy_version(PROJECT, {**CONTENT, "survey": CONTENT["survey"][:3]})

    assert again == first
    assert changed != first


def test_submit_many_20000_rows_takes_seconds(kobo: PracticeKobo) -> None:
    begun = time.monotonic()

    ids = kobo.submit_many(PROJECT, ({"answers": {"people": n}, "submitted_by": "a"} for n in range(20_000)))

    assert ids == list(range(1, 20_001))
    assert time.monotonic() - begun < 20


def test_state_after_reopening_is_the_same(kobo: PracticeKobo, state_file: Path) -> None:
    token = kobo.create_user("owner")
    kobo_id = kobo.submit(PROJECT, {"people": 1}, submitted_by="a")
    before = kobo.row(kobo_id)
    kobo.close()

    again = PracticeKobo(state_file)

    assert again.create_user("owner") == token
    assert again.row(kobo_id) == before
    with running(again) as address:
        listed = requests.get(
            f"{address}/api/v2/assets/{PROJECT}/data/", headers={"Authorization": f"Token {token}"}, timeout=10
        ).json()
    again.close()
    assert listed["results"] == [before]


def _write_rows(path: str, name: str) -> None:
    kobo = PracticeKobo(path)
    for number in range(40):
        kobo.submit(PROJECT, {"people": number}, submitted_by=name)
    kobo.close()


def test_two_processes_writing_lose_nothing(kobo: PracticeKobo, state_file: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_rows, args=(str(state_file), name)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0]
    assert kobo.ids(PROJECT) == list(range(1, 81))
    senders = [kobo.row(number)["_submitted_by"] for number in kobo.ids(PROJECT)]
    assert sorted(senders) == ["a"] * 40 + ["b"] * 40


def test_ghost_is_listed_but_cannot_be_deleted(kobo: PracticeKobo, data_url: str, session: requests.Session) -> None:
    kobo_id = kobo.submit(PROJECT, {"people": 1}, submitted_by="a", submission_time=datetime(2022, 1, 1, tzinfo=UTC))
    ghost = kobo.add_ghost(kobo_id)

    rows = session.get(data_url, timeout=10).json()["results"]
    assert [(row["_id"], row["_uuid"] == rows[0]["_uuid"]) for row in rows] == [(kobo_id, True), (ghost, True)]
    assert session.delete(f"{data_url}{ghost}/", timeout=10).status_code == 404
    assert kobo.ids(PROJECT) == [kobo_id, ghost]
