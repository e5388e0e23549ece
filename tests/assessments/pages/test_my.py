from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from pytest_httpserver import HTTPServer

from assessments.models import FocusGroupSession, KoboForm, KoboServer, RoundTarget
from assessments.services.focus_groups import cancel_focus_group
from assessments.services.review import return_submission
from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from tests.factories.assessments import RoundTargetFactory, make_submission
from tests.factories.locations import AdminUnitFactory
from tests.factories.training import CorrectiveTaskFactory, EnumeratorFactory, TrainingSessionFactory
from training.models import Certificate, Enumerator
from training.services.enrolment import enrol
from training.services.invitation_mails import invitation_path

PRACTICE = "http://127.0.0.1:8001"
Plan = Callable[..., FocusGroupSession]
SignIn = Callable[[User], Client]


def send_back(target: RoundTarget, person: Enumerator, manager: User, *, text: str = "Men and women exceed the total"):
    submission = make_submission(target, enumerator=person)
    return_submission(submission, reviewer=manager, reason="arithmetic", text=text)
    return submission


@pytest.mark.parametrize("who", ["administrator", "manager", "coordinator", "stranger"])
def test_my_work_for_who_is_no_enumerator_is_not_found(who: str, request, signed_in: SignIn) -> None:
    client = signed_in(request.getfixturevalue(who))

    assert [client.get(path).status_code for path in ("/my/", "/my/forms/K7-4PQX/open/", "/my/returned/1/edit/")] == [
        404,
        404,
        404,
    ]


def test_my_work_asks_who_is_not_logged_in_for_it(client: Client, db: None) -> None:
    assert client.get("/my/").headers["Location"] == "/log-in/?next=/my/"


def test_my_work_without_a_linked_person_says_whom_to_ask(signed_in: SignIn, make_user, region: AdminUnit) -> None:
    response = signed_in(make_user("loose", role="enumerator", unit=region)).get("/my/")

    assert response.status_code == 200
    assert b"not linked with a person of the roster" in response.content


def test_my_work_shows_place_role_and_code(enumerator: Enumerator, plan: Plan, signed_in: SignIn) -> None:
    group = plan(venue="School no. 2")

    page = signed_in(enumerator.user).get("/my/").content.decode()

    wanted = ["Zhandosov", "Karasay, Almaty region", "moderator", "School no. 2", group.code, "2022-Q4", "E01"]
    assert [text for text in wanted if text not in page] == []


def test_my_work_shows_the_clock_of_the_place(
    enumerator: Enumerator, plan: Plan, village: AdminUnit, signed_in: SignIn
) -> None:
    AdminUnit.objects.filter(pk=village.parent.parent.pk).update(time_zone="Asia/Aqtau")
    group = plan()
    FocusGroupSession.objects.filter(pk=group.pk).update(
        starts_at=datetime(2040, 1, 30, 4, 30, tzinfo=UTC), ends_at=datetime(2040, 1, 30, 6, 30, tzinfo=UTC)
    )

    page = signed_in(enumerator.user).get("/my/").content.decode()

    assert "<strong>Monday, 30 January 2040</strong>, 09:30–11:30" in page
    assert "(UTC+5)" in page


def test_my_work_lists_own_focus_groups_alone(
    enumerator: Enumerator, plan: Plan, signed_in: SignIn, manager: User
) -> None:
    coming, over, dateless, called_off = plan(days=1), plan(days=-3), plan(days=None), plan(days=5)
    cancel_focus_group(called_off, by=manager, reason="road closed")
    sent = plan(days=-2)
    make_submission(sent.target, enumerator=enumerator)

    context = signed_in(enumerator.user).get("/my/").context

    assert [group.focus_group for group in context["coming"]] == [coming, dateless]
    assert [group.focus_group for group in context["to_send"]] == [over]


def test_my_work_of_another_person_shows_nothing_of_it(
    enumerator: Enumerator, plan: Plan, form: KoboForm, manager: User, make_user, region: AdminUnit, signed_in: SignIn
) -> None:
    group = plan()
    returned = send_back(group.target, enumerator, manager)
    other = EnumeratorFactory(user=make_user("other", role="enumerator", unit=region))
    client = signed_in(other.user)

    page = client.get("/my/").content.decode()

    assert (group.code in page, "Men and women" in page) == (False, False)
    assert client.get(f"/my/forms/{group.code}/open/").status_code == 404
    assert client.get(f"/my/returned/{returned.kobo_id}/edit/").status_code == 404


def test_my_work_tells_why_a_form_came_back(
    enumerator: Enumerator, target: RoundTarget, manager: User, signed_in: SignIn
) -> None:
    submission = send_back(target, enumerator, manager, text="<b>60</b> men of 50")

    page = signed_in(enumerator.user).get("/my/").content.decode()

    assert "the numbers do not add up" in page
    assert "&lt;b&gt;60&lt;/b&gt; men of 50" in page
    assert str(manager) in page
    assert f'href="/my/returned/{submission.kobo_id}/edit/"' in page
    assert page.index("Returned to you") < page.index("Next focus groups")


def test_my_work_shows_what_was_sent_and_the_certificates(
    enumerator: Enumerator, target: RoundTarget, signed_in: SignIn
) -> None:
    make_submission(target, enumerator=enumerator)
    Certificate.objects.filter(enumerator=enumerator, form_kind=target.form_kind).update(expires_on=date(2023, 11, 11))

    page = signed_in(enumerator.user).get("/my/").content.decode()

    assert '<span class="badge received">received</span>' in page
    assert '<span class="badge bad">expired</span>' in page
    assert '<span class="badge ok">valid</span>' in page


@pytest.mark.parametrize("number", [1, 3])
def test_my_work_asks_as_often_for_one_row_as_for_three(
    number: int,
    enumerator: Enumerator,
    plan: Plan,
    form: KoboForm,
    manager: User,
    signed_in: SignIn,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for days in range(number):
        plan(days=days + 1)
        make_submission(plan(days=-days - 1).target, enumerator=enumerator, form=form)
        send_back(plan(days=-days - 10).target, enumerator, manager)
        CorrectiveTaskFactory(enumerator=enumerator)
    client = signed_in(enumerator.user)
    client.get("/my/")

    with django_assert_num_queries(19):
        client.get("/my/")


def test_my_work_is_light_and_without_script(
    enumerator: Enumerator, plan: Plan, form: KoboForm, manager: User, signed_in: SignIn, settings: Settings
) -> None:
    settings.PRACTICE_KOBO_URL = PRACTICE
    for days in range(6):
        plan(days=days + 1, venue="Акимат сельского округа, второй этаж, малый зал")
        make_submission(plan(days=-days - 1).target, enumerator=enumerator, form=form)
    for days in range(3):
        send_back(plan(days=-days - 10).target, enumerator, manager, text="Сумма мужчин и женщин больше итога. " * 4)
    User.objects.filter(pk=enumerator.user.pk).update(language="kk")

    content = signed_in(User.objects.get(pk=enumerator.user.pk)).get("/my/").content

    assert len(content) < 30_000
    assert b"<script" not in content
    assert b"style=" not in content
    assert b'<html lang="kk">' in content


def test_open_form_leads_to_the_form_with_the_focus_group_chosen(
    enumerator: Enumerator, plan: Plan, form: KoboForm, signed_in: SignIn, settings: Settings
) -> None:
    settings.PRACTICE_KOBO_URL = PRACTICE
    Enumerator.objects.filter(pk=enumerator.pk).update(kobo_username="demo_e01")
    form.mapping = {
        **form.mapping,
        "head": {"focus_group": ["head/fg", "old/fg"], "enumerator": ["head/who"], "round": ["r"], "unit": ["head/v"]},
        "prefill": {"head/has": "yes", "head/region": "@region", "head/district": "@parent"},
    }
    form.save()
    group = plan()

    address = urlsplit(signed_in(enumerator.user).get(f"/my/forms/{group.code}/open/").headers["Location"])

    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{PRACTICE}/x/aPractice"
    assert parse_qs(address.query) == {
        "d[head/has]": ["yes"],
        "d[head/region]": ["190000000"],
        "d[head/district]": ["195200000"],
        "d[head/fg]": [group.code],
        "d[head/who]": ["E01"],
        "d[r]": ["2022-Q4"],
        "d[head/v]": ["195233000"],
        "as": ["demo_e01"],
        "lang": ["en"],
    }


def test_open_form_of_a_real_kobo_is_for_kobocollect(
    enumerator: Enumerator, plan: Plan, form: KoboForm, signed_in: SignIn, settings: Settings
) -> None:
    settings.PRACTICE_KOBO_URL = "http://127.0.0.1:9"
    group = plan()
    client = signed_in(enumerator.user)

    assert client.get(f"/my/forms/{group.code}/open/").status_code == 404
    assert b"in KoboCollect and type the code in" in client.get("/my/").content


def test_edit_returned_leads_to_the_very_form(
    enumerator: Enumerator,
    target: RoundTarget,
    form: KoboForm,
    manager: User,
    signed_in: SignIn,
    httpserver: HTTPServer,
) -> None:
    submission = send_back(target, enumerator, manager)
    KoboServer.objects.update(base_url=httpserver.url_for("").rstrip("/"))
    path = f"/api/v2/assets/{form.asset_uid}/data/{submission.kobo_id}/enketo/edit/"
    httpserver.expect_request(path).respond_with_json({"url": "https://ee.kobo.example/edit/abc"})

    response = signed_in(enumerator.user).get(f"/my/returned/{submission.kobo_id}/edit/")

    assert (response.status_code, response.headers["Location"]) == (302, "https://ee.kobo.example/edit/abc")


def test_edit_returned_refused_by_kobo_says_why_in_words(
    enumerator: Enumerator,
    target: RoundTarget,
    form: KoboForm,
    manager: User,
    signed_in: SignIn,
    httpserver: HTTPServer,
) -> None:
    submission = send_back(target, enumerator, manager)
    KoboServer.objects.update(base_url=httpserver.url_for("").rstrip("/"))
    path = f"/api/v2/assets/{form.asset_uid}/data/{submission.kobo_id}/enketo/edit/"
    httpserver.expect_request(path).respond_with_json({"detail": "Invalid token."}, status=401)

    response = signed_in(enumerator.user).get(f"/my/returned/{submission.kobo_id}/edit/")

    assert response.status_code == 502
    assert b"does not accept the token" in response.content
    assert b'href="/my/"' in response.content


def test_edit_returned_while_kobo_is_down_says_to_try_again(
    enumerator: Enumerator, target: RoundTarget, form: KoboForm, manager: User, signed_in: SignIn
) -> None:
    submission = send_back(target, enumerator, manager)
    KoboServer.objects.update(base_url="http://127.0.0.1:9")

    response = signed_in(enumerator.user).get(f"/my/returned/{submission.kobo_id}/edit/")

    assert response.status_code == 503
    assert b"No connection to 127.0.0.1:9" in response.content
    assert b"Try again" in response.content


def test_edit_of_a_form_that_did_not_come_back_is_not_found(
    enumerator: Enumerator, target: RoundTarget, signed_in: SignIn
) -> None:
    submission = make_submission(target, enumerator=enumerator)

    assert signed_in(enumerator.user).get(f"/my/returned/{submission.kobo_id}/edit/").status_code == 404


def test_sent_forms_come_ten_a_page(enumerator: Enumerator, target: RoundTarget, signed_in: SignIn) -> None:
    for _number in range(12):
        unit = AdminUnitFactory(parent=target.unit.parent)
        make_submission(
            RoundTargetFactory(round=target.round, unit=unit, form_kind=target.form_kind), enumerator=enumerator
        )
    client = signed_in(enumerator.user)

    pages = [client.get("/my/").context["sent"], client.get("/my/?page=2").context["sent"]]

    assert [[form.submission.kobo_id for form in page] for page in pages] == [[*range(12, 2, -1)], [2, 1]]


def test_my_work_leads_to_the_trainings_to_come(enumerator: Enumerator, signed_in: SignIn) -> None:
    today = timezone.localdate()
    for title, days in (("Long over", -30), ("Still to come", 9)):
        training = TrainingSessionFactory(title=title)
        training.half_days.create(day=today + timedelta(days=days), part="am")
        enrol(training, [enumerator])

    page = signed_in(enumerator.user).get("/my/").content.decode()

    assert ("Long over" in page, "Still to come" in page) == (False, True)
    assert f'href="{invitation_path(enumerator.enrolments.latest("pk"))}"' in page
