from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from assessments.enums import ReviewStatus
from assessments.models import FocusGroupSession, KoboForm, KoboSubmission, RoundTarget, SyncRun
from assessments.services.review import approve_submission, return_submission
from dtm_ops.accounts.models import User
from locations.models import AdminUnit, UnitScope
from tests.factories.assessments import (
    AssessmentRoundFactory,
    KoboFormFactory,
    RoundTargetFactory,
    add_revision,
    make_submission,
)
from training.models import Enumerator, FormKind

SignIn = Callable[[User], Client]


@pytest.fixture
def work(
    target: RoundTarget, form: KoboForm, plan: Callable[..., FocusGroupSession], manager: User, other_village: AdminUnit
) -> None:
    """Of Almaty region: one form received, one returned, one unreadable; of Mangystau: one received, unmatched. None
    names a person.
    """
    make_submission(target, form=form)
    make_submission(target, form=form, is_refused=True)
    make_submission(target, form=form, is_trial=True)
    return_submission(make_submission(target, form=form), reviewer=manager, reason="place", text="Look again")
    other = RoundTargetFactory(round=target.round, unit=other_village, form_kind=target.form_kind)
    lost = make_submission(other, form=form)
    KoboSubmission.objects.filter(pk=lost.pk).update(target=None, match_state="unmatched")
    plan(days=-3)
    plan(days=3)
    plan(days=20)
    plan(days=None)


def tiles(client: Client) -> dict[str, int]:
    context = client.get("/").context
    return {str(tile.label): tile.count for tile in [*context["forms"], *context["focus_groups"]]}


def test_home_of_a_coordinator_counts_the_own_region(work: None, coordinator: User, signed_in: SignIn) -> None:
    assert tiles(signed_in(coordinator)) == {
        "Forms to review": 1,
        "Changed after approval": 0,
        "Returned, not corrected yet": 1,
        "Forms to match": 2,
        "Forms that cannot be read": 1,
        "Overdue focus groups": 1,
        "Focus groups in the next seven days": 1,
        "Focus groups without a date": 1,
    }


def test_home_of_a_manager_counts_all_and_the_final_approval(work: None, manager: User, signed_in: SignIn) -> None:
    first = KoboSubmission.objects.filter(review_status=ReviewStatus.RECEIVED).counted().earliest("pk")
    KoboSubmission.objects.filter(pk=first.pk).update(review_status="approved_first")

    assert tiles(signed_in(manager)) == {
        "Forms to review": 1,
        "Waiting for the final approval": 1,
        "Changed after approval": 0,
        "Returned, not corrected yet": 1,
        "Forms to match": 3,
        "Forms that cannot be read": 1,
        "Overdue focus groups": 1,
        "Focus groups in the next seven days": 1,
    }


def test_home_of_an_administrator_leads_to_connections_and_rights(
    work: None, administrator: User, signed_in: SignIn
) -> None:
    client = signed_in(administrator)

    page = client.get("/").content.decode()

    assert "Forms to review" not in tiles(client)
    wanted = ["/admin/assessments/koboform/", "/admin/locations/unitscope/", "/admin/accounts/user/"]
    assert [address for address in wanted if f'href="{address}"' not in page] == []


def test_home_links_lead_to_pages_that_list_as_many_rows(
    work: None, coordinator: User, target: RoundTarget, signed_in: SignIn
) -> None:
    approved = approve_submission(make_submission(target), reviewer=coordinator)
    add_revision(KoboSubmission.objects.get(pk=approved.subject_id), {"total": "11"})
    client = signed_in(coordinator)
    context = client.get("/").context

    listed = {}
    for tile in [*context["forms"], *context["focus_groups"]]:
        response = client.get(tile.address)
        assert response.status_code == 200, tile.address
        listed[tile.label] = response.context["waiting" if "waiting" in response.context else "cl"]

    listed = {label: getattr(found, "result_count", found) for label, found in listed.items()}
    assert listed == {tile.label: tile.count for tile in [*context["forms"], *context["focus_groups"]]}
    in_lists = [tile for tile in context["forms"] if tile.address.endswith("kobosubmission/") or "?" in tile.address]
    assert all(parse_qsl(urlsplit(tile.address).query) for tile in in_lists)


def test_home_shows_open_rounds_and_the_last_closed_one(
    work: None, manager: User, target: RoundTarget, signed_in: SignIn
) -> None:
    AssessmentRoundFactory(code="2022-Q3", status="closed")
    AssessmentRoundFactory(code="2023-Q1", status="planned")

    rounds = signed_in(manager).get("/").context["rounds"]

    assert [(one.round.code, one.planned, one.covered, one.in_review) for one in rounds] == [
        ("2022-Q4", 5, 0, 1),
        ("2022-Q3", 0, 0, 0),
    ]


def test_home_tells_how_the_last_run_of_each_form_ended(
    form: KoboForm, manager: User, current_round, area: FormKind, signed_in: SignIn
) -> None:
    KoboFormFactory(round=current_round, form_kind=area, name="Never run")
    now = timezone.now()
    for new in (1, 2):
        SyncRun.objects.create(
            form=form, trigger="beat", started_at=now, finished_at=now, outcome="closed", new=new, at_kobo=new, here=new
        )

    lines = signed_in(manager).get("/").context["syncs"]

    assert {(line.sync.form.name, line.says) for line in lines} == {
        ("A form", "2 new forms."),
        ("Never run", ""),
    }


def test_home_of_an_enumerator_is_the_own_page(enumerator: Enumerator, signed_in: SignIn) -> None:
    assert signed_in(enumerator.user).get("/").headers["Location"] == "/my/"


def test_home_of_somebody_with_two_roles_shows_both(
    enumerator: Enumerator, region: AdminUnit, signed_in: SignIn
) -> None:
    UnitScope.objects.create(user=enumerator.user, unit=region, role="coordinator")

    response = signed_in(User.objects.get(pk=enumerator.user.pk)).get("/")

    assert response.status_code == 200
    assert b"My focus groups and forms" in response.content
    assert b"Forms to review" in response.content


def test_home_without_a_role_says_whom_to_ask(stranger: User, signed_in: SignIn, settings: Settings) -> None:
    settings.SUPPORT_CONTACT = "help@mission.example"

    page = signed_in(stranger).get("/").content.decode()

    assert "nobody has given it a role yet" in page
    assert "help@mission.example" in page
    assert "/admin/" not in page


def test_home_asks_who_is_not_logged_in_for_it(client: Client, db: None) -> None:
    assert client.get("/").headers["Location"] == "/log-in/?next=/"


@pytest.mark.parametrize("number", [1, 3])
def test_home_asks_as_often_for_one_row_as_for_three(
    number: int,
    manager: User,
    plan: Callable[..., FocusGroupSession],
    sub_area: FormKind,
    signed_in: SignIn,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for count in range(number):
        target = plan(days=count + 1).target
        make_submission(target)
        opened = AssessmentRoundFactory(code=f"R{count}")
        form = KoboFormFactory(round=opened, form_kind=sub_area)
        SyncRun.objects.create(form=form, trigger="beat", started_at=timezone.now())
    client = signed_in(manager)
    client.get("/")

    with django_assert_num_queries(10):
        client.get("/")


MENUS = {
    "administrator": ["Home", "Coverage", "Report", "Desk", "API"],
    "manager": ["Home", "Coverage", "Report", "Desk", "API"],
    "coordinator": ["Home", "Coverage", "Report", "Desk", "API"],
    "stranger": ["Home"],
}


@pytest.mark.parametrize("who", MENUS)
def test_menu_names_what_the_role_may_open(who: str, request, signed_in: SignIn) -> None:
    response = signed_in(request.getfixturevalue(who)).get("/")

    assert [link.label for link in response.context["frame"].links] == MENUS[who]


def test_menu_of_an_enumerator_is_the_own_work(enumerator: Enumerator, signed_in: SignIn) -> None:
    response = signed_in(enumerator.user).get("/my/")

    assert [(link.label, link.is_current) for link in response.context["frame"].links] == [("My work", True)]


@pytest.mark.parametrize("who", ["administrator", "manager", "coordinator"])
def test_menu_leads_to_pages_that_open(who: str, request, current_round, signed_in: SignIn) -> None:
    client = signed_in(request.getfixturevalue(who))

    links = client.get("/").context["frame"].links

    assert {link.label: client.get(link.address, follow=True).status_code for link in links} == {
        link.label: 200 for link in links
    }


@pytest.mark.parametrize("who", ["administrator", "manager", "coordinator"])
def test_home_leads_to_the_form_whose_sync_needs_somebody(
    who: str, form: KoboForm, current_round, area: FormKind, request, signed_in: SignIn
) -> None:
    well = KoboFormFactory(round=current_round, form_kind=area, name="Well")
    now = timezone.now()
    for one, outcome in ((well, "closed"), (form, "red")):
        SyncRun.objects.create(form=one, trigger="beat", started_at=now, finished_at=now, outcome=outcome)
    client = signed_in(request.getfixturevalue(who))

    context = client.get("/").context

    assert (context["alert"].count, context["alert"].since) == (1, now)
    assert [line.sync.form.name for line in context["syncs"]] == ["A form", "Well"]
    assert client.get(context["alert"].address).context["original"] == form


def test_home_is_calm_where_every_sync_is_well(form: KoboForm, manager: User, signed_in: SignIn) -> None:
    now = timezone.now()
    SyncRun.objects.create(form=form, trigger="beat", started_at=now, finished_at=now, outcome="closed")

    assert signed_in(manager).get("/").context["alert"] is None
