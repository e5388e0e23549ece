"""The demonstration: loaded through the real chain, over HTTP, onto the real gazetteer."""

from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from assessments.demo.load import load_demo
from assessments.enums import Bucket
from assessments.models import AssessmentRound, FocusGroupSession, KoboSubmission, SyncRun
from assessments.selectors.coverage import coverage
from assessments.selectors.report import report
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import StatusChange
from locations.apps import LocationsConfig
from training.models import Certificate, Enumerator

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


def load(state: Path, *, today: date = date(2026, 11, 23)) -> list[AssessmentRound]:
    return load_demo(kobo_state=state, kobo_address="http://127.0.0.1:8001", today=today)


def count_rows() -> dict[str, int]:
    models = (User, Enumerator, Certificate, FocusGroupSession, KoboSubmission, SyncRun, StatusChange)
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
    assert Enumerator.objects.count() == 20
    assert Certificate.objects.valid_on(date(2022, 11, 11)).values("enumerator").distinct().count() == 20
    states = {bucket for bucket, number in coverage(practice).buckets.items() if number}
    assert states == set(Bucket.values) - {Bucket.SHORTFALL}
    assert set(SyncRun.objects.values_list("outcome", flat=True)) == {"closed"}

    before = count_rows()
    load(tmp_path / "kobo.sqlite3", today=date(2026, 12, 24))
    assert count_rows() == before


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
