"""A person's page, the leave wizard and the list of possible duplicates in a browser, on a phone and on a laptop."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from assessments.services.review import return_submission
from dtm_ops.records.models import Receipt
from tests.browser.conftest import LANGUAGES, WIDTHS
from tests.factories.assessments import RoundTargetFactory
from tests.factories.training import CertificateFactory, EnumeratorFactory, TeamFactory, TrainingSessionFactory
from tests.world import make_world
from training.models import Enumerator, TrainingHalfDay
from training.services.absences import note_absence
from training.services.corrective import raise_task
from training.services.enrolment import enrol
from training.services.teams import join_team

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy(village, district, enumerator, sub_area, region, coordinator):
    """Somebody with future work, an absence, a team to lead and open tasks, and a colleague who could take over."""
    Enumerator.objects.filter(pk=enumerator.pk).update(
        kobo_username="demo_e01", phone="+77010000001", email="aigerim@example.org", organisation="Demo centre",
        other_names=["Айгерім Демо"], has_vehicle=True,
    )  # fmt: skip
    enumerator.refresh_from_db()
    today = timezone.localdate()
    at = timezone.now() + timedelta(days=3)
    world = make_world(village, enumerator, kind=sub_area)
    return_submission(
        world.submission, reviewer=coordinator, reason="arithmetic", text="Men and women exceed the total."
    )
    target = RoundTargetFactory(round=world.round, unit=district, form_kind=sub_area)
    for starts in (at, at + timedelta(days=2)):
        group = plan_focus_group(target, starts_at=starts, ends_at=starts + timedelta(hours=2), venue="School")
        assign_enumerator(group, enumerator)
    join_team(TeamFactory(name="Almaty team", unit=region), enumerator, valid_from=date(2023, 1, 1), is_lead=True)
    for what in ("How to fill the repeats", "How to ask for consent"):
        raise_task(enumerator, what=what, reason="Left empty in two forms", due_on=today, by=coordinator)
    training = TrainingSessionFactory(title="Refresher")
    TrainingHalfDay.objects.create(training_session=training, day=today + timedelta(days=5), part="am")
    enrol(training, [enumerator])
    note_absence(enumerator, first_day=today, last_day=today + timedelta(days=6), note="Family")
    colleague = EnumeratorFactory(code="E02", full_name="Botagoz Demo", home_unit=village)
    CertificateFactory(enumerator=colleague, form_kind=sub_area)
    EnumeratorFactory(code="E31", full_name="Айгерим Демо", home_unit=village, phone="+77010000001")
    return enumerator


@pytest.mark.parametrize("width", WIDTHS)
def test_person_leaves_by_the_wizard_without_script(visit, coordinator, busy, width):
    seen = visit(coordinator, script=False)

    page = seen.show(f"/admin/training/enumerator/{busy.pk}/do/leave/", width=width, name="leave")
    page.get_by_label("Reason").fill("New job")
    page.get_by_label("Who takes over").select_option(label="Botagoz Demo (E02)")
    page.get_by_role("button", name="Check what becomes of it").click()
    assert page.get_by_text("goes over to Botagoz Demo (E02)").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    seen._keep_picture("leave_checked", width)
    page.get_by_role("button", name="Let go").click()

    receipt = Receipt.objects.get()
    assert page.url.endswith(f"/people/E01/receipts/{receipt.pk}/")
    assert page.locator(".receipt li").count() == len(receipt.lines)
    seen.show(f"/people/E01/receipts/{receipt.pk}/", width=width, name="leave_receipt")
    assert Enumerator.objects.get(pk=busy.pk).status == "left"


@pytest.mark.parametrize("width", WIDTHS)
def test_successor_who_does_not_fit_is_told_beside_the_row(visit, coordinator, busy, village, width):
    EnumeratorFactory(code="E03", full_name="Green Demo", home_unit=village)
    seen = visit(coordinator)

    page = seen.show(f"/admin/training/enumerator/{busy.pk}/do/leave/", width=width, name="leave_empty")
    page.get_by_label("Reason").fill("New job")
    page.get_by_label("Who takes over").select_option(label="Green Demo (E03)")
    page.get_by_role("button", name="Check what becomes of it").click()

    page.get_by_text("holds no certificate").first.wait_for()
    assert page.get_by_text("holds no certificate").count() == 2
    seen._keep_picture("leave_errors", width)
    assert (page.get_by_label("Reason").input_value(), Receipt.objects.count()) == ("New job", 0)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_of_people_fit_the_window(visit, coordinator, busy, width, language):
    seen = visit(coordinator, language=language)
    pages = {
        "person": "/people/E01/",
        "duplicates": "/admin/training/enumerator/duplicates/",
        "roster": "/admin/training/enumerator/",
        "person_desk": f"/admin/training/enumerator/{busy.pk}/change/",
        "set_aside": f"/admin/training/enumerator/{busy.pk}/do/set_aside/",
        "merge": f"/admin/training/enumerator/{busy.pk}/do/merge/",
        "teams": "/admin/training/team/",
        "team": f"/admin/training/team/{busy.memberships.get().team_id}/change/",
        "absences": "/admin/training/absence/",
    }
    for name, path in pages.items():
        page = seen.show(path, width=width, name=f"{name}_{language}")
        assert page.locator("h1").count() == 1
