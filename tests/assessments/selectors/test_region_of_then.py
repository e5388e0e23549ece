"""What was planned in a place tells its region of then, also after the place moved to another."""

from datetime import UTC, date, datetime

import pytest

from assessments.services.focus_groups import plan_focus_group
from locations.models import UnitChange
from locations.selectors import region_of, units_on
from locations.services.unit_changes import accept_change, undo_change
from tests.factories.assessments import RoundTargetFactory

pytestmark = pytest.mark.django_db

REFORM = date(2022, 6, 8)
START, END = datetime(2022, 5, 10, 4, tzinfo=UTC), datetime(2022, 5, 10, 6, tzinfo=UTC)


def test_focus_group_planned_in_an_old_district_still_shows_its_region_of_then(
    village, district, region, other_region, area
):
    target = RoundTargetFactory(unit=village, form_kind=area)
    group = plan_focus_group(target, starts_at=START, ends_at=END, venue="School", language="kk")
    change = UnitChange.objects.create(
        kind="moved", unit=district, parent=region, effective_on=REFORM,
        before={"parent_id": region.unit_id}, after={"parent_id": other_region.unit_id},
    )  # fmt: skip

    accept_change(change, by=None)

    group.refresh_from_db()
    newer = units_on(REFORM).get(code=village.code)
    assert (region_of(group.target.unit), region_of(newer)) == (region, other_region)
    assert units_on(date(2022, 6, 7)).get(code=village.code) == group.target.unit
    undo_change(change, by=None)
    assert list(units_on(REFORM).filter(code=village.code)) == [village]
