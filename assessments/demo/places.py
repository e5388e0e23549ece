"""Changes of places to decide about: what people in the field saw, and a newer classifier, all of it invented."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from dtm_ops.accounts.models import User
from locations.enums import UnitChangeKind
from locations.models import AdminUnit, GazetteerUpdate, UnitChange
from locations.selectors.changes import below, standing_from
from locations.services.field_proposals import propose_field_change
from locations.services.gazetteer_update import propose_update
from locations.services.unit_changes import refuse_change

UPDATE_TITLE = "Demonstration: next month's classifier (invented)"
# Sarysu of Zhambyl region, in which the practice round plans no work; what happens to its parts, by number.
DISTRICT = "316000000"
CLOSED, CORRECTED, RENAMED = 0, 1, 2


def propose_changes(regions: Mapping[str, AdminUnit], *, users: Mapping[str, User], today: date) -> None:
    """Made once. The gazetteer itself stays as it is: nothing of this is accepted."""
    if not UnitChange.objects.filter(raised_by__in=(users["enumerator"], users["enumerator2"])).exists():
        _propose_from_the_field(regions, users=users)
    if not GazetteerUpdate.objects.filter(title=UPDATE_TITLE).exists():
        _lay_classifier_beside(by=users["administrator"], today=today)


def _propose_from_the_field(regions: Mapping[str, AdminUnit], *, users: Mapping[str, User]) -> None:
    """A new village and a new name wait for an answer; a closing was refused."""
    okrug, renamed = _parts_of(regions["190000000"])[:2]
    point = (Decimal("43.20000"), Decimal("76.60000"))
    propose_field_change(
        UnitChangeKind.ADDED, by=users["enumerator"], parent=okrug, point=point, accuracy=8,
        after={"unit_type": "village", "name_en": "Demo village", "name_ru": "Демо-село", "name_kk": "Демо ауылы"},
        reason="Demonstration: forty new houses behind the brick factory; people call the place so.",
    )  # fmt: skip
    propose_field_change(
        UnitChangeKind.RENAMED, by=users["enumerator"], unit=renamed,
        after={name: f"{text} (демо)" for name, text in _names(renamed).items()},
        reason="Demonstration: the board at the akimat has another name.",
    )  # fmt: skip
    closed = propose_field_change(
        UnitChangeKind.CLOSED, by=users["enumerator2"], unit=_parts_of(regions["470000000"])[0],
        reason="Demonstration: I met nobody there.",
    )  # fmt: skip
    refuse_change(
        closed, by=users["administrator"], note="Demonstration: the people are away in winter only; the place stands."
    )


def _parts_of(region: AdminUnit) -> list[AdminUnit]:
    rows = AdminUnit.objects.units_on(timezone.localdate()).within(region).level(3)
    return list(rows.filter(unit_type="rural_okrug").order_by("unit_id"))


def _lay_classifier_beside(*, by: User, today: date) -> None:
    """One district as the file of next month would have it: a new part, a renamed and a corrected one, and one that
    is closed, whose villages go over to the renamed.
    """
    effective_on = (today.replace(day=1) + timedelta(days=31)).replace(day=1)
    district = standing_from(effective_on).filter(unit_id=DISTRICT).first()
    if district is None:
        return
    rows = {unit.unit_id: _row(unit) for unit in below(district, from_day=effective_on)}
    parts = sorted((row for row in rows.values() if row["level"] == "3"), key=lambda row: row["unit_id"])
    if len(parts) <= RENAMED:
        return
    closed = parts[CLOSED]["unit_id"]
    del rows[closed]
    for row in rows.values():
        if row["parent_id"] == closed:
            row["parent_id"] = parts[RENAMED]["unit_id"]
    parts[CORRECTED]["unit_type"] = "settlement_admin"
    parts[RENAMED] |= {name: f"{text} (демо)" for name, text in parts[RENAMED].items() if name.startswith("name_")}
    rows["316099000"] = {
        "unit_id": "316099000",
        "code": "316099000",
        "level": "3",
        "unit_type": "rural_okrug",
        "parent_id": DISTRICT,
        "name_en": "Demo rural okrug",
        "name_ru": "Демо сельский округ",
        "name_kk": "Демо ауылдық округі",
    }
    propose_update(
        rows.values(),
        title=UPDATE_TITLE,
        source="Invented for the demonstration",
        effective_on=effective_on,
        by=by,
        within=district,
        file_name="demo.csv",
    )


def _row(unit: AdminUnit) -> dict[str, str]:
    return {
        "unit_id": unit.unit_id,
        "code": unit.code,
        "level": str(unit.level),
        "unit_type": unit.unit_type,
        "parent_id": unit.parent.unit_id if unit.parent else "",
        **_names(unit),
    }


def _names(unit: AdminUnit) -> dict[str, str]:
    return {f"name_{language}": name for language, name in unit.names.items()}
