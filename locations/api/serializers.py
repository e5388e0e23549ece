from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from locations.models import AdminUnit, Boundary


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class NamesField(serializers.JSONField):
    """By language: ``{"en": "Abai region", "ru": "область Абай"}``."""


class AdminUnitSerializer(serializers.ModelSerializer):
    """A place. ``name`` is in the reader's language. Dates null: not limited, or not known."""

    name = serializers.CharField(read_only=True)
    names = NamesField(read_only=True)
    short_names = NamesField(read_only=True)
    # The metaclass takes it off the class: the parent of the serializer itself is not touched.
    parent = serializers.SerializerMethodField()  # type: ignore[assignment]
    predecessors = serializers.SerializerMethodField()
    merged_into = serializers.SerializerMethodField()

    class Meta:
        model = AdminUnit
        fields = [
            "unit_id",
            "code",
            "level",
            "unit_type",
            "parent",
            "name",
            "names",
            "short_names",
            "pcode",
            "iso_3166_2",
            "iso_3166_2_former",
            "valid_from",
            "valid_to",
            "merged_into",
            "predecessors",
            "latitude",
            "longitude",
            "coordinate_source",
            "time_zone",
            "note",
        ]
        read_only_fields = fields

    def get_parent(self, unit: AdminUnit) -> str | None:
        """Unit id of the place above; null for the country."""
        return unit.parent.unit_id if unit.parent else None

    def get_merged_into(self, unit: AdminUnit) -> str | None:
        """Unit id of the place that this row was found to be the same as: use that one. Null: none."""
        return unit.merged_into.unit_id if unit.merged_into else None

    def get_predecessors(self, unit: AdminUnit) -> list[str]:
        """Unit ids of the places, whole or in part, out of which this one came."""
        return sorted(past.unit_id for past in unit.predecessors.all())


class UnitBoundarySerializer(serializers.ModelSerializer):
    """A GeoJSON feature. ``source`` and ``licence`` go wherever the polygon goes."""

    type = serializers.SerializerMethodField()
    properties = serializers.SerializerMethodField()
    geometry = serializers.DictField(read_only=True)

    class Meta:
        model = Boundary
        fields = ["type", "source", "licence", "properties", "geometry"]
        read_only_fields = fields

    def get_type(self, boundary: Boundary) -> str:
        return "Feature"

    def get_properties(self, boundary: Boundary) -> dict[str, Any]:
        unit = boundary.unit
        return {"unit_id": unit.unit_id, "code": unit.code, "level": unit.level, "name": unit.name}
