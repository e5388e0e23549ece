"""What each list holds, what narrows it, and that it costs the same for one row and for three."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assessments.services.review import approve_submission
from tests.factories.assessments import add_revision
from tests.factories.locations import AdminUnitFactory
from tests.factories.training import EnumeratorFactory, TeamFactory
from tests.world import START, make_world
from training.services.teams import join_team


def test_enumerator_is_shown_whole(read, world, administrator):
    assert read(administrator, "enumerators/E01/") == {
        "code": "E01",
        "full_name": "Aigerim Demo",
        "other_names": [],
        "sex": "female",
        "languages": ["kk", "ru"],
        "home_unit": "195233000",
        "phone": "",
        "email": "",
        "organisation": "",
        "has_vehicle": False,
        "contract_from": None,
        "contract_to": None,
        "kobo_username": "",
        "team": None,
        "status": "active",
        "status_since": None,
        "merged_into": None,
    }


def test_person_is_shown_with_the_team_of_today(read, world, administrator, region):
    for number, last in ((400, 200), (100, None)):
        first = timezone.localdate() - timedelta(days=number)
        until = timezone.localdate() - timedelta(days=last) if last else None
        join_team(TeamFactory(code=f"team-of-{number}", unit=region), world.person, valid_from=first, valid_to=until)

    assert read(administrator, "enumerators/E01/")["team"] == "team-of-100"


def test_certificate_is_shown_whole(read, world, administrator):
    serial = world.certificate.serial

    assert read(administrator, f"certificates/{serial}/") == {
        "serial": serial,
        "enumerator": "E01",
        "form_kind": "baseline_sub_area",
        "major_version": 1,
        "training_session": world.training_session.code,
        "issued_on": "2022-11-11",
        "expires_on": None,
        "revoked_on": None,
        "revocation_reason": "",
    }


def test_training_session_is_shown_whole(read, world, administrator):
    code = world.training_session.code

    assert read(administrator, f"training-sessions/{code}/") == {
        "code": code,
        "title": "Two-day training",
        "venue": "Almaty",
        "link": "",
        "language": "ru",
        "trainer": "Trainer",
        "trained_forms": [{"form_kind": "baseline_sub_area", "major_version": 1}],
        "half_days": [{"day": "2022-11-10", "part": "am", "topic": "Questions"}],
        "enrolled": ["E01"],
    }


def test_form_kind_is_shown_whole_in_the_readers_language(read, client, manager, sub_area):
    manager.language = "ru"
    manager.save(update_fields=["language"])

    assert read(manager, "form-kinds/baseline_sub_area/") == {
        "code": "baseline_sub_area",
        "component": "mobility_tracking",
        "name": sub_area.names["ru"],
        "names": sub_area.names,
        "review_steps": sub_area.review_steps,
        "one_per_target": True,
    }


def test_round_is_shown_whole(read, world, manager):
    assert read(manager, "rounds/2022-Q4/") == {
        "code": "2022-Q4",
        "component": "mobility_tracking",
        "number": 1,
        "name": "2022-Q4",
        "names": {},
        "reporting_from": "2022-10-01",
        "reporting_to": "2022-12-31",
        "fieldwork_from": "2022-11-14",
        "fieldwork_to": "2023-03-10",
        "reference_date": "2022-12-31",
        "counted_since": "2020-01-01",
        "reference_year": 2022,
        "status": "open",
        "is_demo": False,
        "remark": "",
        "regions": [{"unit_id": "190000000", "code": "190000000", "name": "Almaty region", "remark": ""}],
    }


def test_target_is_shown_whole_with_its_bucket(read, world, manager):
    assert read(manager, f"targets/{world.target.pk}/") == {
        "id": world.target.pk,
        "round": "2022-Q4",
        "unit": "195233000",
        "unit_name": "Zhandosov",
        "form_kind": "baseline_sub_area",
        "bucket": "in_review",
        "parent_target": None,
        "minimum_informants": 2,
        "source": "",
        "status": "open",
        "status_reason": "",
        "status_until": None,
    }


def test_focus_group_is_shown_whole_without_who_was_withdrawn(read, world, other_person, manager):
    world.focus_group.assignments.create(enumerator=other_person, withdrawn_at=START)

    shown = read(manager, f"focus-groups/{world.focus_group.code}/")

    assert [one.pop("assigned_at")[:2] for one in shown["assignments"]] == ["20"]
    assert shown == {
        "code": world.focus_group.code,
        "target": world.target.pk,
        "round": "2022-Q4",
        "unit": "195233000",
        "unit_name": "Zhandosov",
        "form_kind": "baseline_sub_area",
        "starts_at": "2022-12-05T10:00:00+06:00",
        "ends_at": "2022-12-05T12:00:00+06:00",
        "travel_minutes": 0,
        "venue": "School",
        "language": "kk",
        "status": "planned",
        "assignments": [{"enumerator": "E01", "full_name": "Aigerim Demo", "role": "moderator"}],
    }


def test_submission_is_listed_without_its_answers(read, world, manager):
    (shown,) = read(manager, "submissions/")["results"]

    assert shown == {
        "id": world.submission.pk,
        "server": world.form.server_id,
        "asset": world.form.asset_uid,
        "kobo_id": 1,
        "root_uuid": "uuid-1",
        "uuid": "uuid-1",
        "round": "2022-Q4",
        "form_kind": "baseline_sub_area",
        "submitted_at": "2023-01-30T15:00:00+06:00",
        "submitted_by": "",
        "first_seen_at": "2023-01-30T15:00:00+06:00",
        "deleted_at": None,
        "review_status": "received",
        "changed_after_approval": False,
        "match_state": "by_place",
        "target": world.target.pk,
        "focus_group": world.focus_group.code,
        "enumerator": "E01",
        "unit": "195233000",
        "is_trial": False,
        "is_refused": False,
    }


def test_submission_alone_has_its_newest_answers_and_what_checks_found(read, world, manager):
    revision = world.submission.current_revision
    revision.problems = [{"code": "negative", "path": "total", "value": "-1"}]
    revision.save(update_fields=["problems"])

    shown = read(manager, f"submissions/{world.submission.pk}/")

    head = {"_id": 1, "_uuid": "uuid-1-1", "meta/rootUuid": "uuid:uuid-1"}
    assert shown["answers"] == {**head, "total": "10", "men": "6", "women": "4"}
    assert shown["problems"] == ["total “-1” is below zero"]
    assert shown["flags"] == [
        {"code": "after_fieldwork", "severity": "warning", "message": "Filled after the end of the fieldwork"}
    ]


def test_submission_shows_strange_answers_letter_by_letter(read, world, manager):
    strange = {"note": "a\x00b 🙂 \ud83d Қ", "number": 1}
    revision = add_revision(world.submission, {})
    revision.raw = json.dumps({**strange, "share": float("nan")})
    revision.save(update_fields=["raw"])

    assert read(manager, f"submissions/{world.submission.pk}/")["answers"] == {**strange, "share": "NaN"}


def test_kobo_form_is_shown_without_the_token(read, client, world, administrator):
    shown = read(administrator, f"kobo-forms/{world.form.pk}/")

    assert shown == {
        "id": world.form.pk,
        "server": {"id": world.form.server_id, "name": "Practice", "base_url": "http://127.0.0.1:8001"},
        "asset_uid": world.form.asset_uid,
        "name": "A form",
        "round": "2022-Q4",
        "form_kind": "baseline_sub_area",
        "major_version": 1,
        "is_active": True,
        "sync_every": 15,
        "next_sync_at": None,
        "swept_at": None,
        "state": "late",
        "last_complete_at": "2022-12-05T12:00:00+06:00",
    }
    assert world.form.server.token not in json.dumps([shown, read(administrator, "kobo-forms/")])


def test_sync_run_is_shown_with_its_ledger(read, world, administrator):
    shown = read(administrator, f"sync-runs/{world.run.pk}/")

    assert shown == {
        "id": world.run.pk,
        "form": world.form.pk,
        "asset": world.form.asset_uid,
        "round": "2022-Q4",
        "trigger": "command",
        "by": None,
        "started_at": "2022-12-05T12:00:00+06:00",
        "finished_at": "2022-12-05T12:00:00+06:00",
        "outcome": "closed",
        "message": "1 new form.",
        "closed": True,
        "is_sweep": False,
        "step": "",
        "done": 0,
        "expected": 0,
        "stop_asked_at": None,
        "requests": 0,
        "incidents": {},
        "at_kobo": 1,
        "here": 1,
        "new": 1,
        "edited": 0,
        "unchanged": 0,
        "refused": 0,
        "deleted": 0,
        "unmatched": 0,
        "error_code": "",
        "differences": {},
    }


# --- the same answers as the commands


@pytest.mark.parametrize("name", ["coverage", "report"])
def test_answer_is_the_commands(read, other_world, manager, capsys, name):
    approve_submission(other_world.submission, reviewer=manager)
    call_command(name, "2022-Q4", "--json")

    assert read(manager, f"rounds/2022-Q4/{name}/") == json.loads(capsys.readouterr().out)


def test_coverage_and_report_of_a_coordinator_end_at_the_own_units(read, other_world, coordinator, other_coordinator):
    approve_submission(other_world.submission, reviewer=other_coordinator)

    own = read(coordinator, "rounds/2022-Q4/coverage/")
    others = read(other_coordinator, "rounds/2022-Q4/report/")

    assert (own["planned"], own["targets"]) == (
        1,
        [{"unit_id": "195233000", "form_kind": "baseline_sub_area", "bucket": "in_review"}],
    )
    assert read(coordinator, "rounds/2022-Q4/report/")["total"] == 0
    assert (others["total"], others["by"]["sex"]["rows"]) == (
        10,
        [
            {"code": "male", "name": "men", "count": 6, "share": 60.0},
            {"code": "female", "name": "women", "count": 4, "share": 40.0},
        ],
    )


# --- filters


FILTERS = [
    ("enumerators/", {"region": "190000000"}, ["E01"]),
    ("enumerators/", {"region": "nowhere"}, []),
    ("enumerators/", {"status": "left"}, []),
    ("certificates/", {"enumerator": "E02", "form_kind": "baseline_sub_area", "valid_on": "2022-11-11"}, ["E02"]),
    ("certificates/", {"enumerator": "E02", "valid_on": "2022-11-10"}, []),
    ("training-sessions/", {"form_kind": "survey"}, []),
    ("form-kinds/", {"component": "survey"}, ["survey"]),
    ("rounds/", {"status": "open", "component": "mobility_tracking"}, ["2022-Q4"]),
    ("rounds/", {"status": "closed"}, []),
    ("targets/", {"round": "2022-Q4", "region": "470000000", "bucket": "in_review"}, ["473630000"]),
    ("targets/", {"bucket": "covered"}, []),
    ("targets/", {"form_kind": "baseline_area"}, []),
    ("focus-groups/", {"region": "195233000", "status": "planned", "enumerator": "E01"}, ["195233000"]),
    ("focus-groups/", {"enumerator": "E02", "starts_from": "2022-12-05", "starts_to": "2022-12-05"}, ["473630000"]),
    ("focus-groups/", {"round": "2021-Q1"}, []),
    ("focus-groups/", {"starts_from": "2022-12-06"}, []),
    ("submissions/", {"region": "470000000", "review_status": "received", "is_deleted": "false"}, ["473630000"]),
    ("submissions/", {"kobo_id": 1, "form_kind": "baseline_sub_area", "match_state": "by_place"}, ["195233000"]),
    ("submissions/", {"is_deleted": "true"}, []),
    ("submissions/", {"changed_after_approval": "true"}, []),
    ("submissions/", {"enumerator": "E02", "is_trial": "false", "is_refused": "false"}, ["473630000"]),
    ("kobo-forms/", {"form_kind": "baseline_area"}, []),
    ("kobo-forms/", {"is_active": "false"}, []),
    ("sync-runs/", {"outcome": "red"}, []),
    ("sync-runs/", {"asset": "aOther"}, []),
]


@pytest.mark.parametrize(("address", "wanted", "keys"), FILTERS)
def test_filter_narrows_the_list(read, other_world, manager, address, wanted, keys):
    rows = read(manager, address, **wanted)["results"]

    shown = [row.get("unit") or row.get("enumerator") or row.get("code") for row in rows]
    assert shown == keys


def test_filter_finds_what_changed_after_its_approval(read, world, manager):
    approve_submission(world.submission, reviewer=manager)
    add_revision(world.submission, {"total": "12", "men": "6", "women": "6"})

    assert read(manager, "submissions/", changed_after_approval="true")["count"] == 1
    assert read(manager, "submissions/", changed_after_approval="false")["count"] == 0


# --- costs


def count_queries(client, address):
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)
    assert response.status_code == 200, response.content
    return response.json(), len(queries)


@pytest.mark.parametrize(
    "name",
    [
        "units",
        "enumerators",
        "certificates",
        "training-sessions",
        "rounds",
        "targets",
        "focus-groups",
        "submissions",
        "kobo-forms",
        "sync-runs",
        "rounds/2022-Q4/coverage",
        "rounds/2022-Q4/report",
    ],
)
def test_list_costs_the_same_for_one_row_and_for_three(client, world, coordinator, district, sub_area, name):
    client.force_login(coordinator)
    client.get(f"/api/v1/{name}/")
    first, before = count_queries(client, f"/api/v1/{name}/")

    for number in (1, 2):
        village = AdminUnitFactory(parent=district)
        person = EnumeratorFactory(home_unit=village)
        make_world(village, person, kind=sub_area, starts_at=START + timedelta(days=number))
    more, after = count_queries(client, f"/api/v1/{name}/")

    assert after == before
    assert len(json.dumps(more)) > len(json.dumps(first)) or name in ("rounds", "kobo-forms", "rounds/2022-Q4/report")
