from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from locations.permissions import has_desk, scope_of


class HasDesk(BasePermission):
    """Administrators, managers and coordinators. Which rows they see is the querysets' matter."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return has_desk(request.user)


class HasRole(BasePermission):
    """Whoever has any role, an enumerator's included. Which rows they see is the querysets' matter."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(scope_of(request.user).roles)
