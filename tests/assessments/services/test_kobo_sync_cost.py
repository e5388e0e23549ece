"""What a sync costs: queries by pages, not by rows; memory by the page, not by the project."""

import gc
import tracemalloc

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assessments.models import KoboSubmission
from assessments.services.focus_groups import plan_focus_group
from tests.factories.assessments import KoboFormFactory
from tests.practice import CONTENT, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(kobo, form, answer):
    """Another project of the same server with so many rows."""

    def make(rows, **answers):
        uid = f"aRows{rows}"
        kobo.create_asset(uid, uid, form.server.username, CONTENT)
        kobo.submit_many(uid, [{"answers": answer(**answers), "submitted_by": "e01"} for _unused in range(rows)])
        return KoboFormFactory(server=form.server, asset_uid=uid, round=form.round, form_kind=form.form_kind)

    return make


def queries(work):
    gc.collect()
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


@pytest.mark.parametrize("answers", [{}, {"total": "many"}, {"men": "9"}], ids=["good", "refused", "flagged"])
def test_first_sync_of_a_page_takes_as_many_queries_for_1_row_as_for_40(project, enumerator, answers):
    one, many = project(1, **answers), project(40, **answers)

    assert queries(lambda: sync(one)) == queries(lambda: sync(many))


def test_sync_of_focus_groups_codes_takes_as_many_queries_for_1_row_as_for_20(kobo, target, project, answer):
    groups = [plan_focus_group(target) for _unused in range(21)]
    type(groups[0]).objects.update(starts_at="2022-11-20T09:00Z", ends_at="2022-11-20T10:00Z")
    one = project(0)
    kobo.submit(one.asset_uid, answer(code=groups[20].code), submitted_by="e01")
    kobo.create_asset("aMany", "aMany", one.server.username, CONTENT)
    many = KoboFormFactory(server=one.server, asset_uid="aMany", round=one.round, form_kind=one.form_kind)
    kobo.submit_many("aMany", [{"answers": answer(code=group.code), "submitted_by": "e01"} for group in groups[:20]])

    ContentType.objects.get_for_model(groups[0])
    assert queries(lambda: sync(one)) == queries(lambda: sync(many))
    assert set(type(groups[0]).objects.values_list("status", flat=True)) == {"held"}


def test_sync_of_edits_takes_as_many_queries_for_1_row_as_for_40(kobo, project):
    one, many = project(1), project(40)
    for form in (one, many):
        sync(form)
        for kobo_id in kobo.ids(form.asset_uid):
            kobo.edit(kobo_id, {"total": "11"})

    assert queries(lambda: sync(one)) == queries(lambda: sync(many))


def test_sync_without_changes_takes_as_many_queries_for_1_row_as_for_40(project):
    one, many = project(1), project(40)
    for form in (one, many):
        sync(form)

    assert queries(lambda: sync(one)) == queries(lambda: sync(many)) < 25


def test_rematch_takes_as_many_queries_for_1_row_as_for_40(project, other_village, sub_area, target):
    one, many = project(1, place=other_village.unit_id), project(40, place=other_village.unit_id)
    for form in (one, many):
        sync(form)
    type(target).objects.create(round=target.round, unit=other_village, form_kind=sub_area)

    assert queries(lambda: sync(one)) == queries(lambda: sync(many))
    assert not KoboSubmission.objects.filter(match_state="unmatched").exists()


def test_memory_is_that_of_pages_and_does_not_grow_with_the_project(project):
    few, many = project(600, who="x" * 3_000), project(3_000, who="x" * 3_000)
    sync(project(1))

    def peak(form):
        gc.collect()
        tracemalloc.start()
        try:
            sync(form, page_size=200)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Five times the rows; what is kept of each is its id, uuid and fingerprint.
    assert peak(many) < 1.5 * peak(few)
