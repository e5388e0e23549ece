"""The source report's training, 10-11 November 2022, through the pages alone: from the course to twenty people with
certificates, one of them revoked, all of them expired a year later.
"""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from types import SimpleNamespace

import pytest
from django.core import mail
from django.test import Client
from openpyxl import load_workbook

from assessments.demo.cast import TWO
from assessments.demo.figures import REGION_TOTALS
from dtm_ops.records.tasks import send_notices
from tests.factories.locations import AdminUnitFactory
from tests.factories.training import EnumeratorFactory
from training.models import Attendance, Certificate, Course, Enumerator, FormKind, TestAttempt, TrainingSession
from training.selectors import certified_enumerators
from training.services.courses import load_courses

pytestmark = pytest.mark.django_db

FIRST = datetime(2022, 11, 10, 4, tzinfo=UTC)  # 10:00 in Almaty: the first half-day began at 9:00
DESK = "/admin/training/trainingsession/"
CODES = [f"E{number:02}" for number in range(1, 21)]
LATE = "E21"
EXPIRY = date(2023, 11, 11)


@pytest.fixture
def people(country):
    """Twenty of fourteen regions, as in the source report, and one who asks when all seats are taken."""
    regions = {code: AdminUnitFactory(code=code, parent=country) for code in REGION_TOTALS}
    homes = [regions[code] for code in REGION_TOTALS for _unused in range(2 if code in TWO else 1)]
    return [
        EnumeratorFactory(
            code=code,
            home_unit=home,
            email=f"{code.lower()}@example.org",
            phone=f"+770000000{code[1:]}",
            languages=[("kk", "ru", "en")[number % 3]],
        )
        for number, (code, home) in enumerate(zip([*CODES, LATE], [*homes, homes[0]], strict=True))
    ]


@pytest.fixture
def chain(country, vocabulary, people, make_user, time_machine):
    """The desk's browser, one of nobody, and the clock. The mission's course has two tests."""
    load_courses()
    Course.objects.filter(code="baseline-two-days").update(theory_pass_mark=70, practical_pass_mark=60)
    head = make_user("head", role="coordinator", unit=country)
    desk = Client()

    def move_to(moment):
        time_machine.move_to(moment)
        desk.force_login(head)

    return SimpleNamespace(desk=desk, anybody=Client(), move_to=move_to, people={one.code: one for one in people})


def test_twenty_people_are_certified_through_the_pages_and_certificates_end(chain):
    training = open_from_the_course(chain)
    everybody_answers(chain, training)
    attend_four_half_days(chain, training)
    sit_the_tests(chain, training)
    certificates_are_given(chain, training)
    one_is_revoked(chain)
    the_others_expire(chain)


def open_from_the_course(chain):
    chain.move_to(FIRST - timedelta(days=9))
    course = Course.objects.get(code="baseline-two-days")
    asked = {"code": "2022-11", "title": "", "language": "ru", "first_day": "2022-11-10", "seats": 20}
    asked |= {"link": "https://meet.example.org/dtm", "trainer": "Demo Trainer"}
    press(chain, f"/admin/training/course/{course.pk}/", "open", **asked, people=[chain.people["E01"].pk])
    training = TrainingSession.objects.get()
    half_days = [(one.day.day, one.part, one.blocks.count()) for one in training.half_days.all()]
    assert half_days == [(10, "am", 2), (10, "pm", 2), (11, "am", 1), (11, "pm", 1)]
    assert (training.theory_pass_mark, training.practical_pass_mark, training.trained_forms.count()) == (70, 60, 2)

    press(chain, f"{DESK}{training.pk}/", "enrol", people=[chain.people[code].pk for code in CODES[1:]])
    assert statuses(training) == {"enrolled": 20}
    return training


def everybody_answers(chain, training):
    """One declines and thinks again; who is enrolled after the last seat waits, and cannot accept."""
    press(chain, f"{DESK}{training.pk}/", "invite")
    assert (send_notices(), statuses(training)) == (20, {"invited": 20})
    links = links_of_letters()
    assert sorted(links) == CODES

    answer(chain, links["E05"], "decline", note="Отпуск")
    assert statuses(training) == {"invited": 19, "declined": 1}
    for code in CODES:
        assert chain.anybody.get(links[code]).status_code == 200
        answer(chain, links[code], "accept")
    assert statuses(training) == {"accepted": 20}

    press(chain, f"{DESK}{training.pk}/", "enrol", people=[chain.people[LATE].pk])
    press(chain, f"{DESK}{training.pk}/", "invite")
    assert send_notices() == 1
    link = links_of_letters()[LATE]
    assert "All seats are taken" in chain.anybody.post(link, {"answer": "accept"}).content.decode()
    assert statuses(training) == {"accepted": 20, "waiting": 1}


def attend_four_half_days(chain, training):
    halves = list(training.half_days.all())
    confirm_by_link(chain, halves[0])
    mark_on_the_phone(chain, halves[1])
    tick_on_the_desk(chain, training, halves[2])
    fill_the_sheet(chain, training, halves[3])

    recorded = Counter(Attendance.objects.values_list("half_day", "how", "state"))
    assert recorded == {
        (halves[0].pk, "link", "late"): 20,
        (halves[1].pk, "desk", "present"): 19,
        (halves[1].pk, "desk", "late"): 1,
        (halves[2].pk, "desk", "present"): 20,
        (halves[3].pk, "sheet", "present"): 19,
        (halves[3].pk, "sheet", "late"): 1,
    }
    reasons = Attendance.objects.exclude(reason="").values_list("enrolment__enumerator__code", "reason")
    assert sorted(reasons) == [("E02", "снег"), ("E07", "bus")]
    assert not Attendance.objects.filter(enrolment__enumerator__code=LATE).exists()


def confirm_by_link(chain, half_day):
    """An hour after the beginning: late, as the page says. The trainer's screen shows the link as a QR code."""
    chain.move_to(FIRST)
    shown = chain.desk.get("/training/2022-11/attendance/").context
    assert (shown["half_day"], "<svg" in shown["qr"]) == (half_day, True)
    link = path_of(shown["here"])
    chain.anybody.post(link, {"code": LATE, "last_digits": "0021"})
    for code in CODES:
        page = chain.anybody.post(link, {"code": code, "last_digits": f"00{code[1:]}"})
        assert page.context["recorded"].state == "late"


def mark_on_the_phone(chain, half_day):
    """One by one where there is something to say; the rest with one button."""
    chain.move_to(half_day.opens_at + timedelta(minutes=20))
    page = "/training/2022-11/attendance/"
    late = half_day.training_session.enrolments.get(enumerator__code="E07")
    chain.desk.post(page, {"enrolment": late.pk, "state": "late", "reason": "bus"})
    chain.desk.post(page, {"rest": "present"})


def tick_on_the_desk(chain, training, half_day):
    chain.move_to(half_day.closes_at)
    rows = training.enrolments.filter(status="accepted")
    cells = {f"state-{row.pk}-{half_day.pk}": "present" for row in rows}
    chain.desk.post(f"{DESK}{training.pk}/attendance/", cells)


def fill_the_sheet(chain, training, half_day):
    """The sheet is downloaded, filled in in a spreadsheet, checked and imported. An unknown letter imports nothing."""
    chain.move_to(half_day.closes_at + timedelta(hours=1))
    address = f"{DESK}{training.pk}/attendance/"
    book = load_workbook(BytesIO(chain.desk.get(f"{address}sheet.xlsx").content))
    column = [cell.value for cell in book.active[1]].index("2022-11-11 pm") + 1
    for row in book.active.iter_rows(min_row=2):
        row[column - 1].value = "о: снег" if row[0].value == "E02" else "П"
    assert [row[0].value for row in book.active.iter_rows(min_row=2)] == CODES

    book.active.cell(row=3, column=column).value = "?"
    faulty = chain.desk.post(f"{address}import/", {"file": file_of(book)}).context
    assert ([fault[0] for fault in faulty["reading"].faults], faulty["checked"]) == ([3], "")
    assert not Attendance.objects.filter(half_day=half_day).exists()

    book.active.cell(row=3, column=column).value = "о: снег"
    checked = chain.desk.post(f"{address}import/", {"file": file_of(book)}).context
    assert (checked["reading"].faults, len(checked["reading"].marks)) == ([], 20)
    chain.desk.post(f"{address}import/", {"checked": checked["checked"]})


def sit_the_tests(chain, training):
    """Nobody is certified before; one person passes theory at the second attempt."""
    address = f"{DESK}{training.pk}/"
    press(chain, address, "certify", issued_on="2022-11-11", expires_on="")
    assert not Certificate.objects.exists()

    seats = {row.enumerator.code: row for row in training.enrolments.filter(status="accepted")}
    head = {"taken_on": "2022-11-11", "examiner": "Demo Trainer", "out_of_theory": "50", "out_of_practical": "100"}
    typed = {}
    for code, seat in seats.items():
        points = {"theory": "34,5" if code == "E11" else "35", "practical": "60"}
        for part, reached in points.items():
            typed |= {f"points-{seat.pk}-{part}": reached, f"points-{seat.pk}-{part}-number": "1"}
    chain.desk.post(f"{address}scores/", head | typed)
    again = f"points-{seats['E11'].pk}-theory"
    chain.desk.post(f"{address}scores/", {**head, again: "48", f"{again}-number": "2"})

    attempts = TestAttempt.objects.filter(enumerator__code="E11").order_by("part", "number")
    assert list(attempts.values_list("part", "number", "passed", "pass_mark")) == [
        ("practical", 1, True, 60), ("theory", 1, False, 70), ("theory", 2, True, 70),
    ]  # fmt: skip
    assert (TestAttempt.objects.count(), TestAttempt.objects.filter(passed=False).count()) == (41, 1)


def certificates_are_given(chain, training):
    """Pressed twice, given once. Exactly twenty for each of the two forms, for the twelve months of the course."""
    for _unused in range(2):
        press(chain, f"{DESK}{training.pk}/", "certify", issued_on="2022-11-11", expires_on="")
    given = Counter(Certificate.objects.values_list("form_kind__code", "major_version", "issued_on", "expires_on"))
    dates = (date(2022, 11, 11), EXPIRY)
    assert given == {("baseline_area", 1, *dates): 20, ("baseline_sub_area", 1, *dates): 20}
    for kind in FormKind.objects.filter(code__startswith="baseline"):
        assert certified(kind, date(2022, 11, 10)) == []
        assert certified(kind, date(2022, 11, 11)) == CODES
    homes = Enumerator.objects.filter(certificates__isnull=False).values("home_unit").distinct()
    assert homes.count() == 14

    for path in (f"certificates/{certificate_of('E05').serial}.pdf", "2022-11/certificates.pdf", "2022-11/sheet.pdf"):
        paper = chain.desk.get(f"/training/{path}")
        assert (paper.status_code, paper.headers["Content-Type"], paper.content[:5]) == (
            200,
            "application/pdf",
            b"%PDF-",
        )


def one_is_revoked(chain):
    """What the public page says of it; the person's other certificate and other people's hold."""
    chain.move_to(datetime(2023, 3, 1, 6, tzinfo=UTC))
    revoked, kind = certificate_of("E05"), FormKind.objects.get(code="baseline_sub_area")
    assert verdict(chain, revoked) == ("valid", EXPIRY, "Valid")
    asked = {"on": "2023-03-01", "reason": "Copied answers of another village"}
    press(chain, f"/admin/training/certificate/{revoked.pk}/", "revoke", **asked)

    assert verdict(chain, revoked) == ("revoked", date(2023, 3, 1), "Revoked")
    assert "Copied answers" not in chain.anybody.get(f"/verify/{revoked.serial}/").content.decode()
    assert verdict(chain, certificate_of("E05", "baseline_area")) == ("valid", EXPIRY, "Valid")
    others = [code for code in CODES if code != "E05"]
    assert (certified(kind, date(2023, 2, 28)), certified(kind, date(2023, 3, 1))) == (CODES, others)


def the_others_expire(chain):
    """The last day is a good one in full, as the clock of the mission goes."""
    kind = FormKind.objects.get(code="baseline_sub_area")
    others = [code for code in CODES if code != "E05"]
    assert [certified(kind, EXPIRY + timedelta(days=days)) for days in (-1, 0, 1)] == [others, others, []]
    chain.move_to(datetime(2023, 11, 11, 17, 30, tzinfo=UTC))
    assert verdict(chain, certificate_of("E01")) == ("valid", EXPIRY, "Valid")
    chain.move_to(datetime(2023, 11, 12, 6, tzinfo=UTC))
    assert verdict(chain, certificate_of("E01")) == ("expired", EXPIRY, "Not valid any more")


def press(chain, address, verb, **asked):
    """A button of the desk, with its question answered."""
    answer = chain.desk.post(f"{address}do/{verb}/", {"confirmed": "1", **asked})
    assert answer.status_code == 302, answer.context["form"].errors


def statuses(training):
    return Counter(training.enrolments.values_list("status", flat=True))


def links_of_letters():
    """The path of each letter by the person; the box is emptied."""
    found = {one.to[0][:3].upper(): re.search(r"http\S+/training/invitation/\S+/", one.body)[0] for one in mail.outbox}
    mail.outbox.clear()
    return {code: path_of(link) for code, link in found.items()}


def path_of(link):
    return "/" + link.split("/", 3)[3]


def answer(chain, link, word, **more):
    assert chain.anybody.post(link, {"answer": word, **more}).status_code == 302


def file_of(book):
    file = BytesIO()
    book.save(file)
    file.seek(0)
    file.name = "attendance.xlsx"
    return file


def certified(kind, day):
    return list(certified_enumerators(kind, 1, day).order_by("code").values_list("code", flat=True))


def certificate_of(code, kind="baseline_sub_area"):
    return Certificate.objects.get(enumerator__code=code, form_kind__code=kind)


def verdict(chain, certificate):
    """As anybody reads it: the verdict, its day, and the strong word on the page."""
    page = chain.anybody.get(f"/verify/{certificate.serial}/")
    word = re.search(r'<p class="notice \w+"><strong>([^<]+)</strong>', page.content.decode())[1]
    found = page.context["verdict"]
    assert (found.serial, found.name) == (certificate.serial, certificate.enumerator.full_name)
    return (found.validity, found.day, word)
