"""The frame of the API: nothing is open by default, pages have a limit, refusals have one shape."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend

# As a module: it reads the settings, and by them this file, before it has its own names.
from rest_framework import exceptions, status, views
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from dtm_ops.common.errors import Refused


class NothingIsOpen(BasePermission):
    """The default: a view that does not declare who may read it answers nobody."""

    def has_permission(self, request: Request, view: "views.APIView") -> bool:
        return False


class AnswersJson(BaseContentNegotiation):
    """For a view with a parameter ``format`` of its own (the file of an export), which would choose the renderer."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class Pages(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class DeclaredFilters(DjangoFilterBackend):
    """The filters that a view declares. A parameter that it does not declare is refused: who misspells a filter would
    take all rows for the few that were asked for.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: "views.APIView") -> QuerySet[Any]:
        declared = getattr(self.get_filterset_class(view, queryset), "base_filters", {})
        known = {*declared, Pages.page_query_param, Pages.page_size_query_param}
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            there_are = ", ".join(sorted(known))
            words = _("There is no such filter. There are: %(filters)s.") % {"filters": there_are}
            raise exceptions.ValidationError({name: [words] for name in unknown})
        narrowed: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return narrowed


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every refusal as ``{"code", "detail"}``: a word for programs and a sentence in the reader's language. With
    ``"errors"`` (field: sentences) where a parameter could not be read.

    ``Refused`` becomes 409; a row out of reach is 404 like a row that is not there.
    """
    if isinstance(error, Refused):
        return Response({"code": error.code, "detail": str(error)}, status=status.HTTP_409_CONFLICT)
    if isinstance(error, (PermissionError, Http404)):
        error = exceptions.NotFound(_("Nothing is here, or it is out of your reach."))
    answer: Response | None = views.exception_handler(error, context)
    if answer is not None:
        answer.data = _in_one_shape(answer.data)
    return answer


def _in_one_shape(data: Any) -> dict[str, Any]:
    detail = data.get("detail") if isinstance(data, dict) else None
    if isinstance(detail, exceptions.ErrorDetail):
        return {"code": detail.code, "detail": str(detail)}
    errors = data if isinstance(data, dict) else {"request": data}
    return {"code": "invalid", "detail": _("Something in the request cannot be read."), "errors": errors}


def describe_errors(result: dict[str, Any], **_unused: object) -> dict[str, Any]:
    """For the documentation: the one shape of refusals, at every operation."""
    result["components"]["schemas"]["Refusal"] = {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "For programs."},
            "detail": {"type": "string", "description": "For people, in the language of Accept-Language."},
            "errors": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
                "description": "Parameters that cannot be read, each with what is wrong.",
            },
        },
        "required": ["code", "detail"],
    }
    answer = {
        "description": "400 unreadable, 401 not logged in, 403 not allowed, 404 nothing here, 429 too many requests.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result
