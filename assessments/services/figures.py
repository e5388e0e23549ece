"""From an approved revision to its figures."""

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _

from assessments.kobo.errors import KoboPayloadError
from assessments.kobo.mapping import FormFigure, Mapping, load_mapping, read_figures
from assessments.kobo.payloads import parse_submission
from assessments.models import Category, Figure, Indicator, KoboFormVersion, KoboSubmission
from dtm_ops.common.errors import Refused
from locations.models import AdminUnit


def write_figures(submissions: Sequence[KoboSubmission]) -> int:
    """Write the figures of each submission's approved revision, read by today's mapping of its version or else of its
    form. Returns how many.

    A revision keeps what it has: approving twice adds nothing. Refused as a whole where an answer cannot be read any
    more, or names a place, indicator or category that we do not have.
    """
    revisions = {one.approved_revision_id: one for one in submissions if one.approved_revision is not None}
    done = set(
        Figure.objects.filter(revision__in=revisions).order_by().values_list("revision_id", flat=True).distinct()
    )
    vocabulary = _Vocabulary(one for pk, one in revisions.items() if pk not in done)
    rows = [
        figure for pk, submission in revisions.items() if pk not in done for figure in vocabulary.figures(submission)
    ]
    Figure.objects.bulk_create(rows, batch_size=2000)
    return len(rows)


class _Vocabulary:
    """Codes to keys, read once for a batch."""

    def __init__(self, submissions: Iterable[KoboSubmission]) -> None:
        submissions = list(submissions)
        self.forms = {one.form_id: load_mapping(one.form.mapping) for one in submissions}
        self.versions = _own_mappings(submissions)
        self.read = {one.pk: self._read(one) for one in submissions}
        named = {figure.unit for figures in self.read.values() for figure in figures if figure.unit}
        self.units = dict(AdminUnit.objects.filter(unit_id__in=named).values_list("unit_id", "pk"))
        self.indicators = dict(Indicator.objects.values_list("code", "pk"))
        self.categories = {
            (indicator, code): pk
            for indicator, code, pk in Category.objects.values_list("indicator__code", "code", "pk")
        }

    def figures(self, submission: KoboSubmission) -> list[Figure]:
        try:
            return [self._figure(submission, figure) for figure in self.read[submission.pk]]
        except KeyError as error:
            raise Refused(
                _("Submission %(submission)s names “%(code)s”, which is not in our lists.")
                % {"submission": submission, "code": error.args[0]},
                code="unknown_code",
            ) from None

    def _figure(self, submission: KoboSubmission, figure: FormFigure) -> Figure:
        assert submission.target is not None  # noqa: S101  what matches no target is not approved
        return Figure(
            revision=submission.approved_revision,
            unit_id=self.units[figure.unit] if figure.unit else submission.target.unit_id,
            indicator_id=self.indicators[figure.indicator],
            category_id=self.categories[figure.indicator, figure.category] if figure.category else None,
            value=figure.value,
        )

    def _read(self, submission: KoboSubmission) -> tuple[FormFigure, ...]:
        assert submission.approved_revision is not None  # noqa: S101  the caller has chosen those that have one
        try:
            payload = parse_submission(submission.approved_revision.answers)
            return read_figures(self._mapping(submission), payload.answers)
        except KoboPayloadError as error:
            raise Refused(
                _("Submission %(submission)s has answers that cannot be read: %(paths)s.")
                % {"submission": submission, "paths": ", ".join(problem.path for problem in error.problems)},
                code="unread",
            ) from None

    def _mapping(self, submission: KoboSubmission) -> Mapping:
        assert submission.approved_revision is not None  # noqa: S101  the caller has chosen those that have one
        return self.versions.get(submission.approved_revision.form_version_id) or self.forms[submission.form_id]


def _own_mappings(submissions: Iterable[KoboSubmission]) -> dict[int | None, Mapping]:
    """Of those versions that are not read by their form's mapping."""
    versions = {one.approved_revision.form_version_id for one in submissions if one.approved_revision}
    own = KoboFormVersion.objects.filter(pk__in=[pk for pk in versions if pk], mapping__isnull=False)
    return {pk: load_mapping(mapping) for pk, mapping in own.values_list("pk", "mapping")}
