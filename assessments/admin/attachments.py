"""The files of a submission on the review page."""

from dataclasses import asdict
from typing import Any

from assessments.admin.tones import ATTACHMENT
from assessments.enums import AttachmentState, FetchMedia
from assessments.messages import attachment_message
from assessments.models import KoboSubmission
from assessments.selectors.attachments import ListedFile, files_of
from dtm_ops.common.badges import badge


def shown_files(submission: KoboSubmission) -> list[dict[str, Any]]:
    form = submission.form
    is_never = form.fetch_media == FetchMedia.NEVER
    return [_show(one, is_never=is_never) for one in files_of(submission, kind=form.form_kind.code)]


def _show(one: ListedFile, *, is_never: bool) -> dict[str, Any]:
    state = AttachmentState(one.state)
    is_here = state == AttachmentState.FETCHED
    return {
        **asdict(one),
        "badge": badge(state.label, ATTACHMENT[state]),
        "words": _word(one, is_never=is_never and not is_here),
        "can_open": one.pk is not None and (is_here or not is_never),
    }


def _word(one: ListedFile, *, is_never: bool) -> str:
    if one.pk is None:
        return attachment_message("never_came")
    if is_never:
        return attachment_message("never")
    return attachment_message(one.error_code) if one.error_code else ""
