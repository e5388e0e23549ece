"""The demonstration: loaded through the real chain, over HTTP, onto the real gazetteer."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from assessments.demo.load import load_demo
from assessments.enums import STATUS_AT_KOBO, Bucket
from assessments.kobo.practice.state import PracticeKobo
from assessments.models import AssessmentRound, FocusGroupSession, KoboSubmission, QualityFlag, StatusPush, SyncRun
from assessments.selectors.coverage import coverage
from assessments.selectors.kobo_status import proposal_for
from assessments.selectors.open_work import open_work
from assessments.selectors.report import report
from assessments.services.leaving import leave
from assessments.services.merging import merge_with_work
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Notice, StatusChange
from locations.apps import LocationsConfig
from locations.models import GazetteerUpdate, UnitChange
from training.models import (
    Absence,
    Certificate,
    CorrectiveTask,
    Enrolment,
    Enumerator,
    EnumeratorIdentity,
    Team,
    TeamMembership,
    TestAttempt,
    TrainingSession,
)
from training.selectors import why_not_certified
from training.selectors.duplicates import suggest_duplicates

pytestmark = pytest.mark.django_db

# Source report, Baseline Assessment results: shares as printed.
PRINTED = {
    "nationality": {"UZ": "81.3", "RU": "7.8", "TJ": "4.4", "KG": "3.0", "other": "3.5"},
    "sex": {"male": "84.0", "female": "16.0"},
    "reason": {"economic": "67.2", "sanctions": "12.4", "conflict": "8.8", "mobilization": "6.1", "covid": "5.4"},
    "migration_type": {"seasonal": "73.3", "long_term": "20.2", "other": "6.5"},
}
PRINTED_REGIONS = {
    "470000000": "31.9",
    "190000000": "18.8",
    "750000000": "18.1",
    "270000000": "0.4",
    "630000000": "0.5",
    "590000000": "0.7",
}


TODAY = date(2026, 11, 23)


def load(state: Path, *, today: date = TODAY) -> list[AssessmentRound]:
    return load_demo(kobo_state=state, kobo_address="http://127.0.0.1:8001", today=today)


def count_rows() -> dict[str, int]:
    models = (
        User, Enumerator, Certificate, FocusGroupSession, KoboSubmission, SyncRun, StatusChange, Team, TeamMembership,
        Absence, CorrectiveTask, TestAttempt, Enrolment, EnumeratorIdentity, GazetteerUpdate, UnitChange, Notice,
        StatusPush,
    )  # fmt: skip
    return {model.__name__: model.objects.count() for model in models}


def test_demo_gives_the_published_figures_and_a_round_in_every_state(tmp_path):
    call_command("load_gazetteer", str(LocationsConfig.GAZETTEER))
    quarter, practice = load(tmp_path / "kobo.sqlite3")
    figures = report(quarter)

    assert figures.total == 668_422
    shares = {code: {row.code: str(row.share) for row in figures.by[code].rows} for code in PRINTED}
    assert shares == PRINTED
    regions = {row.code: str(row.share) for row in figures.by["region"].rows}
    assert len(regions) == 14
    assert PRINTED_REGIONS.items() <= regions.items()
    assert [(row.code, str(row.growth)) for row in figures.by["arrival_year"].rows[1:]] == [
        ("2021", "16.0"),
        ("2022", "25.0"),
    ]
    whole = coverage(quarter)
    assert (whole.planned, whole.covered, len(whole.regions)) == (390, 390, 14)
    assert Certificate.objects.valid_on(date(2022, 11, 11)).values("enumerator").distinct().count() == 20
    states = {bucket for bucket, number in coverage(practice).buckets.items() if number}
    assert states == set(Bucket.values) - {Bucket.SHORTFALL}
    assert set(SyncRun.objects.values_list("outcome", flat=True)) == {"closed"}
    assert not QualityFlag.objects.filter(check_code="clock_wrong").exists()

    trainings_have_their_people_and_tests()
    people_have_teams_absences_and_tasks()
    places_wait_for_a_decision()
    decisions_are_at_kobo(tmp_path / "kobo.sqlite3")

    before = count_rows()
    load(tmp_path / "kobo.sqlite3", today=date(2026, 12, 24))
    assert count_rows() == before
    assert report(quarter).total == 668_422
    what_people_try_stays(tmp_path / "kobo.sqlite3")


def decisions_are_at_kobo(state: Path) -> None:
    """Each as validation status, and one that somebody set there and nobody has decided about."""
    assert set(StatusPush.objects.values_list("state", flat=True)) == {"sent", "superseded"}
    kobo = PracticeKobo(state)
    reviewed = KoboSubmission.objects.exclude(review_status="received")
    statuses = {row.kobo_id: STATUS_AT_KOBO[row.review_status] for row in reviewed}
    assert {key: kobo.row(key)["_validation_status"]["uid"] for key in statuses} == statuses
    kobo.close()
    assert [proposal_for(row).by for row in KoboSubmission.objects.proposed()] == ["kobo_colleague"]


def trainings_have_their_people_and_tests() -> None:
    """Twenty people of fourteen regions in 2022, all of them certified; a refresher to come has a waiting list."""
    first = TrainingSession.objects.get(code="2022-11-baseline")
    seats = first.enrolments.filter(status="accepted")
    assert (seats.count(), seats.values("enumerator__home_unit").distinct().count()) == (20, 14)
    attempts = TestAttempt.objects.filter(training_session=first)
    assert (attempts.count(), list(attempts.filter(passed=False).values_list("enumerator__code", "part"))) == (
        41,
        [("E11", "theory")],
    )
    assert (why_not_certified(first), first.certificates.filter(expires_on=date(2023, 11, 11)).count()) == ({}, 40)

    coming = TrainingSession.objects.get(code="coming-refresher")
    found = Counter(coming.enrolments.values_list("status", flat=True))
    assert (coming.seats, found) == (12, {"invited": 5, "accepted": 7, "declined": 2, "waiting": 2})
    asked = coming.enrolments.filter(enumerator__user__isnull=False)
    assert set(asked.values_list("enumerator__user__username", "status")) == {
        ("enumerator", "invited"), ("enumerator2", "invited"),
    }  # fmt: skip
    assert all(coming.enrolments.filter(status="declined").values_list("reply_note", flat=True))


def people_have_teams_absences_and_tasks() -> None:
    leads = TeamMembership.objects.filter(team__code="demo-turkistan", is_lead=True)
    assert [leads.on(day).get().enumerator.code for day in (date(2026, 4, 1), date(2026, 6, 30), TODAY)] == [
        "E07", "E07", "E08",
    ]  # fmt: skip
    assert Team.objects.count() == 3
    absences = [(row.enumerator.code, row.first_day <= TODAY <= row.last_day) for row in Absence.objects.all()]
    assert sorted(absences) == [("E04", False), ("E13", True)]
    tasks = CorrectiveTask.objects.values_list("enumerator__code", "status", "due_on")
    assert sorted(tasks) == [("E03", "done", date(2026, 11, 17)), ("E08", "open", date(2026, 11, 17))]
    pairs = suggest_duplicates(User.objects.get(username="coordinator"))
    assert [(pair.first.code, pair.second.code) for pair in pairs] == [("E04", "E21")]
    assert (Enumerator.objects.count(), Enumerator.objects.get(code="E21").enrolments.count()) == (21, 0)


def places_wait_for_a_decision() -> None:
    seen = UnitChange.objects.filter(update=None).values_list("kind", "status", "raised_by__username")
    assert set(seen) == {
        ("added", "open", "enumerator"), ("renamed", "open", "enumerator"), ("closed", "refused", "enumerator2"),
    }  # fmt: skip
    update = GazetteerUpdate.objects.get()
    assert (update.effective_on, sorted(update.changes.values_list("kind", "status"))) == (
        date(2026, 12, 1),
        [("added", "open"), ("closed", "open"), ("corrected", "open"), ("renamed", "open")],
    )


def what_people_try_stays(state: Path) -> None:
    """Somebody with a login leaves, another such entry is merged away: the next load brings neither back."""
    coordinator, other = User.objects.get(username="coordinator"), User.objects.get(username="coordinator2")
    gone = Enumerator.objects.get(code="E03")
    on = timezone.localdate()
    nobody = {row.key: None for row in open_work(gone, on).rows if row.passes_on}
    leave(gone, on=on, reason="New job", by=coordinator, choices=nobody)
    kept, merged = Enumerator.objects.get(code="E02"), Enumerator.objects.get(code="E01")
    merge_with_work(kept, merged, by=other, reason="Tried out")

    before = count_rows()
    load(state)
    assert count_rows() == before
    people = Enumerator.objects.filter(code__in=["E01", "E02", "E03"])
    assert sorted(people.values_list("code", "status", "user__username")) == [
        ("E01", "left", None), ("E02", "active", "enumerator2"), ("E03", "left", None),
    ]  # fmt: skip
    login = User.objects.get(username="enumerator")
    assert (login.is_active, login.unit_scopes.count()) == (False, 0)


def test_demo_without_a_gazetteer_is_refused_and_writes_nothing(tmp_path):
    with pytest.raises(Refused) as refused:
        load(tmp_path / "kobo.sqlite3")

    assert refused.value.code == "no_gazetteer"
    assert not any(count_rows().values())


def test_demo_in_production_is_refused(settings, tmp_path):
    settings.DEMO_ALLOWED = False

    with pytest.raises(CommandError, match="refused in production"):
        call_command("demo", kobo_state=tmp_path / "kobo.sqlite3")
    assert not any(count_rows().values())
