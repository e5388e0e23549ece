"""The status of people of the roster."""

import pytest

from dtm_ops.common.errors import Refused, TransitionNotAllowed
from dtm_ops.records.models import StatusChange
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


def test_stale_page_of_a_person_loses(enumerator, coordinator):
    stale = Enumerator.objects.get()
    change_enumerator_status(enumerator, "left", by=coordinator, reason="Moved")

    with pytest.raises(TransitionNotAllowed):
        change_enumerator_status(stale, "inactive", by=coordinator, reason="Leave")

    assert Enumerator.objects.get().status == "left"
