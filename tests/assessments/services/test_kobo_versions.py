"""What each version of a form asks, read from Kobo beside the submissions."""

from datetime import UTC, date, datetime

import pytest
from django.utils import timezone

from assessments.models import KoboFormVersion
from assessments.services.kobo_versions import read_new_versions, set_last_accepted
from dtm_ops.common.errors import Refused
from tests.practice import ASSET, CONTENT, client_of

pytestmark = pytest.mark.django_db

SECOND = {"survey": [{"type": "integer", "name": "people", "$xpath": "people"}]}


def read(form, **options):
    with client_of(form) as client:
        return read_new_versions(form, client=client, **options)


def known(form):
    rows = form.versions.order_by("deployed_at").values_list("uid", "content")
    return [(uid, [row["$xpath"] for row in content["survey"]] if content else None) for uid, content in rows]


def note(form, uid):
    return KoboFormVersion.objects.create(form=form, uid=uid, first_seen_at=timezone.now())


def test_deployed_version_and_those_of_submissions_are_read_once(kobo, form):
    kobo.clock = lambda: datetime(2022, 11, 1, tzinfo=UTC)
    first = kobo.deploy_version(ASSET, CONTENT | {"settings": {"style": "pages"}})
    kobo.clock = lambda: datetime(2022, 11, 20, 6, tzinfo=UTC)
    second = kobo.deploy_version(ASSET, SECOND)
    note(form, first)

    assert read(form) == 2
    assert known(form) == [(first, ["code", "who", "place", "day", "total", "men"]), (second, ["people"])]
    assert list(form.versions.order_by("deployed_at").values_list("deployed_at", flat=True)) == [
        datetime(2022, 11, 1, tzinfo=UTC),
        datetime(2022, 11, 20, 6, tzinfo=UTC),
    ]
    assert read(form) == 0


def test_version_that_kobo_does_not_have_is_logged_and_does_not_stop_the_others(kobo, form, caplog):
    note(form, "vGone")
    deployed = kobo.deploy_version(ASSET, SECOND)

    assert read(form) == 1
    assert sorted(known(form)) == sorted([("vGone", None), (deployed, ["people"])])
    assert "vGone" in caplog.text
    assert form.server.token not in caplog.text


def test_kobo_that_does_not_answer_fails_nothing_and_the_next_call_reads(kobo, form, caplog):
    note(form, "vOne")
    deployed = kobo.deploy_version(ASSET, SECOND, version_uid="vOne")
    kobo.misbehave("unavailable", path="/versions/")

    assert read(form) == 0
    assert known(form) == [("vOne", None)]
    assert (read(form), known(form)) == (1, [(deployed, ["people"])])


def test_project_that_is_gone_fails_nothing(kobo, form, caplog):
    kobo.delete_asset(ASSET)

    assert read(form) == 0
    assert not form.versions.exists()


def test_last_accepted_day_is_the_administrators(form, administrator, manager):
    version = note(form, "v1")

    with pytest.raises(Refused) as caught:
        set_last_accepted(version, date(2022, 12, 1), by=manager)
    assert caught.value.code == "not_allowed"
    version.refresh_from_db()
    assert version.last_accepted_on is None

    set_last_accepted(version, date(2022, 12, 1), by=administrator)
    version.refresh_from_db()
    assert version.last_accepted_on == date(2022, 12, 1)
