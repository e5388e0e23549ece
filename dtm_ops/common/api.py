"""The frame of the API: nothing is open by default, pages have a limit, refusals have one shape."""

from typing import Any

from django.http import Http404

# As a module: it reads the settings, and by them this file, before it has its own names.
from rest_framework import status, views
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from dtm_ops.common.errors import Refused


class NothingIsOpen(BasePermission):
    """The default: a view that does not declare who may read it answers nobody."""

    def has_permission(self, request: Request, view: "views.APIView") -> bool:
        return False


class Pages(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """``Refused`` becomes 409 with ``{"detail", "code"}``; a row out of reach is 404 like a row that is not there."""
    if isinstance(error, Refused):
        return Response({"detail": str(error), "code": error.code}, status=status.HTTP_409_CONFLICT)
    if isinstance(error, PermissionError):
        error = Http404()
    return views.exception_handler(error, context)
