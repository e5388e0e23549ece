"""The practice Kobo answers as the recordings of a real server do: folders 01-12, 15-18, in recorded order."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assessments.kobo.practice.server import running
from assessments.kobo.practice.state import PracticeKobo
from tests.assessments.kobo.practice.listener import Listener, listening
from tests.assessments.kobo.practice.replay import RECORDINGS, Exchange, Replay, load

ADMIN = "iom_admin"
USERS = (ADMIN, "field_viewer", "partner_p", "stranger")
PROJECT = "awJCzV5ZKuy4eFW6Xrg3Kf"
LARGE_PROJECT = "aNEf3VQ72C5g3GZa2Sjo7z"
LARGE_IDS = range(44, 1244)
GHOST_ID = 46

# The order in which they were recorded: later folders see what earlier ones did. Of 14 only what writes or reads
# submissions is replayed, because 04b counts the rows that it left.
FOLDERS = (
    "01_auth_and_empty",
    "02_form_import_deploy",
    "03_submit",
    "04_data_listing",
    "05_edit",
    "07_validation_status",
    "06_delete",
    "12_attachments",
    "08_asset_files",
    "10_new_version",
    "11_permissions",
    "09_hooks",
    "14_exports_archive_misc",
    "15_paging_large",
    "16_ghost_after_deadlock",
    "18_blank_repeat_instance",
    "04b_time_bounds",
)
OUT_OF_SCOPE = {
    "01_auth_and_empty/012_api_root": "a directory of Kobo's whole API",
    "01_auth_and_empty/016_service_health": "tells of databases that a practice server does not have",
    "02_form_import_deploy/025_export_settings_empty": "exports are no sync channel",
    "04_data_listing/063_format_geojson": "a format that nothing here asks for",
    "04_data_listing/078_options_data": "self-description of Django REST framework",
    "04_data_listing/079_tags_reports": "Kobo's own charts",
    "06_delete/018_audit_history": "of the project history only changes of submissions are kept",
    "06_delete/019_audit_history_q_delete": "of the project history only changes of submissions are kept",
    "06_delete/020_audit_history_since": "of the project history only changes of submissions are kept",
    "06_delete/021_audit_history_actions": "of the project history only changes of submissions are kept",
    "09_hooks/030_retry_one": "nobody sends a notice again by hand",
    "10_new_version/010_form_xml_v2": "XForms are made by pyxform, for phones",
    "10_new_version/020_reports_all_versions": "Kobo's own charts",
    "12_attachments/003_download_before_nginx": "a view behind the proxy that no client has",
    "12_attachments/005_download_small": "pictures are not scaled",
    "12_attachments/006_download_medium": "pictures are not scaled",
    "12_attachments/007_download_large": "pictures are not scaled",
    "16_ghost_after_deadlock/004_asset_counts": "shows counters that had drifted apart by a crash",
}
# What the plan above leaves; a recording that falls out for any other reason changes this number.
COMPARED = 390


@pytest.fixture
def clock() -> dict[str, datetime]:
    return {"now": datetime(2026, 11, 22, 11, 29, 33, tzinfo=UTC)}


@pytest.fixture
def kobo(tmp_path: Path, clock: dict[str, datetime]) -> Iterator[PracticeKobo]:
    state = PracticeKobo(tmp_path / "kobo.sqlite3", clock=lambda: clock["now"])
    yield state
    state.close()


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"the recordings are not at {RECORDINGS}")
def test_practice_kobo_replaying_the_recordings_answers_as_recorded(
    kobo: PracticeKobo, clock: dict[str, datetime]
) -> None:
    tokens = {user: kobo.create_user(user, f"{user}-password") for user in USERS}
    passwords = {user: f"{user}-password" for user in USERS}
    skipped = []
    kobo.hooks.pause = 0.01
    with running(kobo) as base_url, listening(ANSWERS) as listener:
        replay = Replay(
            base_url, tokens, passwords, lambda moment: clock.update(now=moment), listener_url=listener.base_url
        )
        for folder in FOLDERS:
            PREPARATIONS.get(folder, _prepare_nothing)(kobo, replay)
            for exchange in load(folder):
                if exchange.label in OUT_OF_SCOPE:
                    skipped.append(exchange.label)
                elif _is_of_interest(exchange):
                    _seed_unrecorded_rows(kobo, replay, exchange)
                    replay.play(exchange)
                    assert kobo.hooks.wait()
                    _compare_notices(replay, exchange, listener)

    assert "\n".join(replay.differences) == ""
    assert sorted(skipped) == sorted(OUT_OF_SCOPE)
    assert len(replay.compared) == COMPARED


def _is_of_interest(exchange: Exchange) -> bool:
    path = exchange.request["path"]
    if exchange.label.startswith("14_exports"):
        return path.endswith(("/submission", "/deployment/")) or "/data/" in path
    return True


# What the receiver of the recordings answered.
ANSWERS = {"/kobo/json": (200, '{"ok":true}'), "/kobo/xml": (200, '{"ok":true}')} | {
    "/kobo/fail": (500, "boom"),
    "/kobo/unavail": (503, "boom"),
}
_TOLD = ("Content-Type", "User-Agent", "X-Sync-Key", "Authorization")


def _compare_notices(replay: Replay, exchange: Exchange, listener: Listener) -> None:
    """What the services were sent since, beside the observations that follow this exchange in folder 09."""
    got, listener.received[:] = list(listener.received), []
    number = int(exchange.label.partition("/")[2][:3])
    folder = RECORDINGS / "09_hooks"
    seen = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    following = itertools.takewhile(lambda one: "request" not in one, seen[number:])
    expected = list(following) if exchange.label.startswith("09_hooks") else []
    told = [one["received"] for one in expected if "received" in one]
    counts = [one["received_count"] for one in expected if "received_count" in one] or [len(told)]
    if len(got) != counts[0]:
        replay.differences.append(f"{exchange.label}: {len(got)} notices, recorded {counts[0]}")
    for recorded, ours in zip(told, sorted(got, key=lambda one: one.path), strict=False):
        headers = {name: value for name, value in recorded["headers"] if name in _TOLD and name != "Authorization"}
        has_login = any(name == "Authorization" for name, _ in recorded["headers"])
        replay.compare_value(f"{exchange.label} notice", headers, {name: ours.headers[name] for name in headers})
        replay.compare_value(f"{exchange.label} log-in", has_login, "Authorization" in ours.headers)
        if "body_json" in recorded:
            replay.compare_value(f"{exchange.label} notice", recorded["body_json"], json.loads(ours.body))


def _prepare_nothing(kobo: PracticeKobo, replay: Replay) -> None:
    """Most folders begin where the one before ended."""


def _seed_unrecorded_rows(kobo: PracticeKobo, replay: Replay, exchange: Exchange) -> None:
    """Of the 31 rows of folder 03 only some posts were kept: put in the others before the next one, by ``_id``."""
    if not exchange.label.startswith("03_submit") or exchange.response["status"] != 201:
        return
    text = exchange.response.get("body_text") or json.dumps(exchange.response["body_json"])
    uuid = re.search(r'instanceID"?[=:]\s*"uuid:([^"]+)"', text).group(1)
    rows = _recorded_rows("04_data_listing/001_list_default")
    own_id = next(row["_id"] for row in rows if row["_uuid"] == uuid)
    present = set(kobo.ids(replay.ours(PROJECT)))
    for row in rows:
        if row["_id"] < own_id and row["_id"] not in present:
            _seed(kobo, replay, PROJECT, row)


def _recorded_rows(label: str) -> list[dict[str, Any]]:
    recorded = json.loads((RECORDINGS / f"{label}.json").read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = recorded["response"]["body_json"]["results"]
    return rows


def _seed(kobo: PracticeKobo, replay: Replay, project: str, recorded: dict[str, Any]) -> None:
    row = json.loads(replay.ours(json.dumps(recorded)))
    meta = ("_", "meta/", "formhub/")
    kobo.submit(
        replay.ours(project),
        {key: value for key, value in row.items() if not key.startswith(meta)},
        submitted_by=row.get("_submitted_by", ADMIN),
        submission_time=datetime.fromisoformat(row["_submission_time"]).replace(tzinfo=UTC),
        uuid=row["_uuid"],
        kobo_id=row["_id"],
    )


def _prepare_large_project(kobo: PracticeKobo, replay: Replay) -> None:
    """Make the second project of 1,200 rows; the rows that recordings show are put in as shown."""
    version = json.loads(
        (RECORDINGS / "02_form_import_deploy/014_asset_version_detail.json").read_text(encoding="utf-8")
    )
    content = version["response"]["body_json"]["content"]
    recorded = {row["_id"]: row for label in _LARGE_LABELS for row in _recorded_rows(label) if row["_id"] in LARGE_IDS}
    kobo.create_asset(LARGE_PROJECT, "Large", ADMIN, content)
    moment = datetime(2026, 11, 22, 11, 31, tzinfo=UTC)
    others = [number for number in LARGE_IDS if number not in recorded]
    rows = [{"answers": {"n": number}, "kobo_id": number, "submission_time": moment} for number in others]
    kobo.submit_many(LARGE_PROJECT, rows)
    for number in LARGE_IDS:
        if number in recorded:
            _seed(kobo, replay, LARGE_PROJECT, recorded[number])
    kobo.make_ghost(GHOST_ID)
    for name in ("__version__", "formhub/uuid"):
        replay.bind(recorded[GHOST_ID][name], kobo.row(GHOST_ID)[name])


def _prepare_rows_of_folder_17(kobo: PracticeKobo, replay: Replay) -> None:
    """Put in the 15 rows whose posts were only observed, in folder 17."""
    for row in _recorded_rows("04b_time_bounds/002_gt"):
        if 1245 <= row["_id"] <= 1259:
            _seed(kobo, replay, PROJECT, row)


_LARGE_LABELS = (
    "15_paging_large/002_default_limit",
    "15_paging_large/004_limit_1000_page_2",
    "16_ghost_after_deadlock/006_listed_twice",
)
PREPARATIONS: dict[str, Callable[[PracticeKobo, Replay], None]] = {
    "15_paging_large": _prepare_large_project,
    "18_blank_repeat_instance": _prepare_rows_of_folder_17,
}


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"the recordings are not at {RECORDINGS}")
def test_late_row_shown_after_higher_ids_appears_as_observed(kobo: PracticeKobo) -> None:
    observed = json.loads((RECORDINGS / "17_visibility_order/001_observed.json").read_text(encoding="utf-8"))
    kobo.create_user(ADMIN)
    kobo.create_asset("aLate", "Late", ADMIN, {"survey": []})
    late = observed["rows_that_appeared_late"]
    seen = []
    for number, _, moment in sorted(observed["rows"]):
        at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        kobo.submit("aLate", {"n": "1"}, submitted_by=ADMIN, submission_time=at, kobo_id=number, hidden=number in late)
        seen.extend(found for found in kobo.ids("aLate") if found not in seen)
        if number == late[0] + 2:
            kobo.show(late[0])

    assert seen == [number for number, _, _ in sorted(observed["rows"], key=lambda row: (row[1], row[0] in late))]
