"""How a place stands in a list of the desk."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from locations.models import AdminUnit


def place_of(unit: AdminUnit) -> SafeString:
    """A place with the one above it in smaller letters: names repeat."""
    above = unit.parent.name if unit.parent else ""
    return format_html('{} <span class="above">{}</span>', unit.name, above)
