"""What the roster knows of the demonstration's people: teams, absences, tasks, and somebody who is entered twice."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dtm_ops.accounts.models import User
from training.enums import AbsenceKind, TestPart
from training.models import Absence, CorrectiveTask, Enumerator, FormKind, Team
from training.services.absences import note_absence
from training.services.attempts import record_attempt
from training.services.corrective import raise_task
from training.services.teams import hand_over_lead, join_team, leave_team

YEAR = timedelta(days=365)

# Code, name, who leads at first, who else belongs to it.
TEAMS = (
    ("demo-turkistan", "Demo team Turkistan", "E07", ("E08",)),
    ("demo-almaty", "Demo team Almaty", "E03", ("E04", "E05")),
    ("demo-mangystau", "Demo team Mangystau", "E01", ("E02",)),
)
# A second entry of E04: named in Cyrillic, with the same phone.
DOUBLE, DOUBLE_OF = "E21", "E04"


def tell_of_people(people: Sequence[Enumerator], *, users: Mapping[str, User], today: date) -> None:
    """Each part is made once; what people change or end afterwards stays so."""
    by_code = {person.code: person for person in people}
    _make_teams(by_code, today=today)
    _note_absences(by_code, today=today)
    _raise_tasks(by_code, by=users["coordinator"], today=today)
    _enter_twice(by_code[DOUBLE_OF])


def _make_teams(people: Mapping[str, Enumerator], *, today: date) -> None:
    """Turkistan's lead changed in the middle of the past quarter; of Almaty's people one left and another came."""
    changed_on = _middle_of_past_quarter(today)
    made: dict[str, Team] = {}
    for code, name, lead, members in TEAMS:
        team, is_new = Team.objects.get_or_create(code=code, defaults={"name": name, "unit": people[lead].home_unit})
        if is_new:
            made[code] = team
            for member in (lead, *members):
                join_team(team, people[member], valid_from=changed_on - YEAR, is_lead=member == lead)
    if turkistan := made.get("demo-turkistan"):
        hand_over_lead(turkistan, to=people["E08"], on=changed_on)
    if almaty := made.get("demo-almaty"):
        leave_team(almaty.memberships.get(enumerator=people["E05"]), on=changed_on)
        join_team(almaty, people["E06"], valid_from=changed_on + timedelta(days=1))


def _middle_of_past_quarter(today: date) -> date:
    quarter_begins = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
    return (quarter_begins - timedelta(days=46)).replace(day=16)


def _note_absences(people: Mapping[str, Enumerator], *, today: date) -> None:
    """One now, one to come."""
    if Absence.objects.filter(enumerator__in=people.values()).exists():
        return
    for code, kind, first, last in (("E13", AbsenceKind.LEAVE, -3, 9), ("E04", AbsenceKind.OTHER_WORK, 20, 24)):
        days = (today + timedelta(days=first), today + timedelta(days=last))
        note_absence(people[code], first_day=days[0], last_day=days[1], kind=kind, note="Demonstration")


def _raise_tasks(people: Mapping[str, Enumerator], *, by: User, today: date) -> None:
    """One is open and overdue; the other was closed by a passed check."""
    if CorrectiveTask.objects.filter(enumerator__in=people.values()).exists():
        return
    sub_area = FormKind.objects.get(code="baseline_sub_area")
    for code, what, reason in (
        ("E08", "Repeat: counts by sex add up to the total", "Demonstration: three forms came back for it"),
        ("E03", "Repeat: whom to seat in a focus group", "Demonstration: two groups without a woman"),
    ):
        task = raise_task(people[code], what=what, reason=reason, due_on=today + YEAR, by=by, form_kind=sub_area)
        # As if raised three weeks ago: the service raises tasks today.
        task.due_on = today - timedelta(days=6)
        task.raised_at = datetime.combine(today - timedelta(days=20), time(10), ZoneInfo("Asia/Almaty"))
        task.save(update_fields=["due_on", "raised_at"])
    record_attempt(
        people["E03"], part=TestPart.PRACTICAL, points=Decimal(85), taken_on=today - timedelta(days=8), by=by,
        corrective_task=task, examiner="Demo Trainer", note="Demonstration",
    )  # fmt: skip


def _enter_twice(person: Enumerator) -> None:
    """The desk suggests the pair as one person. Nobody's figures know this entry: it was in no training."""
    Enumerator.objects.get_or_create(
        code=DOUBLE,
        defaults={
            "full_name": next(iter(person.other_names), person.full_name),
            "sex": person.sex,
            "languages": ["ru"],
            "home_unit": person.home_unit,
            "phone": person.phone,
            "organisation": "IOM (demonstration)",
        },
    )
