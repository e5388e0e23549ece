"""Round 2022-Q4, complete and closed: the source report's figures come out of its approved forms."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from assessments.demo.answers import AREA, SUB_AREA, sent_at, sign_answers
from assessments.demo.figures import (
    ASSUMED_REGIONS,
    INVENTED_REGIONS,
    ROUND_CODE,
    DemoForm,
    DemoUnit,
    build_forms,
)
from assessments.demo.kobo import DemoKobo
from assessments.models import AssessmentRound, FocusGroupSession, KoboSubmission, RoundRegion, RoundTarget
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import hold_focus_group, plan_focus_group
from assessments.services.review import approve_submission
from assessments.services.rounds import close_round, open_round
from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from training.models import Enumerator, FormKind

# The day of the enumerators' training decides which units there were.
FRAME_DAY = date(2022, 11, 10)
ASSETS = {AREA: "aDemoArea2022Q4000000x", SUB_AREA: "aDemoSubArea2022Q400x"}
LENGTH = timedelta(hours=2)
# Local times at which a day's focus groups of one person begin.
SLOTS = (time(9), time(11, 30), time(14, 30), time(17))

ROUND_REMARKS = {
    "en": "Demonstration after the source report of October-December 2022: its baseline figures come out to the printed"
    " digit. Districts, villages, people and forms are invented.",
    "ru": "Демонстрация по исходному отчёту за октябрь–декабрь 2022 года: его базовые показатели воспроизводятся до"
    " напечатанной цифры. Районы, населённые пункты, люди и формы вымышлены.",
    "kk": "2022 жылғы қазан–желтоқсандағы бастапқы есеп бойынша демо: оның базалық көрсеткіштері басылған цифрға"
    " дейін сәйкес келеді. Аудан, ауыл деңгейіндегі сандар, адамдар мен формалар ойдан алынған.",
}
INVENTED = {
    "en": "The source report gives no count for this region: the figure is invented.",
    "ru": "Исходный отчёт не приводит числа для этого региона: показатель вымышлен.",
    "kk": "Бастапқы есепте бұл өңірдің саны жоқ: көрсеткіш ойдан алынған.",
}
ASSUMED = {
    "en": "That this region was among the 14 is our assumption.",
    "ru": "То, что этот регион входил в число 14, — наше предположение.",
    "kk": "Бұл өңірдің 14 өңірдің қатарында болғаны — біздің болжамымыз.",
}


def load_quarter(
    kobo: DemoKobo, *, regions: Mapping[str, AdminUnit], people: list[Enumerator], users: Mapping[str, User]
) -> AssessmentRound:
    """The whole chain of the quarter through the real services. A round that is closed already is left alone."""
    done = AssessmentRound.objects.filter(code=ROUND_CODE, status="closed").first()
    if done is not None:
        return done
    kinds = {kind.code: kind for kind in FormKind.objects.filter(code__in=(AREA, SUB_AREA))}
    units = {unit.unit_id: unit for unit in AdminUnit.objects.units_on(FRAME_DAY).select_related("parent")}
    forms = build_forms(
        DemoUnit(unit.unit_id, unit.level, unit.unit_type, unit.parent.unit_id)
        for unit in units.values()
        if unit.parent
    )
    with transaction.atomic():
        assessment_round = _make_round(regions)
        targets = _make_targets(assessment_round, forms, units, kinds)
    opened = datetime(2022, 11, 12, 9, tzinfo=UTC)
    if assessment_round.status == "planned":
        open_round(assessment_round, by=users["manager"], at=opened)
    with transaction.atomic():
        groups = _hold_focus_groups(forms, targets, people)
    connected = []
    for code, kind in kinds.items():
        form = kobo.connect(ASSETS[code], f"Baseline 2022-Q4: {kind}", kind=kind, assessment_round=assessment_round)
        kobo.submit(ASSETS[code], list(_rows(code, forms, groups)))
        kobo.sync(form)
        connected.append(form)
    _approve(assessment_round, users)
    for form in connected:
        kobo.push(form)
    close_round(assessment_round, by=users["manager"], at=datetime(2023, 3, 13, 9, tzinfo=UTC))
    return assessment_round


def _make_round(regions: Mapping[str, AdminUnit]) -> AssessmentRound:
    assessment_round, _made = AssessmentRound.objects.get_or_create(
        code=ROUND_CODE,
        defaults={
            "number": 1,
            "names": {
                "en": "Baseline Assessment, October-December 2022",
                "ru": "Базовая оценка, октябрь–декабрь 2022",
                "kk": "Базалық бағалау, 2022 жылғы қазан–желтоқсан",
            },
            "reporting_from": date(2022, 10, 1),
            "reporting_to": date(2022, 12, 31),
            "fieldwork_from": date(2022, 11, 14),
            "fieldwork_to": date(2023, 3, 3),
            "reference_date": date(2023, 3, 3),
            "counted_since": date(2020, 1, 1),
            "reference_year": 2022,
            "is_demo": True,
            "remarks": ROUND_REMARKS,
        },
    )
    for code, unit in regions.items():
        remarks = [INVENTED] * (code in INVENTED_REGIONS) + [ASSUMED] * (code in ASSUMED_REGIONS)
        words = {language: " ".join(remark[language] for remark in remarks) for language in ("en", "ru", "kk")}
        RoundRegion.objects.get_or_create(
            round=assessment_round, unit=unit, defaults={"remarks": words if remarks else {}}
        )
    return assessment_round


def _make_targets(
    assessment_round: AssessmentRound,
    forms: Iterable[DemoForm],
    units: Mapping[str, AdminUnit],
    kinds: Mapping[str, FormKind],
) -> dict[tuple[str, str], RoundTarget]:
    """Districts first: a village's target names the district target whose form named it."""
    targets: dict[tuple[str, str], RoundTarget] = {}
    for form in sorted(forms, key=lambda form: form.kind != AREA):
        parent = targets.get((AREA, form.district_id)) if form.kind == SUB_AREA else None
        targets[form.kind, form.unit_id], _made = RoundTarget.objects.get_or_create(
            round=assessment_round,
            unit=units[form.unit_id],
            form_kind=kinds[form.kind],
            defaults={
                "parent_target": parent,
                "minimum_informants": 4 if form.kind == AREA else 2,
                "source": "district form" if parent else "list of the round",
            },
        )
    return targets


def _hold_focus_groups(
    forms: Iterable[DemoForm], targets: Mapping[tuple[str, str], RoundTarget], people: list[Enumerator]
) -> dict[tuple[str, str], tuple[FocusGroupSession, Enumerator]]:
    """A focus group for each form, in the day's next free slot of somebody of the region; all of them took place."""
    team: dict[str, list[Enumerator]] = defaultdict(list)
    for person in people:
        team[person.home_unit.unit_id].append(person)
    taken: dict[tuple[str, date], int] = defaultdict(int)
    held = {}
    for form in forms:
        key = (form.kind, form.unit_id)
        number = taken[form.region_id, form.day]
        taken[form.region_id, form.day] += 1
        crew = team[form.region_id]
        person, slot = crew[number % len(crew)], SLOTS[number // len(crew)]
        target = targets[key]
        group = target.focus_groups.first()
        if group is None:
            start = datetime.combine(form.day, slot, ZoneInfo("Asia/Almaty"))
            group = plan_focus_group(target, starts_at=start, ends_at=start + LENGTH, language="ru")
            assign_enumerator(group, person)
            hold_focus_group(group, by=None, at=start + LENGTH)
        held[key] = (group, person)
    return held


def _rows(
    kind: str,
    forms: Iterable[DemoForm],
    groups: Mapping[tuple[str, str], tuple[FocusGroupSession, Enumerator]],
) -> Iterable[dict[str, object]]:
    for form in sorted((form for form in forms if form.kind == kind), key=lambda form: (form.day, form.unit_id)):
        group, person = groups[form.kind, form.unit_id]
        assert group.ends_at is not None  # noqa: S101  all of them took place
        yield {
            "answers": sign_answers(form.answers, focus_group=group.code, enumerator=person.code),
            "submitted_by": person.kobo_username,
            "submission_time": sent_at(form.answers, meeting_ends_at=group.ends_at),
        }


def _approve(assessment_round: AssessmentRound, users: Mapping[str, User]) -> None:
    """The region's coordinator first; where a form kind has two steps, the manager gives the final approval."""
    reviewers = (users["coordinator"], users["coordinator2"])
    waiting = KoboSubmission.objects.filter(target__round=assessment_round).awaiting_review().order_by("submitted_at")
    related = ("form__form_kind", "form__server", "unit", "target", "enumerator__home_unit", "current_revision")
    for submission in waiting.select_related(*related):
        day = submission.submitted_at or submission.first_seen_at
        reviewer = next(one for one in reviewers if _reaches(one, submission))
        if submission.review_status == "received":
            approve_submission(submission, reviewer=reviewer, at=day + timedelta(days=1))
        if submission.review_status == "approved_first":
            approve_submission(submission, reviewer=users["manager"], at=day + timedelta(days=3))


def _reaches(user: User, submission: KoboSubmission) -> bool:
    return KoboSubmission.objects.visible_to(user).filter(pk=submission.pk).exists()
