"""What every page's frame needs: the menu by role, the languages, where the reader is. A context processor."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from locations.permissions import has_desk, is_enumerator

API_DOCS = "/api/v1/docs/"


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    address: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    links: list[Link] = field(default_factory=list)
    here: str = "/"
    languages: list[tuple[str, str]] = field(default_factory=list)
    support: str = ""


def frame(request: HttpRequest) -> dict[str, Any]:
    """Lazy: pages of other makers (the admin) that do not show it pay nothing."""
    return {"frame": SimpleLazyObject(partial(_make_frame, request))}


def _make_frame(request: HttpRequest) -> Frame:
    return Frame(
        links=_links(request),
        here=request.get_full_path(),
        languages=list(settings.LANGUAGES),
        support=settings.SUPPORT_CONTACT,
    )


def _links(request: HttpRequest) -> list[Link]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    pages = [(_("Home"), reverse("home"))] if has_desk(user) or not is_enumerator(user) else []
    if is_enumerator(user):
        pages.append((_("My work"), reverse("my_work")))
    if has_desk(user):
        pages += [
            (_("Coverage"), reverse("current_coverage")),
            (_("Report"), reverse("current_report")),
            (_("Desk"), reverse("admin:index")),
            (_("API"), API_DOCS),
        ]
    return [Link(label, address, _is_at(request.path, address)) for label, address in pages]


def _is_at(path: str, address: str) -> bool:
    return path == address or (address != reverse("home") and path.startswith(address))
