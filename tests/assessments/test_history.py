"""What the database writes down by itself."""

import pytest
from django.utils import timezone

from assessments.models import KoboForm
from tests.factories.assessments import KoboFormFactory

pytestmark = pytest.mark.django_db


def test_connection_is_written_down_when_it_changes_and_not_at_each_run():
    form = KoboFormFactory(sync_every=15)

    KoboForm.objects.filter(pk=form.pk).update(next_sync_at=timezone.now())
    KoboForm.objects.filter(pk=form.pk).update(sync_every=60)

    assert list(form.events.order_by("pgh_id").values_list("pgh_label", "sync_every")) == [
        ("insert", 15),
        ("update", 60),
    ]
