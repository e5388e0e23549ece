"""Forms that cannot be read: which question, what stood there, what is wrong, and whether a mapping could mend it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Max

from assessments.kobo.errors import KoboPayloadError
from assessments.kobo.payloads import parse_submission
from assessments.messages import problem_message
from assessments.models import KoboForm, KoboSubmission
from assessments.querysets import KoboSubmissionQuerySet
from locations.querysets import AnyUser


@dataclass(frozen=True, slots=True)
class UnreadForm:
    """``is_hopeless``: what is wrong is not an answer but the row itself, as Kobo sent it; no mapping mends that."""

    submission: KoboSubmission
    problems: tuple[str, ...]
    is_hopeless: bool


def unreadable(user: AnyUser) -> KoboSubmissionQuerySet:
    """Newest first, for a paginator and `with_reasons`."""
    rows: KoboSubmissionQuerySet = KoboSubmission.objects.visible_to(user).present().filter(is_refused=True)
    return rows.select_related(
        "form__form_kind", "form__round", "unit", "enumerator", "current_revision__form_version"
    ).order_by("-kobo_id")


def with_reasons(rows: Iterable[KoboSubmission]) -> list[UnreadForm]:
    return [_with_reasons(row) for row in rows]


def forms_with_unreadable(user: AnyUser) -> list[tuple[KoboForm, int]]:
    """Each form with how many of its submissions cannot be read, most first. Two queries."""
    rows = (
        unreadable(user).select_related(None).order_by().values_list("form").annotate(count=Count("pk"), last=Max("pk"))
    )
    counts = {form: count for form, count, _last in rows}
    forms = KoboForm.objects.visible_to(user).filter(pk__in=counts).select_related("round", "form_kind")
    return sorted(((form, counts[form.pk]) for form in forms), key=lambda one: (-one[1], str(one[0])))


def _with_reasons(row: KoboSubmission) -> UnreadForm:
    revision = row.current_revision
    if revision is None:
        return UnreadForm(row, (), is_hopeless=True)
    try:
        parse_submission(revision.answers)
        is_hopeless = False
    except KoboPayloadError:
        is_hopeless = True
    return UnreadForm(row, tuple(problem_message(one) for one in revision.problems), is_hopeless)
