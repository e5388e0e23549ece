"""The people of the demonstration. Every name says that it is invented."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from assessments.demo.figures import REGION_TOTALS
from dtm_ops.accounts.models import User
from locations.enums import Role
from locations.models import AdminUnit, UnitScope
from training.enums import AttendanceState, Sex, TestPart
from training.models import Course, Enumerator, TrainingSession
from training.services.attempts import Score, record_attempts
from training.services.attendance import record_attendance
from training.services.certification import certify_attendees
from training.services.courses import open_training
from training.services.enrolment import enrol, invite, reply

PASSWORD = "demo-2022"  # noqa: S105  told to everybody who starts the demonstration; never in production

# User name, password, what the person does.
LOGINS: tuple[tuple[str, str, Promise], ...] = (
    ("coordinator", PASSWORD, _("coordinator of the south: Almaty region and city, Zhambyl, Turkistan, Shymkent")),
    ("coordinator2", PASSWORD, _("coordinator of the west and north")),
    ("manager", PASSWORD, _("manager: coverage, final approval, figures")),
    ("enumerator", PASSWORD, _("enumerator in Almaty region, page in Kazakh")),
    ("enumerator2", PASSWORD, _("enumerator in Mangystau, page in Russian")),
    ("administrator", PASSWORD, _("administrator: rights, places, Kobo connection")),
)

SOUTH = ("190000000", "750000000", "310000000", "610000000", "790000000")
# 20 people for 14 regions, as in the source report: two in each of six regions, one in each of the others.
TWO = ("470000000", "190000000", "750000000", "610000000", "790000000", "710000000")
# Who of them can log in: user name, language of the page.
LOGIN_OF = {"E01": ("enumerator2", "ru"), "E03": ("enumerator", "kk")}
TRAINING_DAYS = (date(2022, 11, 10), date(2022, 11, 11))
PASS_MARK = 70
SECOND_ATTEMPT = "E11"
# Which of the invited cannot come, and what they write.
DECLINED = {3: "Демо: в этот день я в отпуске", 4: "Демо: бұл күні басқа жұмысым бар"}

# In Latin letters; in Russian; in Kazakh, where that is spelt otherwise.
_WOMEN = (
    ("Aigerim", "Айгерим", "Әйгерім"), ("Dana", "Дана"), ("Gulnar", "Гульнар", "Гүлнар"), ("Saule", "Сауле", "Сәуле"),
    ("Madina", "Мадина"), ("Zarina", "Зарина"), ("Kamila", "Камила"), ("Asel", "Асель", "Әсел"),
    ("Togzhan", "Тогжан", "Тоғжан"), ("Laura", "Лаура"),
)  # fmt: skip
_MEN = (
    ("Arman", "Арман"), ("Bolat", "Болат"), ("Daniyar", "Данияр"), ("Erlan", "Ерлан"), ("Kairat", "Кайрат", "Қайрат"),
    ("Marat", "Марат"), ("Nurlan", "Нурлан", "Нұрлан"), ("Ruslan", "Руслан"), ("Timur", "Тимур"),
    ("Yerbol", "Ербол"),
)  # fmt: skip


def make_users(units: Mapping[str, AdminUnit], country: AdminUnit) -> dict[str, User]:
    """The log-ins with their scopes. Who is there already keeps the password they have."""
    users = {name: _make_user(name) for name, _password, _words in LOGINS}
    _give(users["administrator"], Role.ADMINISTRATOR, [country])
    _give(users["manager"], Role.MANAGER, [country])
    _give(users["coordinator"], Role.COORDINATOR, [units[code] for code in SOUTH])
    _give(users["coordinator2"], Role.COORDINATOR, [unit for code, unit in units.items() if code not in SOUTH])
    return users


@transaction.atomic
def make_people(units: Mapping[str, AdminUnit], users: Mapping[str, User]) -> list[Enumerator]:
    """Twenty enumerators. The first of Almaty region and the first of Mangystau can log in; who was made before keeps
    the login, or stays without one: people try here how somebody leaves, and how two entries become one.
    """
    homes = [unit for code in REGION_TOTALS for unit in [units[code]] * (2 if code in TWO else 1)]
    people = []
    for number, home in enumerate(homes, start=1):
        women = number % 2 == 0
        name, *others = (_WOMEN if women else _MEN)[(number - 1) // 2]
        person, made = Enumerator.objects.get_or_create(
            code=f"E{number:02}",
            defaults={
                "full_name": f"{name} Demo-{number:02}",
                "other_names": [f"{other} Демо-{number:02}" for other in others],
                "sex": Sex.FEMALE if women else Sex.MALE,
                "languages": ["kk", "ru"] if number % 3 else ["ru"],
                "home_unit": home,
                # Invented at sight; the domain is reserved for examples (RFC 2606).
                "phone": f"+770000000{number:02}",
                "email": f"e{number:02}@example.org",
                "has_vehicle": number % 4 == 1,
                "terms_of_reference": f"ToR demonstration {number:02}",
                "organisation": "IOM (demonstration)",
                "kobo_username": f"demo_e{number:02}",
                "contract_from": date(2022, 11, 1),
            },
        )
        people.append(person)
        if made and person.code in LOGIN_OF:
            login, language = LOGIN_OF[person.code]
            _attach(person, users[login], language)
    return people


def hold_training(code: str, title: str, *, days: tuple[date, date], people: list[Enumerator]) -> TrainingSession:
    """The two-day course on line: everybody accepted, attended in full, passed and got the baseline certificates.

    The course has no tests, and the source report tells of none: those of this training are invented.
    """
    if found := TrainingSession.objects.filter(code=code).first():
        return found
    course = Course.objects.get(code="baseline-two-days")
    training = open_training(
        course, code=code, title=title, days=days, language="ru", trainer="Demo Trainer", seats=len(people)
    )
    training.theory_pass_mark = training.practical_pass_mark = PASS_MARK
    training.save(update_fields=["theory_pass_mark", "practical_pass_mark"])
    half_days = list(training.half_days.all())
    enrol(training, people, at=half_days[0].opens_at - timedelta(days=9))
    for enrolment in training.enrolments.all():
        reply(enrolment, accepts=True, at=half_days[0].opens_at - timedelta(days=6))
    for half_day in half_days:
        everybody = dict.fromkeys(training.enrolments.all(), AttendanceState.PRESENT)
        record_attendance(half_day, everybody, at=half_day.closes_at)
    record_attempts(training, list(_scores(people, taken_on=days[1])), by=None)
    for form in training.trained_forms.select_related("form_kind"):
        certify_attendees(
            training,
            form_kind=form.form_kind,
            major_version=form.major_version,
            issued_on=days[1],
            expires_on=days[1] + timedelta(days=365),
        )
    return training


def _scores(people: list[Enumerator], *, taken_on: date) -> Iterator[Score]:
    """Both tests of each person; one person needs a second attempt."""
    note = "Invented for the demonstration"
    for number, person in enumerate(people):
        points = {TestPart.THEORY: 72 + number % 7 * 4, TestPart.PRACTICAL: 75 + number % 6 * 5}
        if person.code == SECOND_ATTEMPT:
            yield Score(person, TestPart.THEORY, Decimal(62), taken_on, examiner="Demo Trainer", note=note)
        for part, reached in points.items():
            yield Score(person, part, Decimal(reached), taken_on, examiner="Demo Trainer", note=note)


def plan_training(code: str, *, first_day: date, people: list[Enumerator]) -> TrainingSession:
    """A refresher still to come, with twelve seats for fourteen who want one. Most have accepted, two cannot come, two
    wait; who can log in has yet to answer.
    """
    if found := TrainingSession.objects.filter(code=code).first():
        return found
    course = Course.objects.get(code="baseline-refresher")
    training = open_training(
        course, code=code, days=[first_day], language="ru", venue="Demo venue", trainer="Demo Trainer", seats=12
    )
    asked_at = min(half_day.opens_at for half_day in training.half_days.all()) - timedelta(days=8)
    invited = sorted(people, key=lambda person: (person.user_id is None, person.code))[: 12 + len(DECLINED) + 2]
    enrol(training, invited, at=asked_at)
    invite(training, by=None, at=asked_at)
    for number, note in DECLINED.items():
        enrolment = training.enrolments.get(enumerator=invited[number])
        reply(enrolment, accepts=False, note=note, at=asked_at + timedelta(hours=number))
    for person in invited[5:12]:
        reply(training.enrolments.get(enumerator=person), accepts=True, at=asked_at + timedelta(hours=9))
    return training


def _make_user(name: str) -> User:
    found = User.objects.filter(username=name).first()
    staff = not name.startswith("enumerator")
    return found or User.objects.create_user(
        name, password=PASSWORD, first_name="Demo", last_name=name.capitalize(), is_staff=staff
    )


def _give(user: User, role: Role, units: list[AdminUnit]) -> None:
    for unit in units:
        UnitScope.objects.get_or_create(user=user, unit=unit, role=role)


def _attach(person: Enumerator, user: User, language: str) -> None:
    person.user = user
    person.save(update_fields=["user"])
    user.language = language
    user.save(update_fields=["language"])
    UnitScope.objects.get_or_create(user=user, unit=person.home_unit, role=Role.ENUMERATOR)
