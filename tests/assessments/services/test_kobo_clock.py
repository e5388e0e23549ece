"""What a phone's clock and an old version of the form give away."""

from datetime import UTC, date, datetime, timedelta

import pytest

from assessments.models import KoboForm, QualityFlag
from tests.practice import ASSET, sync

pytestmark = pytest.mark.django_db

DEPLOYED = datetime(2022, 11, 15, 6, tzinfo=UTC)
ARRIVED = datetime(2022, 11, 20, 12, tzinfo=UTC)


def flags(code):
    return list(QualityFlag.objects.filter(check_code=code).values_list("params", flat=True))


@pytest.fixture
def deployed(kobo, form):
    """A form whose version is known to be there since some days."""
    sync(form)
    form.versions.update(deployed_at=DEPLOYED)
    return form


@pytest.mark.parametrize(
    ("started", "ended", "arrived", "found"),
    [
        ("2022-11-20T11:00:00+00:00", "2022-11-20T11:59:00+00:00", ARRIVED, []),
        ("2022-11-20T17:00:00+06:00", "2022-11-20T17:59:00+06:00", ARRIVED, []),
        ("2022-11-16T11:00:00+00:00", "2022-11-16T11:30:00+00:00", ARRIVED, []),
        ("2022-11-20T11:00:00+00:00", "2022-11-20T12:09:00+00:00", ARRIVED, []),
        ("2022-11-20T13:00:00+00:00", "2022-11-20T14:00:00+00:00", ARRIVED, [{"how": "ahead", "minutes": 120}]),
        ("2022-11-15T04:00:00+00:00", "2022-11-15T05:00:00+00:00", ARRIVED, [{"how": "behind", "minutes": 60}]),
        ("2022-11-10T04:00:00+00:00", "2022-11-10T05:00:00+00:00", DEPLOYED - timedelta(days=1), []),
        ("2022-11-20T11:30:00+00:00", "2022-11-20T11:00:00+00:00", ARRIVED, [{"how": "backwards", "minutes": 30}]),
        ("yesterday", None, ARRIVED, []),
    ],
    ids=["right", "other zone", "sent late", "tolerated", "ahead", "behind", "copied", "backwards", "unreadable"],
)
def test_clock_that_contradicts_kobos_is_flagged(kobo, deployed, answer, started, ended, arrived, found):
    kobo.submit(ASSET, answer(start=started, end=ended), submitted_by="e01", submission_time=arrived)

    sync(deployed)

    assert flags("clock_wrong") == found


@pytest.mark.parametrize(
    ("last", "found"),
    [
        (None, []),
        (date(2022, 11, 20), []),
        (date(2022, 11, 19), [{"day": "2022-11-20", "last": "2022-11-19"}]),
    ],
)
def test_version_is_outdated_after_its_last_day(deployed, submit, last, found):
    deployed.versions.update(last_accepted_on=last)
    submit()

    sync(deployed)

    assert flags("outdated_version") == found
    assert KoboForm.objects.get().submissions.get().is_refused is False
