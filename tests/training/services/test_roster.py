"""The status of people of the roster."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import StatusChange
from tests.factories.training import EnumeratorFactory
from training.models import Enumerator
from training.services.roster import change_enumerator_status

pytestmark = pytest.mark.django_db


def test_person_is_set_aside_and_taken_back_with_reasons(enumerator, coordinator):
    change_enumerator_status(enumerator, "inactive", by=coordinator, reason=" Leave ")
    change_enumerator_status(enumerator, "left", by=coordinator, reason="Moved")
    change_enumerator_status(enumerator, "active", by=coordinator, reason="Is back")

    steps = StatusChange.objects.about(enumerator).values_list("old", "new", "text", "by__username")
    assert list(steps) == [
        ("active", "inactive", "Leave", "coordinator"),
        ("inactive", "left", "Moved", "coordinator"),
        ("left", "active", "Is back", "coordinator"),
    ]


@pytest.mark.parametrize(("status", "reason"), [("left", " "), ("active", "Same")])
def test_status_without_a_reason_or_a_step_is_refused(enumerator, coordinator, status, reason):
    with pytest.raises(Refused):
        change_enumerator_status(enumerator, status, by=coordinator, reason=reason)

    assert (Enumerator.objects.get().status, StatusChange.objects.count()) == ("active", 0)


def test_status_keeps_since_when_and_why(enumerator, coordinator):
    change_enumerator_status(enumerator, "inactive", by=coordinator, reason="Leave", since=date(2023, 5, 2))

    assert (enumerator.status_since, enumerator.status_reason) == (date(2023, 5, 2), "Leave")
    assert (Enumerator.objects.get().status_since, Enumerator.objects.get().status_reason) == (
        date(2023, 5, 2),
        "Leave",
    )


def test_status_of_a_day_to_come_and_of_a_merged_entry_is_refused(enumerator, coordinator):
    tomorrow = timezone.localdate() + timedelta(days=1)
    gone = EnumeratorFactory(status="left", merged_into=enumerator)

    for person, status, since in ((enumerator, "left", tomorrow), (gone, "active", None)):
        with pytest.raises(Refused):
            change_enumerator_status(person, status, by=coordinator, reason="Why", since=since)

    assert StatusChange.objects.count() == 0


def test_stale_page_of_a_person_loses(enumerator, coordinator):
    stale = Enumerator.objects.get()
    change_enumerator_status(enumerator, "left", by=coordinator, reason="Moved")

    with pytest.raises(TransitionNotAllowed):
        change_enumerator_status(stale, "inactive", by=coordinator, reason="Leave")

    assert Enumerator.objects.get().status == "left"
