"""What matched no target or names no known person, one line for all that is typed alike, with what it may mean."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Max, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from assessments.enums import MatchProblem, MatchState, ReviewStatus, TypedKind
from assessments.kobo.codes import is_code, normalise_code
from assessments.models import (
    AssessmentRound,
    FocusGroupSession,
    KoboSubmission,
    MatchAlias,
    RoundTarget,
    SessionAssignment,
)
from assessments.querysets import KoboSubmissionQuerySet
from assessments.selectors.typed_words import alias_key, person_word
from dtm_ops.common.spelling import distance, fold, near_misses, skeleton
from locations.models import AdminUnit, AdminUnitAlias, read_name
from locations.querysets import AnyUser
from locations.selectors import search_units
from training.models import Enumerator, FormKind
from training.selectors import search_people

# So many ids of a line are shown, and so many suggestions.
MOST_SHOWN: Final = 10
MOST_SUGGESTED: Final = 4
LONG_ENOUGH: Final = 3
NO_PERSON: Final = "no_person"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A row that may be meant, in words, and why. ``rank``: best first."""

    key: int
    label: str
    reason: str
    rank: tuple[int, ...]


@dataclass(slots=True)
class Line:
    """All that is typed alike. ``kind`` is what can be settled; "" where nothing is typed that could.

    ``forms``: key and Kobo id of some, newest first. ``place``: the one that is named, where it is known and not
    planned. ``note``: what else is known about it, in words. ``alias``: it is settled, and these forms were not read
    since.
    """

    round: AssessmentRound
    form_kind: FormKind
    cause: str
    kind: str
    typed: str
    key: str
    count: int = 0
    newest: date | None = None
    forms: list[tuple[int, int]] = field(default_factory=list)
    spellings: set[str] = field(default_factory=set)
    people: set[int] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    targets: set[int] = field(default_factory=set)
    focus_groups: set[int] = field(default_factory=set)
    place: AdminUnit | None = None
    place_key: int | None = None
    note: str = ""
    alias: MatchAlias | None = None
    suggestions: list[Suggestion] = field(default_factory=list)

    @property
    def more(self) -> int:
        return self.count - len(self.shown)

    @property
    def shown(self) -> list[tuple[int, int]]:
        return self.forms[:MOST_SHOWN]

    @property
    def cause_label(self) -> str:
        return _("the person is not known") if self.cause == NO_PERSON else str(MatchProblem(self.cause).label)

    @property
    def names_account(self) -> bool:
        """Nobody is named: ``typed`` is the account that sent it."""
        return self.kind == TypedKind.PERSON and not self.spellings


# Forms that somebody may help to a target or to a person: those that count and are not decided.
WAITING: Final = Q(deleted_at=None, is_trial=False, is_refused=False, approved_revision=None) & (
    ~Q(review_status=ReviewStatus.REJECTED) & (Q(match_state=MatchState.UNMATCHED) | Q(enumerator=None))
)


def waiting(user: AnyUser) -> KoboSubmissionQuerySet:
    rows: KoboSubmissionQuerySet = KoboSubmission.objects.visible_to(user).filter(WAITING)
    return rows


def likely_enumerators(submission: KoboSubmission) -> set[int]:
    """Keys of who is assigned to the focus group that a form came from, or where that is not known to one there."""
    if submission.target_id is None:
        return set()
    assigned = SessionAssignment.objects.active().filter(focus_group__target=submission.target_id)
    if submission.focus_group_id is not None:
        assigned = assigned.filter(focus_group=submission.focus_group_id)
    return set(assigned.values_list("enumerator", flat=True))


def match_queue(
    user: AnyUser, *, round_id: int | None = None, kind: str | None = None, key: str | None = None
) -> list[Line]:
    """The lines without suggestions, the longest first. A form without target and without person stands in two. Four
    queries, however many there are.
    """
    rows = waiting(user)
    if round_id is not None:
        rows = rows.filter(form__round=round_id)
    lines: dict[tuple[Any, ...], Line] = {}
    rounds = {one.pk: one for one in AssessmentRound.objects.all()}
    kinds = {one.pk: one for one in FormKind.objects.all()}
    for facts in _gather(rows.filter(match_state=MatchState.UNMATCHED)):
        named = TypedKind.FOCUS_GROUP if facts["match_problem"] == MatchProblem.UNKNOWN_CODE else TypedKind.PLACE
        typed = facts["typed_focus_group" if named == TypedKind.FOCUS_GROUP else "typed_place"]
        _add(lines, facts, facts["match_problem"] or MatchProblem.NO_PLACE, named, typed, rounds, kinds)
    for facts in _gather(rows.filter(enumerator=None)):
        typed = person_word(facts["typed_person"], facts["submitted_by"])
        _add(lines, facts, NO_PERSON, TypedKind.PERSON, typed, rounds, kinds)
    found = [
        line for line in lines.values() if (kind is None or line.kind == kind) and (key is None or line.key == key)
    ]
    return sorted(found, key=lambda line: (-line.count, line.typed, line.cause, line.form_kind.pk))


def _gather(rows: KoboSubmissionQuerySet) -> list[dict[str, Any]]:
    """Forms that are typed the very same, taken together by the database."""
    gathered: Any = rows.order_by()
    gathered = gathered.values(
        "form__round", "form__form_kind", "match_problem", "typed_place", "typed_focus_group", "typed_person",
        "submitted_by",
    )  # fmt: skip
    gathered = gathered.annotate(
        count=Count("pk"),
        newest=Max("day"),
        keys=ArrayAgg("pk", order_by="-kobo_id"),
        kobo_ids=ArrayAgg("kobo_id", order_by="-kobo_id"),
        people=ArrayAgg("enumerator", filter=Q(enumerator__isnull=False), distinct=True, default=[]),
        days=ArrayAgg("day", filter=Q(day__isnull=False), distinct=True, default=[]),
        targets=ArrayAgg("target", filter=Q(target__isnull=False), distinct=True, default=[]),
        groups=ArrayAgg("focus_group", filter=Q(focus_group__isnull=False), distinct=True, default=[]),
        units=ArrayAgg("unit", filter=Q(unit__isnull=False), distinct=True, default=[]),
    )
    return list(gathered)


def _add(
    lines: dict[tuple[Any, ...], Line],
    facts: dict[str, Any],
    cause: str,
    kind: str,
    typed: str,
    rounds: dict[int, AssessmentRound],
    kinds: dict[int, FormKind],
) -> None:
    key = alias_key(kind, typed)
    where = (facts["form__round"], facts["form__form_kind"], cause, kind, key)
    line = lines.get(where)
    if line is None:
        round_, form_kind = rounds[facts["form__round"]], kinds[facts["form__form_kind"]]
        line = lines[where] = Line(round_, form_kind, cause, kind if key else "", typed, key)
    line.count += facts["count"]
    line.newest = max(filter(None, (line.newest, facts["newest"])), default=None)
    line.forms = sorted([*line.forms, *zip(facts["keys"], facts["kobo_ids"], strict=True)], key=lambda one: -one[1])
    line.people.update(facts["people"])
    line.days.update(facts["days"])
    line.targets.update(facts["targets"])
    line.focus_groups.update(facts["groups"])
    line.accounts.update(filter(None, [facts["submitted_by"]]))
    line.codes.update(filter(None, [facts["typed_focus_group"]]))
    if kind != TypedKind.PERSON or facts["typed_person"].strip():
        line.spellings.update(filter(None, [typed]))
    if cause == MatchProblem.NOT_PLANNED and facts["units"]:
        line.place_key = facts["units"][0]


# --- what may be meant


@dataclass(frozen=True, slots=True)
class Planned:
    """A target within the user's reach."""

    pk: int
    unit: AdminUnit


@dataclass(slots=True)
class Known:
    """What suggestions are made from: read once for all lines, in the same number of queries."""

    targets: dict[tuple[int, int], dict[int, Planned]] = field(default_factory=lambda: defaultdict(dict))
    spellings: dict[int, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[tuple[int, int], list[FocusGroupSession]] = field(default_factory=lambda: defaultdict(list))
    codes: dict[str, FocusGroupSession] = field(default_factory=dict)
    assigned: list[SessionAssignment] = field(default_factory=list)
    # With their names as they sound.
    people: list[tuple[Enumerator, set[str]]] = field(default_factory=list)
    places: dict[int, AdminUnit] = field(default_factory=dict)
    aliases: dict[tuple[int, str, str], MatchAlias] = field(default_factory=dict)


def with_suggestions(lines: Sequence[Line], user: AnyUser) -> Sequence[Line]:
    """The same lines, each with what may be meant, within the user's own places."""
    known = _read_known(lines, user)
    for line in lines:
        line.alias = known.aliases.get((line.round.pk, line.kind, line.key))
        line.place = known.places.get(line.place_key or 0)
        found: Iterable[Suggestion] = ()
        if line.kind == TypedKind.PERSON:
            found = _suggest_people(line, known)
        elif line.kind == TypedKind.FOCUS_GROUP:
            line.note = _about_code(line, known)
            found = _suggest_groups(line, known)
        elif line.cause == MatchProblem.NOT_PLANNED:
            found = _suggest_relatives(line, known)
        elif line.kind == TypedKind.PLACE:
            found = _suggest_places(line, known)
        line.suggestions = _best(found)
    return lines


def _best(found: Iterable[Suggestion]) -> list[Suggestion]:
    """Each row once, with its best reason."""
    best: dict[int, Suggestion] = {}
    for one in sorted(found, key=lambda one: (one.rank, one.label)):
        best.setdefault(one.key, one)
    return list(best.values())[:MOST_SUGGESTED]


def _read_known(lines: Sequence[Line], user: AnyUser) -> Known:
    known = Known()
    rounds = {line.round.pk for line in lines}
    targets = RoundTarget.objects.visible_to(user).filter(round__in=rounds).select_related("unit__parent")
    for target in targets.order_by():
        planned = Planned(target.pk, target.unit)
        known.targets[target.round_id, target.form_kind_id][target.unit_id] = planned
    groups = FocusGroupSession.objects.visible_to(user).filter(target__round__in=rounds)
    for group in groups.select_related("target__unit").order_by("pk"):
        known.groups[group.target.round_id, group.target.form_kind_id].append(group)
    codes = {normalise_code(code) for line in lines for code in line.codes}
    known.codes = {
        one.code: one for one in FocusGroupSession.objects.filter(code__in=codes).select_related("target__round")
    }
    assigned = SessionAssignment.objects.active().filter(focus_group__target__round__in=rounds)
    known.assigned = list(assigned.select_related("focus_group__target", "enumerator__home_unit").order_by("pk"))
    people = Enumerator.objects.visible_to(user).filter(merged_into=None).order_by("pk")
    known.people = [(one, {fold(name) for name in (one.full_name, *one.other_names)}) for one in people]
    known.places = AdminUnit.objects.select_related("parent").in_bulk(
        {line.place_key for line in lines if line.place_key}
    )
    known.aliases = {
        (one.round_id, one.kind, one.key): one
        for one in MatchAlias.objects.filter(round__in=rounds, key__in={line.key for line in lines}).select_related(
            "enumerator", "target__unit", "target__form_kind", "focus_group__target__unit", "settled_by"
        )
    }
    _read_spellings(known, lines)
    return known


def _read_spellings(known: Known, lines: Sequence[Line]) -> None:
    """The spellings of planned places that may be near to what is typed. One query."""
    near: set[str] = set()
    for line in lines:
        if line.kind == TypedKind.PLACE:
            bones = read_name(line.typed).skeleton
            near |= {bones, *(near_misses(bones) if len(bones) >= LONG_ENOUGH else ())}
    planned = {unit for units in known.targets.values() for unit in units}
    rows: Any = AdminUnitAlias.objects.filter(skeleton__in=near - {""}, unit__in=planned).order_by()
    for unit, key, bones in rows.values_list("unit", "search_key", "skeleton"):
        known.spellings[unit].append((key, bones))


def _suggest_places(line: Line, known: Known) -> Iterable[Suggestion]:
    """By spelling; by a place code with a slip; by a focus group's code beside it; by who sent it."""
    name, planned = read_name(line.typed), known.targets[line.round.pk, line.form_kind.pk]
    sent_to = _assigned_places(line, known)
    most = max(1, len(name.key) // 3)
    for unit, spellings in known.spellings.items():
        if unit not in planned:
            continue
        away = min(distance(name.key, key) for key, _bones in spellings)
        sounds = any(bones == name.skeleton for _key, bones in spellings)
        if away == 0:
            yield _place(planned[unit], _("spelled the same"), 0, away, sent_to)
        elif sounds and away <= max(2, len(name.key) // 2):
            yield _place(planned[unit], _("sounds alike"), 1, away, sent_to)
        elif away <= most:
            yield _place(planned[unit], _("one slip away"), 2, away, sent_to)
    if any(character.isdigit() for character in line.typed):
        for one in planned.values():
            if _is_near_code(line.typed, one.unit.unit_id):
                yield _place(one, _("its code differs in one character"), 1, 1, sent_to)
    yield from _suggest_by_code(line, known, sent_to)
    for unit, who in sent_to.items():
        if unit in planned:
            yield _place(planned[unit], _("%(person)s is assigned there") % {"person": who}, 3, 0, {})


def _suggest_by_code(line: Line, known: Known, sent_to: dict[int, str]) -> Iterable[Suggestion]:
    """The place of a focus group whose code stands beside the place with a slip."""
    planned = known.targets[line.round.pk, line.form_kind.pk]
    for group in known.groups[line.round.pk, line.form_kind.pk] if line.codes else ():
        found = planned.get(group.target.unit_id)
        if found is not None and any(_is_near_code(normalise_code(code), group.code) for code in line.codes):
            reason = _("the code of its focus group %(code)s is one character away") % {"code": group.code}
            yield _place(found, reason, 1, 0, sent_to)


def _place(one: Planned, reason: str, fit: int, away: int, sent_to: dict[int, str]) -> Suggestion:
    who = sent_to.get(one.unit.pk)
    if who:
        reason = _("%(reason)s; %(person)s is assigned there") % {"reason": reason, "person": who}
    return Suggestion(one.pk, place_words(one.unit), reason, (fit, 0 if who else 1, away))


def place_words(unit: AdminUnit) -> str:
    return f"{unit.name}, {unit.parent.name}" if unit.parent else unit.name


def _assigned_places(line: Line, known: Known) -> dict[int, str]:
    """By the place's key who of those that sent the forms is assigned there."""
    return {
        one.focus_group.target.unit_id: one.enumerator.full_name
        for one in known.assigned
        if one.enumerator_id in line.people and one.focus_group.target.round_id == line.round.pk
    }


def choices(line: Line, text: str, user: AnyUser) -> list[Suggestion]:
    """What else may be meant, by what somebody types: blind to script, of the line's own round and form kind."""
    if line.kind == TypedKind.PERSON:
        people = search_people(
            text, people=Enumerator.objects.visible_to(user).filter(merged_into=None), limit=MOST_SHOWN
        )
        return [
            Suggestion(one.pk, _person_words(one), str(one.home_unit), (number,)) for number, one in enumerate(people)
        ]
    targets = RoundTarget.objects.visible_to(user).filter(round=line.round, form_kind=line.form_kind)
    planned: dict[int, int] = {one.unit_id: one.pk for one in targets.order_by()}
    units = search_units(text, units=AdminUnit.objects.filter(pk__in=planned), limit=MOST_SHOWN) if planned else []
    if line.kind == TypedKind.PLACE:
        return [
            Suggestion(planned[unit.pk], place_words(unit), unit.unit_id, (number,))
            for number, unit in enumerate(units)
            if unit.pk in planned
        ]
    groups = FocusGroupSession.objects.visible_to(user).filter(target__in=planned.values())
    found = groups.filter(Q(code__startswith=normalise_code(text)) | Q(target__unit__in=units))
    shown = found.select_related("target__unit").order_by("starts_at", "code")[:MOST_SHOWN]
    return [Suggestion(one.pk, _group_words(one), one.venue, (number,)) for number, one in enumerate(shown)]


def _suggest_relatives(line: Line, known: Known) -> Iterable[Suggestion]:
    """Planned places above and below the one that is named: the plan may have the district instead of the village."""
    if line.place is None:
        return
    for one in known.targets[line.round.pk, line.form_kind.pk].values():
        if line.place.path.startswith(one.unit.path):
            yield Suggestion(one.pk, place_words(one.unit), _("lies above it and is planned"), (0, -one.unit.level))
        elif one.unit.path.startswith(line.place.path):
            yield Suggestion(one.pk, place_words(one.unit), _("lies in it and is planned"), (1, one.unit.level))


def _suggest_groups(line: Line, known: Known) -> Iterable[Suggestion]:
    own = {one.focus_group_id: one.enumerator.full_name for one in known.assigned if one.enumerator_id in line.people}
    for group in known.groups[line.round.pk, line.form_kind.pk]:
        who, that_day = own.get(group.pk), _local_day(group) in line.days
        if _is_near_code(line.key, group.code):
            reason = _("one character differs")
            if who:
                reason = _("%(reason)s; %(person)s is assigned there") % {"reason": reason, "person": who}
            yield Suggestion(group.pk, _group_words(group), reason, (0, 0 if who else 1))
        elif who and that_day:
            reason = _("%(person)s was there on that day") % {"person": who}
            yield Suggestion(group.pk, _group_words(group), reason, (1, 0))


def _about_code(line: Line, known: Known) -> str:
    """A code whose check character fits was hardly typed wrong."""
    group = known.codes.get(line.key)
    if group is not None:
        return _("This is the code of a focus group of round %(round)s, of another form or place.") % {
            "round": group.target.round
        }
    if is_code(line.key):
        return _("The code is well formed, but no focus group has it.")
    return _("The code has a slip: its last character does not fit the others.")


def _group_words(group: FocusGroupSession) -> str:
    day = _local_day(group)
    words = f"{group.code}, {group.target.unit.name}"
    return f"{words}, {date_format(day, 'SHORT_DATE_FORMAT')}" if day else words


def _local_day(group: FocusGroupSession) -> date | None:
    return timezone.localtime(group.starts_at).date() if group.starts_at else None


def _suggest_people(line: Line, known: Known) -> Iterable[Suggestion]:
    """By code, name and account; and by who was assigned to what the forms were matched with."""
    bones = skeleton(line.typed).split()
    there = _assigned_people(line, known)
    for one, names in known.people:
        for fit, reason in _why_person(one, names, line, bones):
            yield _person(one, reason, fit, there)
        if one.pk in there:
            reason = _("is assigned to %(group)s") % {"group": there[one.pk]}
            yield Suggestion(one.pk, _person_words(one), reason, (3, 0))


def _why_person(one: Enumerator, names: set[str], line: Line, bones: list[str]) -> Iterable[tuple[int, str]]:
    if line.key in names:
        yield 0, _("has this name")
    elif bones and all(f" {bone}" in f" {one.search_key.strip()}" for bone in bones):
        yield 1, _("has a name like this")
    elif any(_is_slip(bones, one.search_key.split())):
        yield 2, _("has a name that is one slip away")
    if _is_near_code(line.typed.upper(), one.code):
        yield 1, _("the code differs in one character")
    if one.kobo_username:
        if any(account.casefold() == one.kobo_username.casefold() for account in line.accounts):
            yield 1, _("has this Kobo account")
        elif any(distance(account.casefold(), one.kobo_username.casefold()) == 1 for account in line.accounts):
            yield 2, _("has a Kobo account that differs in one character")


def _is_slip(bones: list[str], names: Collection[str]) -> Iterable[bool]:
    """One word with a slip, the others as they are."""
    for number, bone in enumerate(bones):
        others = bones[:number] + bones[number + 1 :]
        is_long = len(bone) >= LONG_ENOUGH
        yield is_long and set(others) <= set(names) and any(distance(bone, name) == 1 for name in names)


def _person(one: Enumerator, reason: str, fit: int, there: dict[int, str]) -> Suggestion:
    if one.pk in there:
        words = {"reason": reason, "group": there[one.pk]}
        reason = _("%(reason)s; is assigned to %(group)s") % words
    return Suggestion(one.pk, _person_words(one), reason, (fit, 0 if one.pk in there else 1))


def _person_words(one: Enumerator) -> str:
    return f"{one.full_name} ({one.code})"


def _assigned_people(line: Line, known: Known) -> dict[int, str]:
    """By the person's key the code of a focus group that the forms came from, or that their place had on that day."""
    found: dict[int, str] = {}
    for one in known.assigned:
        group = one.focus_group
        is_it = group.pk in line.focus_groups
        if is_it or (group.target_id in line.targets and _local_day(group) in line.days):
            found.setdefault(one.enumerator_id, group.code)
    return found


def _is_near_code(typed: str, code: str) -> bool:
    """One character wrong, missing or too many, or two neighbours swapped (a dash may stand between them)."""
    if typed == code or abs(len(typed) - len(code)) > 1 or len(code) < LONG_ENOUGH:
        return False
    wrong = [place for place, (one, other) in enumerate(zip(typed, code, strict=False)) if one != other]
    if len(typed) == len(code):
        if len(wrong) != 2:
            return len(wrong) == 1
        first, second = wrong
        return typed[first] == code[second] and typed[second] == code[first] and second - first <= 2
    short, long = sorted((typed, code), key=len)
    place = wrong[0] if wrong else len(short)
    return long[place + 1 :] == short[place:]
