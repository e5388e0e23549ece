"""What somebody in the field says about a place, waiting for an administrator: a reason, perhaps a photo."""

from decimal import Decimal
from typing import Any, BinaryIO, Final
from uuid import uuid4

from django.core.files.base import File
from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from locations.enums import LEVELS, UnitChangeKind, UnitChangeStatus
from locations.models import AdminUnit, UnitChange
from locations.permissions import can_propose_change
from locations.selectors.changes import merged_into

FIELD_KINDS: Final = (
    UnitChangeKind.ADDED, UnitChangeKind.RENAMED, UnitChangeKind.CLOSED, UnitChangeKind.DUPLICATE,
)  # fmt: skip
MOST_PHOTO_BYTES: Final = 8 * 1024 * 1024
# How the pictures of phones begin, and what they are served as.
PHOTO_KINDS: Final = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
MOST_OPEN: Final = 200


def propose_field_change(
    kind: str,
    *,
    by: User,
    reason: str,
    unit: AdminUnit | None = None,
    parent: AdminUnit | None = None,
    duplicate_of: AdminUnit | None = None,
    after: dict[str, str] | None = None,
    photo: "File[Any] | None" = None,
    point: tuple[Decimal, Decimal] | None = None,
    accuracy: int | None = None,
) -> UnitChange:
    """A new place below ``parent``, or about ``unit``: renamed, closed, or the same place as ``duplicate_of``.

    ``after`` holds the new columns (names, kind of place). Nothing changes in the gazetteer before somebody accepts it.
    """
    if not can_propose_change(by):
        raise Refused(_("You have no role for this."), code="not_allowed")
    if kind not in FIELD_KINDS:
        raise Refused(_("Choose what has changed."), code="kind")
    if UnitChange.objects.filter(raised_by=by, status=UnitChangeStatus.OPEN, update=None).count() >= MOST_OPEN:
        raise Refused(_("You have %(most)s proposals open: wait for an answer.") % {"most": MOST_OPEN}, code="too_many")
    columns = {name: text.strip() for name, text in (after or {}).items() if text.strip()}
    before: dict[str, str] = {}
    if kind == UnitChangeKind.ADDED:
        unit, columns = None, _new_place(parent, columns, point)
    else:
        parent, before, columns = _known_place(kind, unit, duplicate_of, columns)
    change = UnitChange(
        kind=kind,
        unit=unit,
        parent=parent,
        duplicate_of=duplicate_of if kind == UnitChangeKind.DUPLICATE else None,
        before=before,
        after=columns,
        effective_on=timezone.localdate(),
        raised_by=by,
        reason=reason.strip(),
        latitude=point[0] if point else None,
        longitude=point[1] if point else None,
        accuracy=accuracy if point else None,
    )
    if photo is not None:
        change.photo = File(photo, name=f"{uuid4().hex}.{photo_kind(photo)}")
    change.save()
    return change


def photo_kind(photo: "File[Any] | BinaryIO") -> str:
    """By how the file begins, whatever its name says. Raises `Refused` where it is no picture, or too large."""
    size = getattr(photo, "size", 0)
    if size > MOST_PHOTO_BYTES:
        raise Refused(
            _("The photo is larger than %(most)s MB.") % {"most": MOST_PHOTO_BYTES // 1024 // 1024}, code="photo"
        )
    photo.seek(0)
    start = photo.read(16)
    photo.seek(0)
    if start.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    raise Refused(_("The photo is not a JPEG, PNG or WEBP picture."), code="photo")


def _new_place(
    parent: AdminUnit | None, columns: dict[str, str], point: tuple[Decimal, Decimal] | None
) -> dict[str, str]:
    if parent is None or not _is_there(parent):
        raise Refused(_("Choose the place in which the new one lies."), code="parent")
    if parent.level + 1 not in LEVELS:
        raise Refused(_("No place lies below “%(unit)s”.") % {"unit": parent}, code="level")
    if not any(name.startswith("name_") for name in columns):
        raise Refused(_("Give the place a name."), code="name")
    spot = {"latitude": f"{point[0]:.5f}", "longitude": f"{point[1]:.5f}"} if point else {}
    source = {"coordinate_source": "field"} if point else {}
    frame = {
        "level": str(parent.level + 1),
        "unit_type": columns.pop("unit_type", "other"),
        "parent_id": parent.unit_id,
    }
    return {**frame, **columns, **spot, **source}


def _known_place(
    kind: str, unit: AdminUnit | None, duplicate_of: AdminUnit | None, columns: dict[str, str]
) -> tuple[AdminUnit | None, dict[str, str], dict[str, str]]:
    if unit is None or not _is_there(unit):
        raise Refused(_("Choose the place."), code="unit")
    if kind == UnitChangeKind.DUPLICATE:
        if duplicate_of is None or merged_into(duplicate_of) == unit:
            raise Refused(_("Choose the other row of the same place."), code="duplicate_of")
        return unit.parent, {}, {"duplicate_of": duplicate_of.unit_id}
    if kind == UnitChangeKind.CLOSED:
        return unit.parent, {"valid_to": ""}, {"valid_to": timezone.localdate().isoformat()}
    now = {f"name_{language}": name for language, name in unit.names.items()}
    names = {name: text for name, text in columns.items() if name[:5] == "name_" and text != now.get(name, "")}
    if not names:
        raise Refused(_("Give the new name."), code="name")
    return unit.parent, {name: now.get(name, "") for name in names}, names


def _is_there(unit: AdminUnit) -> bool:
    return AdminUnit.objects.units_on(timezone.localdate()).filter(pk=unit.pk).exists()
