"""`/kobo/attachments/<pk>/`: a picture or file of a submission, for whoever may see the submission.

It is fetched from Kobo when it is asked for; nobody is ever sent to Kobo, where it opens with the token alone.
"""

from django.core.files.base import File
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_safe

from assessments.enums import AttachmentState, FetchMedia
from assessments.kobo.attachments import KINDS, PICTURES, download_name
from assessments.kobo.errors import KoboError, KoboUnavailable
from assessments.messages import attachment_message, kobo_message
from assessments.models import SubmissionAttachment
from assessments.services.attachments import SECONDS_FOR_A_READER, fetch_attachment, forget_file, open_reader_client
from dtm_ops.common.errors import Refused

# Whatever a file turns out to be, it runs nothing. The styles are the browser's own around a picture.
_INERT = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox"


@require_safe
def show_attachment(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The file, or a page that says in words why there is none. ``?again`` asks Kobo once more for one that Kobo did
    not have, or that was not taken.
    """
    rows = SubmissionAttachment.objects.visible_to(request.user).select_related(
        "submission__form", "submission__server", "submission__current_revision"
    )
    attachment = get_object_or_404(rows, pk=pk)
    is_never = attachment.submission.form.fetch_media == FetchMedia.NEVER
    if attachment.state == AttachmentState.FETCHED:
        if (answer := _send(attachment)) is not None:
            return answer
        if is_never or attachment.gone_at is not None:
            return _explain(request, attachment, attachment_message("lost"), status=404)
        forget_file(attachment)
    if is_never:
        return _explain(request, attachment, attachment_message("never"), status=404)
    if attachment.state == AttachmentState.LISTED or "again" in request.GET:
        return _fetch_and_send(request, attachment)
    return _explain(request, attachment, attachment_message(attachment.error_code), status=404, may_ask=True)


def _fetch_and_send(request: HttpRequest, attachment: SubmissionAttachment) -> HttpResponseBase:
    try:
        with open_reader_client(attachment.submission.server) as client:
            fetch_attachment(attachment, client=client, seconds=SECONDS_FOR_A_READER)
    except KoboError as error:
        status = 503 if isinstance(error, KoboUnavailable) else 502
        return _explain(
            request, attachment, kobo_message(error.code, error.params), status=status, may_ask=status == 503
        )
    except Refused as refused:
        return _explain(request, attachment, str(refused), status=503, may_ask=True)
    answer = _send(attachment) if attachment.state == AttachmentState.FETCHED else None
    if answer is None:
        return _explain(request, attachment, attachment_message(attachment.error_code), status=404, may_ask=True)
    return answer


def _send(attachment: SubmissionAttachment) -> FileResponse | None:
    """None where the storage has lost it."""
    ending = (attachment.file.name or "").rpartition(".")[2]
    if ending not in KINDS:
        raise Http404
    try:
        content: File[bytes] = attachment.file.open("rb")
    except FileNotFoundError:
        return None
    answer = FileResponse(
        content,
        content_type=KINDS[ending],
        as_attachment=ending not in PICTURES,
        filename=download_name(attachment.name, ending),
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = _INERT
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


def _explain(
    request: HttpRequest, attachment: SubmissionAttachment, why: str, *, status: int, may_ask: bool = False
) -> HttpResponse:
    context = {"attachment": attachment, "why": why, "may_ask": may_ask}
    answer = render(request, "assessments/attachment_error.html", context, status=status)
    add_never_cache_headers(answer)
    return answer
