"""A live round dated around today, in every state that work can be in: there people try things."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from assessments.demo.answers import AREA, SUB_AREA, Place, plant_error, practice_answers, sent_at
from assessments.demo.cast import hold_training
from assessments.demo.kobo import DemoKobo
from assessments.demo.splits import draw
from assessments.enums import KoboStatus, ReviewStatus, TargetStatus
from assessments.models import (
    AssessmentRound,
    FocusGroupSession,
    KoboForm,
    KoboSubmission,
    RoundRegion,
    RoundTarget,
)
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import hold_focus_group, plan_focus_group
from assessments.services.review import approve_submission, return_submission
from assessments.services.rounds import open_round, set_target_status
from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from training.enums import EnumeratorStatus
from training.models import Enumerator, FormKind

REGIONS = ("190000000", "470000000", "790000000", "610000000")
ASSETS = {AREA: "aDemoAreaPractice0000x", SUB_AREA: "aDemoSubAreaPractice0x"}
DISTRICTS_PER_REGION = 4
VILLAGES_PER_DISTRICT = 2
SLOTS = (time(9), time(11, 30), time(14, 30), time(17))
LENGTH = timedelta(hours=2)

REMARKS = {
    "en": "Practice round: everything in it is invented. Try things here.",
    "ru": "Учебный раунд: всё в нём вымышлено. Здесь можно пробовать.",
    "kk": "Жаттығу раунды: мұндағының бәрі ойдан алынған. Осында байқап көріңіз.",
}

# What becomes of the targets, one after another and round again. In regions with two people the first of them, who can
# log in, has those at even places: a form that came back, and focus groups to come. Errors are planted ones that really
# arrive from phones.
STORIES = (
    "approved",
    "received",
    "returned",
    "scheduled",
    "received:sex_differs",
    "held",
    "assigned",
    "overdue",
    "received:text_in_number",
    "checked",
    "scheduled",
    "approved",
    "inaccessible",
    "received:nationality_exceeds",
    "coming",
    "unassigned",
    "excluded",
    "received:wrong_focus_group+unknown_place",
)
# Stories with a form; of "checked" a district form has had its first approval.
_FORM = ("approved", "checked", "received", "returned")
# Stories whose focus group took place.
_HELD = (*_FORM, "held")


@dataclass(slots=True)
class _Work:
    """One target and what shall become of it."""

    target: RoundTarget
    story: str
    person: Enumerator
    group: FocusGroupSession | None = None

    @property
    def name(self) -> str:
        return self.story.partition(":")[0]

    @property
    def errors(self) -> list[str]:
        return [error for error in self.story.partition(":")[2].split("+") if error]


def load_practice_round(
    kobo: DemoKobo,
    *,
    regions: Mapping[str, AdminUnit],
    people: Sequence[Enumerator],
    users: Mapping[str, User],
    today: date,
) -> AssessmentRound:
    """Make it once; opening is the last step, so what broke off is gone on with.

    A practice round that is open stays as people have worked in it, also on another day.
    """
    found = AssessmentRound.objects.filter(is_demo=True, code__endswith="-practice", status="open").first()
    if found is not None:
        return found
    people = [person for person in people if person.status == EnumeratorStatus.ACTIVE]
    days = (today - timedelta(days=31), today - timedelta(days=30))
    hold_training(f"{days[0]:%Y-%m}-refresher", "Refresher training (on line)", days=days, people=people)
    kinds = {kind.code: kind for kind in FormKind.objects.filter(code__in=(AREA, SUB_AREA))}
    with transaction.atomic():
        assessment_round = _make_round(today, [regions[code] for code in REGIONS])
        work = list(_make_work(assessment_round, today, kinds, people))
        _plan(work, today)
        _set_aside(work, today, users["manager"])
    forms = {
        code: kobo.connect(ASSETS[code], f"Practice: {kind}", kind=kind, assessment_round=assessment_round)
        for code, kind in kinds.items()
    }
    for code, form in forms.items():
        kobo.submit(ASSETS[code], list(_rows(code, work)))
        if code == SUB_AREA:
            _judge_at_kobo(kobo, work)
        kobo.sync(form)
    _review(forms.values(), work, users)
    for form in forms.values():
        kobo.push(form)
    _send_late(kobo, work)
    open_round(assessment_round, by=users["manager"])
    return assessment_round


def _make_round(today: date, regions: Sequence[AdminUnit]) -> AssessmentRound:
    quarter = (today.month - 1) // 3 + 1
    first = date(today.year, 3 * quarter - 2, 1)
    last = date(today.year + quarter // 4, 3 * quarter % 12 + 1, 1) - timedelta(days=1)
    assessment_round, _made = AssessmentRound.objects.get_or_create(
        code=f"{today.year}-Q{quarter}-practice",
        defaults={
            "number": 2,
            "names": {"en": "Practice round", "ru": "Учебный раунд", "kk": "Жаттығу раунды"},
            "reporting_from": first,
            "reporting_to": last,
            "fieldwork_from": today - timedelta(days=21),
            "fieldwork_to": today + timedelta(days=40),
            "reference_date": today + timedelta(days=40),
            "counted_since": date(today.year - 2, 1, 1),
            "reference_year": today.year,
            "is_demo": True,
            "remarks": REMARKS,
        },
    )
    for unit in regions:
        RoundRegion.objects.get_or_create(round=assessment_round, unit=unit)
    return assessment_round


def _make_work(
    assessment_round: AssessmentRound, today: date, kinds: Mapping[str, FormKind], people: Sequence[Enumerator]
) -> Iterator[_Work]:
    number = 0
    for region in AdminUnit.objects.filter(unit_id__in=REGIONS).order_by("unit_id"):
        crew = [person for person in people if person.home_unit_id == region.pk]
        if not crew:
            continue
        for unit, kind, parent in _places(assessment_round, region, today, kinds):
            target, _made = RoundTarget.objects.get_or_create(
                round=assessment_round, unit=unit, form_kind=kinds[kind], defaults={"parent_target": parent}
            )
            yield _Work(target, STORIES[number % len(STORIES)], crew[number % len(crew)])
            number += 1


def _places(
    assessment_round: AssessmentRound, region: AdminUnit, today: date, kinds: Mapping[str, FormKind]
) -> Iterator[tuple[AdminUnit, str, RoundTarget | None]]:
    """A few districts of the region with villages each; a republican city with its districts."""
    current = AdminUnit.objects.units_on(today).within(region)
    districts = list(current.level(2).order_by("unit_id"))
    if districts and districts[0].unit_type == "city_district":
        yield region, AREA, None
        parent = assessment_round.targets.get(unit=region, form_kind=kinds[AREA])
        yield from ((unit, SUB_AREA, parent) for unit in districts)
        return
    for district in districts[:DISTRICTS_PER_REGION]:
        yield district, AREA, None
        parent = assessment_round.targets.get(unit=district, form_kind=kinds[AREA])
        villages = current.filter(parent=district).order_by("unit_id")[:VILLAGES_PER_DISTRICT]
        yield from ((village, SUB_AREA, parent) for village in villages)


def _plan(work: Sequence[_Work], today: date) -> None:
    """Focus groups in the slots of each person, held ones before today and coming ones after."""
    used: dict[tuple[int, str], int] = {}
    for one in work:
        if one.name in ("unassigned", "excluded", "inaccessible"):
            continue
        side = "coming" if one.name in ("scheduled", "coming") else "past"
        number = used[one.person.pk, side] = used.get((one.person.pk, side), -1) + 1
        days, slot = divmod(number, len(SLOTS))
        day = today + timedelta(days=1 + days) if side == "coming" else today - timedelta(days=3 + days)
        start = datetime.combine(day, SLOTS[slot], ZoneInfo("Asia/Almaty"))
        dated = one.name != "assigned"
        one.group = one.target.focus_groups.first()
        if one.group is not None:
            continue
        one.group = plan_focus_group(
            one.target,
            starts_at=start if dated else None,
            ends_at=start + LENGTH if dated else None,
            venue="Akimat, meeting room" if dated else "",
            language="kk" if number % 2 else "ru",
        )
        assign_enumerator(one.group, one.person)
        if one.name in _HELD:
            hold_focus_group(one.group, by=None)


def _set_aside(work: Sequence[_Work], today: date, manager: User) -> None:
    for one in work:
        if one.target.status != TargetStatus.OPEN:
            continue
        if one.name == "excluded":
            set_target_status(one.target, "excluded", by=manager, reason="No migrant workers since the quarry closed")
        elif one.name == "inaccessible":
            set_target_status(
                one.target,
                "inaccessible",
                by=manager,
                reason="Road closed by snow",
                until=today + timedelta(days=21),
            )


def _rows(kind: str, work: Sequence[_Work]) -> Iterator[dict[str, object]]:
    for one in work:
        if one.name in _FORM and one.target.form_kind.code == kind:
            yield _row(kind, one)


def _row(kind: str, one: _Work) -> dict[str, object]:
    assert one.group is not None  # noqa: S101  stories with a form have a focus group
    assert one.group.starts_at is not None  # noqa: S101
    assert one.group.ends_at is not None  # noqa: S101
    unit = one.target.unit
    parts = unit.path.split("/")
    total = 40 + int(draw(f"{unit.unit_id}:practice") * 900)
    answers = practice_answers(
        kind,
        place=Place(parts[1], parts[2] or parts[1], unit.unit_id if kind == SUB_AREA else None),
        day=one.group.starts_at.astimezone(ZoneInfo("Asia/Almaty")).date(),
        round_code=one.target.round.code,
        focus_group=one.group.code,
        enumerator=one.person.code,
        total=total,
        villages={
            child.unit.unit_id: total // 4 for child in one.target.children.select_related("unit") if kind == AREA
        },
    )
    for error in one.errors:
        answers = plant_error(answers, error)
    moment = sent_at(answers, meeting_ends_at=one.group.ends_at)
    return {"answers": answers, "submitted_by": one.person.kobo_username, "submission_time": moment}


def _judge_at_kobo(kobo: DemoKobo, work: Sequence[_Work]) -> None:
    """Somebody sets a status in Kobo's own pages: a reviewer is shown it, and it decides nothing."""
    sent = [one for one in work if one.name in _FORM and one.target.form_kind.code == SUB_AREA]
    number = next(number for number, one in enumerate(sent) if one.story == "received")
    kobo.state.set_validation(kobo.state.ids(ASSETS[SUB_AREA])[number], KoboStatus.ON_HOLD, by="kobo_colleague")


def _review(forms: Iterable[KoboForm], work: Sequence[_Work], users: Mapping[str, User]) -> None:
    """Some are approved, some go back with a reason; the others wait for whoever tries the product."""
    manager = users["manager"]
    stories = {one.target.pk: one for one in work}
    waiting = KoboSubmission.objects.filter(form__in=list(forms), target__isnull=False).awaiting_review()
    related = ("form__form_kind", "unit", "target", "enumerator__home_unit", "current_revision")
    for submission in waiting.select_related(*related):
        assert submission.target_id is not None  # noqa: S101  the filter above
        story = stories[submission.target_id].name
        reviewer = next(one for one in (users["coordinator"], users["coordinator2"]) if _reaches(one, submission))
        if story == "returned":
            return_submission(
                submission,
                reviewer=reviewer,
                reason="incomplete",
                text="Citizenship is missing for the seasonal workers of the brick factory. Please ask again.",
            )
        elif story == "checked" and submission.form.form_kind.review_steps == 1:
            continue
        elif story in ("approved", "checked"):
            if submission.review_status == ReviewStatus.RECEIVED:
                approve_submission(submission, reviewer=reviewer)
            if story == "approved" and submission.review_status == ReviewStatus.APPROVED_FIRST:
                approve_submission(submission, reviewer=manager)


def _send_late(kobo: DemoKobo, work: Sequence[_Work]) -> None:
    """A form that reaches Kobo after the last sync: the next run, by schedule or button, brings it in."""
    asset_uid = ASSETS[SUB_AREA]
    late = next(one for one in work if one.name == "overdue" and one.target.form_kind.code == SUB_AREA)
    if kobo.state.count(asset_uid) == len(list(_rows(SUB_AREA, work))):
        kobo.state.submit_many(asset_uid, [_row(SUB_AREA, late)])


def _reaches(user: User, submission: KoboSubmission) -> bool:
    return KoboSubmission.objects.visible_to(user).filter(pk=submission.pk).exists()
