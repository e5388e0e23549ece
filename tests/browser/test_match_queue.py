"""Forms to match in a browser: on a phone and on a desk, in three languages, without a script, by keyboard."""

from datetime import UTC, date, datetime

import pytest

from assessments.models import KoboFormVersion, KoboSubmission, MatchAlias
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from locations.services.aliases import follow_names
from tests.browser.conftest import LANGUAGES, WIDTHS
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, make_submission
from tests.factories.training import EnumeratorFactory

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = {
    "queue": "/admin/assessments/kobosubmission/to-match/",
    "unreadable": "/admin/assessments/kobosubmission/unreadable/",
    "phones": "/admin/assessments/kobosubmission/phones/",
    "settled": "/admin/assessments/matchalias/",
}


@pytest.fixture
def target(village, sub_area, district, enumerator):
    follow_names([village, district])
    target = RoundTargetFactory(unit=village, form_kind=sub_area)
    start = datetime(2022, 11, 20, 5, tzinfo=UTC)
    group = plan_focus_group(target, starts_at=start, ends_at=start.replace(hour=7))
    assign_enumerator(group, enumerator)
    form = KoboFormFactory(round=target.round, form_kind=sub_area, name="Sub-area")
    version = KoboFormVersion.objects.create(form=form, uid="vOld", first_seen_at=start, deployed_at=start)
    KoboFormVersion.objects.create(form=form, uid="vNew", first_seen_at=start, deployed_at=start.replace(day=22))
    rows = [
        {"typed_place": "Zhandossov", "match_problem": "unknown_place"},
        {"typed_place": "ЖАНДОСОВ", "match_problem": "unknown_place"},
        {"typed_focus_group": f"{group.code[:-1]}2", "match_problem": "unknown_code"},
        {"typed_place": district.unit_id, "match_problem": "not_planned", "unit": district},
        {"match_problem": "no_place"},
    ]
    for number, columns in enumerate(rows):
        unit = columns.pop("unit", None)
        answers = {"place": columns.get("typed_place", ""), "code": columns.get("typed_focus_group", ""), "total": "3"}
        one = make_submission(
            target, form=form, kobo_id=12_346 + number, answers=whole(12_346 + number, answers), day=date(2022, 11, 20),
            enumerator=enumerator, submitted_by="e01", **columns,
        )  # fmt: skip
        KoboSubmission.objects.filter(pk=one.pk).update(match_state="unmatched", target=None, unit=unit)
    make_submission(
        target, form=form, kobo_id=12_400, typed_person="Aigerim", submitted_by="tablet-3", day=date(2022, 11, 20),
        focus_group=group,
    )  # fmt: skip
    unread = make_submission(target, form=form, kobo_id=12_401, enumerator=enumerator, is_refused=True)
    unread.current_revision.problems = [{"code": "not_a_number", "path": "people/men", "value": "many"}]
    unread.current_revision.form_version = version
    unread.current_revision.save()
    unread.current_revision.flags.create(
        check_code="clock_wrong", severity="warning", params={"how": "ahead", "minutes": 200}
    )
    MatchAlias.objects.create(round=target.round, kind="place", typed="Jandosov", key="žandosov2", target=target)
    return target


def whole(kobo_id, answers):
    return {
        "_xform_id_string": "a", "__version__": "vOld", "meta/rootUuid": f"uuid:{kobo_id}", "day": "2022-11-20",
        "_submission_time": "2022-11-20T09:00:00", "_submitted_by": "e01", "who": "E01", **answers,
    }  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_and_their_buttons_can_be_hit(visit, target, administrator, page, width, language):
    opened = visit(administrator, language=language).show(PAGES[page], width=width, name=f"{page}_{language}")

    small = [
        box["height"] for one in opened.locator(".queue button, .queue a.button").all() if (box := one.bounding_box())
    ]
    assert [height for height in small if height < 44] == []
    if page == "queue":
        assert opened.locator(".queue .line").count() == 5


def test_suggestion_settles_without_a_script_and_by_keyboard(visit, target, coordinator):
    page = visit(coordinator, script=False).show(PAGES["queue"])
    button = page.locator(".suggestions button").first
    button.focus()
    page.keyboard.press("Enter")

    assert "2 forms were matched" in page.locator(".messagelist").inner_text()
    assert page.locator(".queue .line").count() == 4
    assert (
        MatchAlias.objects.filter(typed__iexact="жандосов").count()
        + MatchAlias.objects.filter(typed="Zhandossov").count()
        == 1
    )


def test_another_is_found_in_any_script(visit, target, coordinator):
    EnumeratorFactory(code="E08", full_name="Bolat Serik", home_unit=target.unit)
    page = visit(coordinator, script=False).show(PAGES["queue"])
    page.locator(".line", has_text="tablet-3").locator("a.another").click()
    page.locator("#q").fill("Болат")
    page.keyboard.press("Enter")
    page.locator(".suggestions button", has_text="E08").click()

    assert MatchAlias.objects.get(kind="person").enumerator.code == "E08"
