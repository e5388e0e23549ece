"""`POST /kobo/hook/<path>/`: where Kobo tells of a new form. For a program: no session, no cookie, no page.

Kobo sends a notice again after 502, 503 and 504 only; every other answer is final. So 503 says "again, please",
whatever was wrong here, and nobody is ever told to slow down: a flood is answered and leaves no more than some rows.
"""

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from assessments.services.kobo_hooks import bring_sync_forward, find_hook, take_delivery
from assessments.tasks import queue_sync_after_notice

logger = logging.getLogger(__name__)

MOST_BYTES = 1_000_000
# Where WSGI keeps `HOOK_HEADER` of assessments.kobo.hooks.
_SECRET = "HTTP_X_DTM_SECRET"  # noqa: S105  the header's name


class _Answer(HttpResponse):
    """Django logs a refusal with the address of its request, and half of this secret is in the address."""

    _has_been_logged = True


@csrf_exempt
@login_not_required
@never_cache
def take_notice(request: HttpRequest, path: str) -> HttpResponse:
    """204, or 404 for a wrong address and a wrong secret alike."""
    # Taken out: what reports errors with the request around them does not meet it.
    secret = request.META.pop(_SECRET, "")
    if request.method != "POST":
        return _say(405, "not allowed", Allow="POST")
    try:
        return _take(request, path, secret)
    except Exception as error:  # noqa: BLE001  the answer to all of them is "again, please"; a message may hold answers
        logger.error("notice of Kobo not kept: %s", type(error).__name__)
        return _say(503, "try again")


def _take(request: HttpRequest, path: str, secret: str) -> HttpResponse:
    form = find_hook(path, secret)
    if form is None:
        return _say(404, "not found")
    is_too_long = _announced_bytes(request) > MOST_BYTES
    if is_too_long:
        bring_sync_forward(form)
    else:
        take_delivery(form, request.body)
    queue_sync_after_notice(form)
    return _say(413, "too long") if is_too_long else _Answer(status=204)


def _announced_bytes(request: HttpRequest) -> int:
    """Django reads as much as was announced and no byte more; without an announcement nothing."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    return int(announced) if announced.isdecimal() else 0


def _say(status: int, text: str, **headers: str) -> HttpResponse:
    return _Answer(text, status=status, content_type="text/plain; charset=utf-8", headers=headers)
