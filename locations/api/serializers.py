from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from locations.models import AdminUnit

NAMES = {"type": "object", "additionalProperties": {"type": "string"}}


@extend_schema_field(NAMES)
class NamesField(serializers.JSONField):
    """By language: ``{"en": "Abai region", "ru": "область Абай"}``."""


class AdminUnitSerializer(serializers.ModelSerializer):
    """A place. ``name`` is in the reader's language; Dates null: not limited, or not known."""

    name = serializers.CharField(read_only=True)
    parent = serializers.CharField(source="parent.unit_id", default=None, read_only=True, allow_null=True)
    predecessors = serializers.SlugRelatedField(slug_field="unit_id", read_only=True, many=True)
    names = NamesField(read_only=True)
    short_names = NamesField(read_only=True)

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
            "predecessors",
            "latitude",
            "longitude",
            "coordinate_source",
            "time_zone",
            "note",
        ]
        read_only_fields = fields
