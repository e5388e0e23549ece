"""Mappings beside what they read: which one a revision is read by, a form's questions, a preview of the last forms."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from django.utils.translation import get_language

from assessments.kobo.errors import KoboPayloadError, Problem
from assessments.kobo.mapping import FigureRule, FormFigure, Head, load_mapping, read_figures, read_head
from assessments.kobo.mapping import Mapping as FormMapping
from assessments.kobo.payloads import parse_submission
from assessments.kobo.questions import Question, list_questions
from assessments.messages import problem_message
from assessments.models import Category, Indicator, KoboForm, KoboFormVersion, KoboSubmission, SubmissionRevision
from dtm_ops.common.names import named
from locations.models import AdminUnit
from locations.permissions import AnyUser

Owner = KoboForm | KoboFormVersion
LAST_FORMS = 20
HEAD_SHOWN = ("focus_group", "enumerator", "unit_id", "place_text", "day")


class FigureKey(NamedTuple):
    """``listed``: of places in a repeat, taken together."""

    indicator: str
    category: str | None
    listed: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """What a figure would be in one form: known (``value``), don't know (``unknown``) or, neither, not asked.

    ``places``: how many of a repeat the value is the sum of.
    """

    value: int | None = None
    unknown: bool = False
    places: int = 0


@dataclass(frozen=True, slots=True)
class PreviewForm:
    """One submission of a preview. ``problems``: in words; then it has no figures."""

    submission: KoboSubmission
    head: Head
    cells: Mapping[FigureKey, Cell] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """Figures down, forms across, newest first. ``rows``: in words, and one cell a form (None: cannot be read)."""

    forms: tuple[PreviewForm, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]

    @property
    def head_rows(self) -> list[tuple[str, list[str]]]:
        """By the head's own names; those that no form fills are left out."""
        rows = [(name, [str(getattr(form.head, name) or "") for form in self.forms]) for name in HEAD_SHOWN]
        return [(name, texts) for name, texts in rows if any(texts)]


def mapping_of(revision: SubmissionRevision, *, form: KoboForm) -> dict[str, Any]:
    """The mapping that a revision is read by: its version's, else the form's."""
    found = (
        KoboFormVersion.objects.filter(pk=revision.form_version_id).values_list("mapping", flat=True).first()
        if revision.form_version_id
        else None
    )
    own: dict[str, Any] = form.mapping if found is None else found
    return own


def deployed_version(form: KoboForm) -> KoboFormVersion | None:
    """The version that is in the field, of those whose questions were read from Kobo."""
    read = form.versions.filter(content__isnull=False)
    return max(read, key=lambda one: (one.deployed_at or one.first_seen_at, one.pk), default=None)


def content_for(owner: Owner) -> dict[str, Any] | None:
    """What a mapping is checked against: the version's own questions, for a form those in the field. None: not read."""
    version = deployed_version(owner) if isinstance(owner, KoboForm) else owner
    content: dict[str, Any] | None = version.content if version else None
    return content


def form_questions(owner: Owner) -> tuple[Question, ...]:
    """The questions that a mapping may name, in the reader's language.

    As long as they were not read from Kobo, those that the last forms answered, by their paths.
    """
    content = content_for(owner)
    if content is not None:
        return list_questions(content, (get_language() or "en").partition("-")[0])
    answered: dict[str, Question] = {}
    for submission in last_submissions(owner):
        for question in _answered(_answers(submission)):
            answered.setdefault(question.path, question)
    return tuple(answered.values())


def last_submissions(owner: Owner, *, user: AnyUser | None = None) -> list[KoboSubmission]:
    """The newest with their content; with a user, those within reach."""
    rows = KoboSubmission.objects.present() if user is None else KoboSubmission.objects.visible_to(user).present()
    if isinstance(owner, KoboForm):
        found = rows.filter(form=owner)
    else:
        found = rows.filter(form=owner.form, current_revision__form_version=owner)
    return list(
        found.filter(current_revision__isnull=False)
        .select_related("current_revision")
        .order_by("-kobo_id")[:LAST_FORMS]
    )


def preview_mapping(data: Mapping[str, Any], owner: Owner, *, user: AnyUser) -> Preview:
    """What a mapping that was checked would read in the last forms. Writes nothing."""
    mapping = load_mapping(dict(data))
    words = _Words()
    read = [_read(mapping, submission) for submission in last_submissions(owner, user=user)]
    units = _existing(figure for _form, figures in read for figure in figures)
    forms = tuple(replace(form, problems=form.problems or words.unknown(figures, units)) for form, figures in read)
    keys = dict.fromkeys([*_fixed_keys(mapping.figures), *(key for form in forms for key in form.cells)])
    nothing = Cell()
    return Preview(
        forms,
        tuple(
            (words.of(key), tuple(None if form.problems else form.cells.get(key, nothing) for form in forms))
            for key in keys
        ),
    )


class _Words:
    """Codes to words, and what exists."""

    def __init__(self) -> None:
        self.indicators: dict[str, dict[str, str]] = dict(Indicator.objects.values_list("code", "names"))
        rows = Category.objects.order_by().values_list("indicator__code", "code", "names")
        self.categories = {(indicator, code): names for indicator, code, names in rows}

    def of(self, key: FigureKey) -> str:
        words = named(self.indicators.get(key.indicator, {}), fallback=key.indicator)
        if key.category:
            names = self.categories.get((key.indicator, key.category), {})
            words = f"{words}: {named(names, fallback=key.category)}"
        return f"{words} ↳" if key.listed else words

    def unknown(self, figures: Iterable[FormFigure], units: set[str]) -> tuple[str, ...]:
        problems = []
        for figure in figures:
            if figure.unit and figure.unit not in units:
                problems.append(Problem("unknown_place", figure.indicator, figure.unit))
            if figure.category and (figure.indicator, figure.category) not in self.categories:
                problems.append(Problem("unknown_category", figure.indicator, figure.category))
        return _in_words(problems)


def _read(mapping: FormMapping, submission: KoboSubmission) -> tuple[PreviewForm, tuple[FormFigure, ...]]:
    head = Head()
    try:
        answers = _parse(submission)
        head = read_head(mapping, answers)
        figures = read_figures(mapping, answers)
    except KoboPayloadError as error:
        return PreviewForm(submission, head, problems=_in_words(error.problems)), ()
    return PreviewForm(submission, head, _cells(figures)), figures


def _existing(figures: Iterable[FormFigure]) -> set[str]:
    named_units = {figure.unit for figure in figures if figure.unit}
    if not named_units:
        return set()
    return set(AdminUnit.objects.filter(unit_id__in=named_units).values_list("unit_id", flat=True))


def _cells(figures: Iterable[FormFigure]) -> dict[FigureKey, Cell]:
    cells: dict[FigureKey, Cell] = {}
    for figure in figures:
        key = FigureKey(figure.indicator, figure.category, figure.unit is not None)
        before = cells.get(key, Cell(value=0))
        unknown = before.unknown or figure.value is None
        total = (before.value or 0) + (figure.value or 0)
        places = before.places + 1 if figure.unit else 0
        cells[key] = Cell(None if unknown and not figure.unit else total, unknown, places)
    return cells


def _fixed_keys(rules: Iterable[FigureRule]) -> Iterable[FigureKey]:
    """Figures that a form has or lacks whatever is answered; others appear with the answers that name them."""
    for rule in rules:
        if rule.category != "":
            yield FigureKey(rule.indicator, rule.category, bool(rule.unit))


def _in_words(problems: Iterable[Problem]) -> tuple[str, ...]:
    return tuple(problem_message({"code": one.code, "path": one.path, "value": one.value}) for one in problems)


def _answers(submission: KoboSubmission) -> dict[str, Any]:
    try:
        return _parse(submission)
    except KoboPayloadError:
        return {}


def _parse(submission: KoboSubmission) -> dict[str, Any]:
    """Raises `KoboPayloadError` where the row cannot be used at all."""
    revision = submission.current_revision
    return parse_submission(revision.answers if revision else {}).answers


def _answered(answers: Mapping[str, Any], around: tuple[str, ...] = ()) -> Iterator[Question]:
    for path, value in answers.items():
        group, _slash, name = path.rpartition("/")
        yield Question(path, "begin_repeat" if isinstance(value, list) else "text", name, group, around)
        for row in value if isinstance(value, list) else []:
            if isinstance(row, dict):
                yield from _answered(row, (*around, path))
