"""The files of a submission as a reviewer sees them: which question each answers, whether it is here, or never came."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from assessments.enums import AttachmentState
from assessments.kobo.attachments import PICTURES, media_questions, named_files
from assessments.models import KoboSubmission, SubmissionAttachment
from assessments.selectors.review_desk import question_label

# A larger picture is a link: the page stays light.
MOST_SHOWN_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ListedFile:
    """``pk`` None: an answer names it, Kobo has never listed it. ``is_shown``: a picture, here, and small enough."""

    label: str
    name: str
    state: str
    error_code: str = ""
    pk: int | None = None
    size: int | None = None
    gone_at: datetime | None = None
    is_shown: bool = False


def files_of(submission: KoboSubmission, *, kind: str) -> list[ListedFile]:
    """Those that Kobo lists or has listed, and those that an answer names and that never came.

    The revision with its form version is to be there; one query.
    """
    rows = list(SubmissionAttachment.objects.filter(submission=submission).order_by("xpath", "name"))
    listed = [_describe(row, kind) for row in rows]
    return [*listed, *_never_came(submission, {row.name for row in rows}, kind)]


def _describe(row: SubmissionAttachment, kind: str) -> ListedFile:
    is_picture = (row.file.name or "").rpartition(".")[2] in PICTURES
    is_here = row.state == AttachmentState.FETCHED
    return ListedFile(
        label=question_label(kind, row.xpath),
        name=row.name,
        state=row.state,
        error_code=row.error_code,
        pk=row.pk,
        size=row.size if is_here else None,
        gone_at=row.gone_at,
        is_shown=is_here and is_picture and (row.size or 0) <= MOST_SHOWN_BYTES,
    )


def _never_came(submission: KoboSubmission, names: set[str], kind: str) -> list[ListedFile]:
    revision = submission.current_revision
    if revision is None:
        return []
    version = revision.form_version
    questions = media_questions(version.content if version else None)
    return [
        ListedFile(label=question_label(kind, place), name=name, state=AttachmentState.MISSING)
        for place, name in named_files(revision.answers, questions)
        if name not in names
    ]
