"""What the router of the API takes from this app: (prefix, view set, name)."""

from locations.api.views import AdminUnitViewSet

routes = [("units", AdminUnitViewSet, "unit")]
