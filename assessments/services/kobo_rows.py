"""From a row of Kobo's listing to what we store: parsed, checked, matched. Reads lists once; writes nothing."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.utils import timezone

from assessments.enums import MatchProblem, MatchState, Severity, TypedKind
from assessments.kobo.codes import normalise_code
from assessments.kobo.consistency import check_consistency
from assessments.kobo.errors import KoboPayloadError, Problem
from assessments.kobo.mapping import FormFigure, Head, Mapping, load_mapping, read_figures, read_head
from assessments.kobo.payloads import MAX_KOBO_ID, SubmissionPayload, clean_text, parse_submission, raw_text
from assessments.models import (
    Category,
    FocusGroupSession,
    Indicator,
    KoboForm,
    KoboSubmission,
    RoundTarget,
    SessionAssignment,
)
from assessments.selectors.typed_words import TYPED_LENGTH, alias_key, person_word, settled_words
from locations.models import AdminUnit
from training.models import Certificate, Enumerator, TrainingHalfDay
from training.selectors.identities import kobo_accounts

# A phone's clock may be a little ahead of Kobo's without telling anything.
CLOCK_TOLERANCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Flag:
    code: str
    severity: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Match:
    """Which target a submission belongs to, and by what. Keys; None: not known. ``problem``: why there is none."""

    state: str = MatchState.UNMATCHED.value
    problem: str = ""
    target: int | None = None
    focus_group: int | None = None
    enumerator: int | None = None
    unit: int | None = None


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row, ready to be stored. ``payload`` None: only its ``_id`` could be used; ``problems`` say why.

    ``typed``: person, place and focus group as typed.
    """

    kobo_id: int
    raw: str
    payload: SubmissionPayload | None
    uuid: str = ""
    problems: tuple[Problem, ...] = ()
    match: Match = field(default_factory=Match)
    is_trial: bool = False
    flags: tuple[Flag, ...] = ()
    day: date | None = None
    typed: tuple[str, str, str] = ("", "", "")

    @property
    def is_refused(self) -> bool:
        return bool(self.problems)

    @property
    def fingerprint(self) -> str:
        """Of the answers; of the whole text where they could not be read."""
        return self.payload.fingerprint if self.payload else sha256(self.raw.encode()).hexdigest()

    @property
    def listed_problems(self) -> list[dict[str, str]]:
        return [{"code": one.code, "path": one.path, "value": one.value} for one in self.problems]

    def refused_as(self, problem: Problem) -> "ReadRow":
        """The same row as one that the database refuses as it is: kept, with the reason."""
        return replace(
            self, payload=None, problems=(problem,), match=Match(), is_trial=False, flags=(), typed=("", "", "")
        )


class RowReader:
    """Reads rows of one form. Holds the lists that matching needs, as they were when it was made."""

    def __init__(self, form: KoboForm) -> None:
        self.form = form
        self.mapping = load_mapping(form.mapping)
        # Of versions that have their own mapping, a last day or a day of deployment.
        self.mappings: dict[str, Mapping] = {}
        self.last_days: dict[str, date] = {}
        self.deployed: dict[str, datetime] = {}
        for version in form.versions.defer("content"):
            if version.mapping is not None:
                self.mappings[version.uid] = load_mapping(version.mapping)
            if version.last_accepted_on is not None:
                self.last_days[version.uid] = version.last_accepted_on
            if version.deployed_at is not None:
                self.deployed[version.uid] = version.deployed_at
        self.units: dict[str, int] = dict(AdminUnit.objects.values_list("unit_id", "pk"))
        self.categories: dict[str, set[str]] = {
            code: set() for code in Indicator.objects.values_list("code", flat=True)
        }
        for indicator, code in Category.objects.values_list("indicator__code", "code"):
            self.categories[indicator].add(code)
        self.targets: dict[int, int] = dict(
            RoundTarget.objects.filter(round=form.round, form_kind=form.form_kind).values_list("unit_id", "pk")
        )
        self.focus_groups: dict[str, tuple[int, int, int]] = {}
        self.groups_of_target: dict[int, list[tuple[int, date | None]]] = defaultdict(list)
        for code, pk, target, unit, starts_at in FocusGroupSession.objects.filter(
            target__round=form.round, target__form_kind=form.form_kind
        ).values_list("code", "pk", "target_id", "target__unit__pk", "starts_at"):
            self.focus_groups[code] = (pk, target, unit)
            self.groups_of_target[target].append((pk, timezone.localtime(starts_at).date() if starts_at else None))
        people = Enumerator.objects.values_list("code", "pk", "merged_into_id")
        self.people = {code.upper(): merged or pk for code, pk, merged in people}
        self.accounts = kobo_accounts()
        self.aliases = settled_words(form.round_id)
        self.named = named_by_hand(form)
        self.group_facts = {pk: (pk, target, unit) for pk, target, unit in self.focus_groups.values()}
        self.training_days = set(
            TrainingHalfDay.objects.filter(training_session__trained_forms__form_kind=form.form_kind).values_list(
                "day", flat=True
            )
        )
        self.certificates: dict[int, list[Certificate]] = defaultdict(list)
        for proof in Certificate.objects.filter(form_kind=form.form_kind, major_version=form.major_version):
            self.certificates[proof.enumerator_id].append(proof)
        self.assigned = set(
            SessionAssignment.objects.active()
            .filter(focus_group__target__round=form.round)
            .values_list("focus_group_id", "enumerator_id")
        )

    def read(self, raw: object) -> ReadRow | None:
        """The row, or None where it has no usable ``_id``: without one it cannot be kept apart from others."""
        try:
            payload = parse_submission(raw)
        except KoboPayloadError as error:
            kobo_id = raw.get("_id") if isinstance(raw, dict) else None
            if type(kobo_id) is not int or not 0 < kobo_id <= MAX_KOBO_ID:
                return None
            return ReadRow(kobo_id=kobo_id, raw=_text_of(raw), payload=None, problems=error.problems)
        mapping = self.mappings.get(payload.version_uid, self.mapping) if self.mappings else self.mapping
        head = read_head(mapping, payload.answers)
        day = self._day(payload, head)
        match = self.match(payload, head, day)
        figures, problems = self._figures(mapping, payload)
        return ReadRow(
            kobo_id=payload.kobo_id,
            raw=raw_text(raw),
            payload=payload,
            uuid=payload.uuid,
            problems=problems,
            match=match,
            is_trial=day is not None and (day in self.training_days or day < self.form.round.fieldwork_from),
            flags=() if problems else tuple(self._flags(figures, payload, match, day)),
            day=day,
            typed=typed_of(head),
        )

    def match(self, payload: SubmissionPayload, head: Head, day: date | None) -> Match:
        """By the focus group's code in the form, else by place: the round's target for this form kind there.

        The person by what somebody said of this very form, then by the form's field, then by whose Kobo's account was
        on that day, then by what somebody said that the spelling means; code and place by that, too, where they are
        not known as they stand. Of several focus groups
        of a place it is the person's of that day; where that does not tell, none.
        """
        person = self._person(payload, head, day)
        group = self._group(head.focus_group) if head.focus_group else None
        if group is not None:
            pk, target, unit = group
            return Match(MatchState.BY_CODE.value, "", target, pk, person, unit)
        place = self.units.get(head.unit_id or "")
        found = self.targets.get(place) if place is not None else None
        if found is None and (settled := self._settled(TypedKind.PLACE, head.unit_id or head.place_text)) is not None:
            place, found = settled, self.targets.get(settled)
        if found is None:
            return Match(problem=_why_unmatched(head, place), enumerator=person, unit=place)
        return Match(MatchState.BY_PLACE.value, "", found, self._focus_group_at(found, person, day), person, place)

    def _person(self, payload: SubmissionPayload, head: Head, day: date | None) -> int | None:
        typed = (head.enumerator or "").strip()
        return (
            self.named.get((payload.kobo_id, payload.root_uuid))
            or self.people.get(typed.upper())
            or self._holder_of(payload.submitted_by or "", day)
            or self._holder_of(payload.username, day)
            or self._settled(TypedKind.PERSON, person_word(typed, payload.submitted_by or ""))
        )

    def _group(self, typed: str) -> tuple[int, int, int] | None:
        found = self.focus_groups.get(normalise_code(typed))
        settled = self._settled(TypedKind.FOCUS_GROUP, typed) if found is None else None
        return found if settled is None else self.group_facts.get(settled)

    def _settled(self, kind: TypedKind, typed: str | None) -> int | None:
        known = self.aliases[kind]
        return known.get(alias_key(kind, typed)) if known and typed else None

    def _holder_of(self, account: str, day: date | None) -> int | None:
        on = day or timezone.localdate()
        return next(
            (
                person
                for first, last, person in self.accounts.get(account, ())
                if (first is None or first <= on) and (last is None or on <= last)
            ),
            None,
        )

    def _focus_group_at(self, target: int, person: int | None, day: date | None) -> int | None:
        groups = self.groups_of_target.get(target, [])
        own = [pk for pk, held_on in groups if held_on == day and (pk, person) in self.assigned]
        likely = own or [pk for pk, _held_on in groups]
        return likely[0] if len(likely) == 1 else None

    def _figures(
        self, mapping: Mapping, payload: SubmissionPayload
    ) -> tuple[tuple[FormFigure, ...], tuple[Problem, ...]]:
        try:
            figures = read_figures(mapping, payload.answers)
        except KoboPayloadError as error:
            return (), error.problems
        return figures, tuple(self._unknown(figures))

    def _unknown(self, figures: Iterable[FormFigure]) -> Iterable[Problem]:
        for figure in figures:
            if figure.unit and figure.unit not in self.units:
                yield Problem("unknown_place", figure.indicator, figure.unit)
            known = self.categories.get(figure.indicator)
            if known is None:
                yield Problem("unknown_indicator", figure.indicator, "")
            elif figure.category and figure.category not in known:
                yield Problem("unknown_category", figure.indicator, figure.category)

    def _day(self, payload: SubmissionPayload, head: Head) -> date | None:
        if head.day or payload.day:
            return head.day or payload.day
        return timezone.localtime(payload.submitted_at).date() if payload.submitted_at else None

    def _flags(
        self, figures: tuple[FormFigure, ...], payload: SubmissionPayload, match: Match, day: date | None
    ) -> Iterable[Flag]:
        """What a reviewer should look at (dtm method, A7: arithmetic, time, authority)."""
        found: dict[str, list[dict[str, str]]] = defaultdict(list)
        for problem in check_consistency(figures, reference_year=str(self.form.round.reference_year)):
            found[problem.code].append({"indicator": problem.path, "numbers": problem.value})
        for code, places in found.items():
            yield Flag(code, Severity.ERROR if code == "parts_exceed_total" else Severity.WARNING, {"at": places})
        if day is not None and day > self.form.round.fieldwork_to:
            yield Flag("after_fieldwork", Severity.WARNING, {"day": day.isoformat()})
        last_day = self.last_days.get(payload.version_uid)
        if last_day is not None and day is not None and day > last_day:
            yield Flag("outdated_version", Severity.WARNING, {"day": day.isoformat(), "last": last_day.isoformat()})
        if wrong := _wrong_clock(payload, self.deployed.get(payload.version_uid)):
            yield Flag("clock_wrong", Severity.WARNING, wrong)
        if match.enumerator is None:
            yield Flag("unknown_person", Severity.WARNING, {})
            return
        if day is not None and not any(proof.is_valid_on(day) for proof in self.certificates[match.enumerator]):
            yield Flag("not_certified", Severity.WARNING, {"day": day.isoformat()})
        if match.focus_group is not None and (match.focus_group, match.enumerator) not in self.assigned:
            yield Flag("not_assigned", Severity.NOTE, {})


def named_by_hand(form: KoboForm) -> dict[tuple[int, str], int]:
    """The enumerators that somebody named, by Kobo id and root uuid: an id that a server gives away a second time is
    another form's.
    """
    named = KoboSubmission.objects.filter(form=form, enumerator_named_by__isnull=False)
    return {(one, root): person for one, root, person in named.values_list("kobo_id", "root_uuid", "enumerator_id")}


def typed_of(head: Head) -> tuple[str, str, str]:
    """Person, place and focus group as a form names them, as far as the columns hold."""
    texts = (head.enumerator, head.unit_id or head.place_text, head.focus_group)
    person, place, group = ((text or "")[:TYPED_LENGTH] for text in texts)
    return person, place, group


def _why_unmatched(head: Head, place: int | None) -> str:
    if place is not None:
        return MatchProblem.NOT_PLANNED.value
    if head.unit_id or head.place_text:
        return MatchProblem.UNKNOWN_PLACE.value
    return MatchProblem.UNKNOWN_CODE.value if head.focus_group else MatchProblem.NO_PLACE.value


def _wrong_clock(payload: SubmissionPayload, deployed: datetime | None) -> dict[str, Any] | None:
    """How the phone's clock contradicts Kobo's. A clock that is behind shows only where a form was finished before its
    version was there; one that was sent late looks right. What Kobo itself dates before the version was copied from
    another project, and tells nothing.
    """
    started, ended, arrived = payload.started_at, payload.ended_at, payload.submitted_at
    if ended is not None and arrived is not None and ended - arrived > CLOCK_TOLERANCE:
        return {"how": "ahead", "minutes": int((ended - arrived).total_seconds() // 60)}
    copied = arrived is not None and deployed is not None and arrived < deployed
    if ended is not None and deployed is not None and not copied and deployed - ended > CLOCK_TOLERANCE:
        return {"how": "behind", "minutes": int((deployed - ended).total_seconds() // 60)}
    if started is not None and ended is not None and started > ended:
        return {"how": "backwards", "minutes": int((started - ended).total_seconds() // 60)}
    return None


def _text_of(raw: object) -> str:
    try:
        return raw_text(raw)
    except (ValueError, RecursionError):  # lists in lists without end: keep what can be shown
        return raw_text({"unreadable": clean_text(repr(type(raw)))})
