"""The list of focus groups on phones: written from the plan, replaced only when it changed, whole after any break."""

import csv
import hashlib
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
import requests
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assessments.kobo.client import KoboClient
from assessments.kobo.connection import KoboConnection
from assessments.kobo.forms import read_mapping
from assessments.kobo.mapping import load_mapping, read_head
from assessments.models import AssignmentList
from assessments.services.assignment_lists import find_due_forms, publish_assignment_list, write_list
from assessments.services.assignments import assign_enumerator, withdraw_assignment
from assessments.services.focus_groups import cancel_focus_group, move_focus_group, plan_focus_group
from assessments.services.kobo_deployment import deploy_form
from assessments.tasks import publish_due_lists, publish_form_list
from tests.concurrently import at_once
from tests.factories.assessments import AssessmentRoundFactory, KoboFormFactory, KoboServerFactory, RoundTargetFactory
from tests.factories.training import CertificateFactory, EnumeratorFactory
from tests.practice import client_of

pytestmark = pytest.mark.django_db

PROJECT = "aWithList00000000000"
FILE = "focus_groups.csv"
CONTENT = {
    "survey": [
        {"type": "text", "name": "who", "$xpath": "who"},
        {"type": "select_one_from_file", "file": FILE, "name": "meeting", "$xpath": "meeting"},
    ]
}
# 4 December in UTC, 5 December where the focus group meets.
NIGHT = datetime(2022, 12, 4, 22, 30, tzinfo=UTC)


@pytest.fixture
def form(kobo, kobo_url, target):
    token = kobo.create_user("iom")
    kobo.create_asset(PROJECT, "Village", "iom", CONTENT)
    server = KoboServerFactory(base_url=kobo_url, token=token, username="iom")
    return KoboFormFactory(server=server, asset_uid=PROJECT, round=target.round, form_kind=target.form_kind)


@pytest.fixture
def group(target, enumerator, village, region):
    region.time_zone = "Asia/Almaty"
    region.save()
    village.names = {"en": "Zhandosov", "ru": "Жандосов", "kk": "Жандосов"}
    village.save()
    group = plan_focus_group(target, starts_at=NIGHT, ends_at=NIGHT + timedelta(hours=2))
    assign_enumerator(group, enumerator)
    return group


def publish(form):
    with client_of(form) as client:
        return publish_assignment_list(form, client)


def lines_of(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


def call(kobo_form, method, path="", **options):
    with client_of(kobo_form) as client:
        expected = (200, 201, 204)
        address = f"/api/v2/assets/{PROJECT}/{path}"
        return client.connection.send_object(method, address, expected=expected, **options)


def at_kobo(form):
    """The files of the project: content, and whether phones can get it. Without a file: []."""
    deployed = call(form, "GET")["date_deployed"]
    found = []
    for file in call(form, "GET", "files/")["results"]:
        with (
            client_of(form) as client,
            client.connection.open_file(f"/api/v2/assets/{PROJECT}/files/{file['uid']}/content/") as answer,
        ):
            found.append((file["metadata"]["filename"], answer.content, file["date_created"] <= deployed))
    return found


@pytest.fixture
def sent(monkeypatch):
    """Requests, as "METHOD last-part"; reading is told by how many."""
    calls = []
    real = KoboConnection.send_object

    def note(self, method, path, **options):
        calls.append(f"{method} {path.rstrip('/').rpartition('/')[2]}")
        return real(self, method, path, **options)

    monkeypatch.setattr(KoboConnection, "send_object", note)
    return calls


def changing(calls):
    return [one.partition(" ")[0] for one in calls if not one.startswith("GET")]


# --- what stands in it


def test_line_names_the_meeting_the_person_and_the_place_on_the_day_there(form, group, enumerator, village):
    content, lines = write_list(form)

    assert (lines, lines_of(content)[1:]) == (
        1,
        [
            {
                "name": group.code,
                "label": f"2022-12-05 · Жандосов / Zhandosov · {group.code}",
                "person": "E01",
                "person_name": "Aigerim Demo",
                "place": village.unit_id,
                "place_en": "Zhandosov",
                "place_ru": "Жандосов",
                "place_kk": "Жандосов",
                "date": "2022-12-05",
            }
        ],
    )


def test_list_has_who_is_in_planned_focus_groups_of_this_round_and_kind(
    form, group, target, village, sub_area, manager
):
    second = EnumeratorFactory(code="E02", home_unit=village)
    CertificateFactory(enumerator=second, form_kind=sub_area)
    assign_enumerator(group, second)
    left = assign_enumerator(plan_focus_group(target), second)
    withdraw_assignment(left)
    cancelled = plan_focus_group(target)
    assign_enumerator(cancelled, second)
    cancel_focus_group(cancelled, reason="Snow", by=manager)
    undated = plan_focus_group(target)
    assign_enumerator(undated, second)
    elsewhere = RoundTargetFactory(round=AssessmentRoundFactory(code="2023-Q1"), unit=village, form_kind=sub_area)
    assign_enumerator(plan_focus_group(elsewhere), second)

    rows = lines_of(write_list(form)[0])[1:]

    assert [(row["name"], row["person"], row["date"]) for row in rows] == [
        (group.code, "E01", "2022-12-05"),
        (group.code, "E02", "2022-12-05"),
        (undated.code, "E02", ""),
    ]


def test_list_without_focus_groups_has_one_line_that_nobody_is_offered(form):
    content, lines = write_list(form)

    assert (lines, [(row["name"], row["person"]) for row in lines_of(content)]) == (0, [("none", "-")])


def test_list_takes_the_same_queries_for_one_line_and_for_many(form, group, target, village, sub_area):
    def count():
        with CaptureQueriesContext(
            connection,
        ) as queries:
            write_list(form)
        return len(queries)

    before = count()
    for number in range(3):
        person = EnumeratorFactory(code=f"E1{number}", home_unit=village)
        CertificateFactory(enumerator=person, form_kind=sub_area)
        assign_enumerator(plan_focus_group(target), person)

    assert count() == before


# --- how it gets there


def test_first_list_reaches_phones_and_is_read_back(form, group):
    known = publish(form)

    content, lines = write_list(form)
    assert at_kobo(form) == [(FILE, content, True)]
    assert (known.md5, known.lines, known.error_code) == (hashlib.md5(content).hexdigest(), lines, "")  # noqa: S324
    assert known.published_at is not None
    assert AssignmentList.objects.get() == known


def test_same_list_again_changes_nothing_at_kobo(form, group, sent):
    first = publish(form)
    sent.clear()

    again = publish(form)

    assert changing(sent) == []
    assert len(sent) == 2
    assert (again.md5, again.published_at) == (first.md5, first.published_at)
    assert again.checked_at > first.checked_at


def test_changed_plan_replaces_the_file_and_deploys_no_new_version(form, group, sent):
    publish(form)
    version = call(form, "GET")["deployed_version_id"]
    move_focus_group(group, starts_at=NIGHT + timedelta(days=3), ends_at=NIGHT + timedelta(days=3, hours=2))
    sent.clear()

    known = publish(form)

    assert changing(sent) == ["DELETE", "POST", "PATCH"]
    assert at_kobo(form) == [(FILE, write_list(form)[0], True)]
    assert lines_of(at_kobo(form)[0][1])[1]["date"] == "2022-12-08"
    assert (known.lines, call(form, "GET")["deployed_version_id"]) == (1, version)


@pytest.mark.parametrize("how", ["replaced", "removed", "not deployed"])
def test_list_that_somebody_else_spoilt_is_put_right(form, group, how):
    publish(form)
    ours = at_kobo(form)[0][1]
    uid = call(form, "GET", "files/")["results"][0]["uid"]
    call(form, "DELETE", f"files/{uid}/")
    if how != "removed":
        _upload(form, b"name,label\n" if how == "replaced" else ours)

    publish(form)

    assert at_kobo(form) == [(FILE, ours, True)]


def _upload(form, content):
    fields = {"description": "default", "file_type": "form_media", "metadata": f'{{"filename": "{FILE}"}}'}
    call(form, "POST", "files/", form=fields, files={"content": (FILE, content, "text/csv")})


def test_other_files_of_the_form_stay(form, group):
    fields = {"description": "default", "file_type": "form_media", "metadata": '{"filename": "logo.csv"}'}
    call(form, "POST", "files/", form=fields, files={"content": ("logo.csv", b"a\n", "text/csv")})

    publish(form)

    assert sorted(name for name, _content, _deployed in at_kobo(form)) == [FILE, "logo.csv"]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_kill_at_any_request_is_made_good_by_the_next_run(form, group, monkeypatch, moment):
    """Also between the deletion of the old file and the sending of the new one."""
    real = KoboConnection.send_object
    publish(form)
    for step in range(30):
        move = timedelta(days=step + 1)
        move_focus_group(group, starts_at=NIGHT + move, ends_at=NIGHT + move + timedelta(hours=2))
        left = [step]

        def die(self, method, path, left=left, **options):
            left[0] -= 1
            if left[0] < 0 and moment == "before":
                raise Killed
            answer = real(self, method, path, **options)
            if left[0] < 0:
                raise Killed
            return answer

        monkeypatch.setattr(KoboConnection, "send_object", die)
        try:
            publish(form)
        except Killed:
            monkeypatch.setattr(KoboConnection, "send_object", real)
        else:
            break
        known = publish(form)
        assert (known.error_code, at_kobo(form)) == ("", [(FILE, write_list(form)[0], True)]), step
    assert step >= 7


@pytest.mark.parametrize("fault", ["bad_gateway", "cut", "html", "too_many"])
@pytest.mark.parametrize("path", ["/files/", "/deployment/", PROJECT])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_fault_is_kept_in_words_and_healed_by_the_next_run(kobo, form, group, fault, path, skip):
    kobo.misbehave(fault, path=path, skip=skip, times=1)
    first = publish(form)
    kobo.behave()

    assert first.error_code in ("", "server_unavailable", "connection_cut", "not_json", "too_many_requests")
    assert publish(form).error_code == ""
    assert at_kobo(form) == [(FILE, write_list(form)[0], True)]


def test_file_that_somebody_sends_in_between_is_replaced(form, group, monkeypatch):
    """Between our deletion and our sending another list takes the name: Kobo refuses ours, and we look again."""
    publish(form)
    move_focus_group(group, starts_at=NIGHT + timedelta(days=3), ends_at=NIGHT + timedelta(days=3, hours=2))
    real, turns = KoboConnection.send_object, []

    def interfere(self, method, path, **options):
        answer = real(self, method, path, **options)
        if method == "DELETE" and not turns:
            turns.append(path)
            monkeypatch.setattr(KoboConnection, "send_object", real)
            _upload(form, b"name,label\nx,y\n")
            monkeypatch.setattr(KoboConnection, "send_object", interfere)
        return answer

    monkeypatch.setattr(KoboConnection, "send_object", interfere)

    assert publish(form).error_code == ""
    assert at_kobo(form) == [(FILE, write_list(form)[0], True)]


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_leave_one_right_file(form, group):
    publish(form)
    move_focus_group(group, starts_at=NIGHT + timedelta(days=3), ends_at=NIGHT + timedelta(days=3, hours=2))

    at_once(lambda: publish(form), lambda: publish(form))

    assert publish(form).error_code == ""
    assert at_kobo(form) == [(FILE, write_list(form)[0], True)]
    assert AssignmentList.objects.count() == 1


# --- what stops it, before anything is sent


def test_draft_that_nobody_deployed_is_not_brought_to_phones_with_the_list(form, group, sent):
    call(form, "PATCH", json_body={"content": {"survey": [*CONTENT["survey"], {"type": "text", "name": "new"}]}})
    sent.clear()

    known = publish(form)

    assert (known.error_code, known.md5, changing(sent)) == ("undeployed_changes", "", [])


def test_archived_project_stays_archived(form, group, sent):
    call(form, "PATCH", "deployment/", json_body={"active": False})
    sent.clear()

    assert (publish(form).error_code, changing(sent)) == ("archived", [])


def test_form_that_does_not_ask_for_the_list_gets_none(kobo, form, group, sent):
    kobo.create_asset("aPlain", "Plain", "iom", {"survey": [{"type": "text", "name": "who"}]})
    form.asset_uid = "aPlain"
    form.save()

    assert (publish(form).error_code, changing(sent)) == ("list_not_asked", [])


def test_account_without_the_right_is_told(kobo, form, group):
    kobo.create_user("reader", token="f" * 40)
    kobo.grant(PROJECT, "reader", "view_submissions")
    form.server.token = "f" * 40
    form.server.save()

    assert publish(form).error_code == "forbidden"


def test_error_keeps_what_phones_have(kobo, form, group):
    good = publish(form)
    kobo.misbehave("unavailable", times=9)

    bad = publish(form)

    assert (bad.error_code, bad.md5, bad.lines, bad.published_at) == (
        "server_unavailable", good.md5, good.lines, good.published_at,
    )  # fmt: skip


# --- what an enumerator sees, from the shipped form to the match


@pytest.fixture
def shipped(kobo, kobo_url, target):
    """The shipped form, deployed and connected, as `deploy_form --round` leaves it."""
    with KoboClient(kobo_url, kobo.create_user("iom"), retries=0) as client:
        done = deploy_form(client, "baseline_sub_area", base_url=kobo_url, assessment_round=target.round)
    server = KoboServerFactory(base_url=kobo_url, token=kobo.token_of("iom"), username="iom")
    return KoboFormFactory(
        server=server,
        asset_uid=done.asset_uid,
        round=target.round,
        form_kind=target.form_kind,
        mapping=read_mapping("baseline_sub_area"),
    )


def offered(form, **answers):
    query = {f"d[head/{name}]": value for name, value in answers.items()}
    page = requests.get(f"{form.server.base_url}/x/{form.asset_uid}", params=query, timeout=30).text
    field = re.search(r'<select id="head/meeting".*?</select>', page, re.DOTALL)
    return re.findall(r'<option value="([^"]+)"( selected)?>', field[0])


def test_form_offers_the_enumerators_own_focus_groups(shipped, group, target, village, sub_area):
    other = EnumeratorFactory(code="E02", home_unit=village)
    CertificateFactory(enumerator=other, form_kind=sub_area)
    theirs = plan_focus_group(target)
    assign_enumerator(theirs, other)

    assert publish(shipped).error_code == ""

    assert offered(shipped, enumerator="e01") == [(group.code, "")]
    assert offered(shipped, enumerator="E02") == [(theirs.code, "")]
    assert offered(shipped, enumerator="E99") == []


@pytest.mark.parametrize("way", ["chosen", "typed"])
def test_form_that_was_filled_either_way_belongs_to_the_focus_group(shipped, group, target, way):
    publish(shipped)
    shown = {"chosen": {"head/meeting": group.code}, "typed": {"head/has_focus_group": "yes"}}[way]
    code = {"chosen": {}, "typed": {"head/focus_group": group.code}}[way]
    answers = {"head/round": "2022-Q4", "head/enumerator": "E01", "head/session_date": "2022-12-05"}
    place = {"head/region": "150000000", "head/district": "not_listed", "head/sub_area": "not_listed"}
    sent = {**answers, **place, **shown, **code, "access/access_level": "no", "access/access_why": "road"}

    answer = requests.post(
        f"{shipped.server.base_url}/x/{shipped.asset_uid}", data=sent, allow_redirects=False, timeout=30
    )

    assert (answer.status_code, re.findall(r'class="error"[^>]*>([^<]+)', answer.text)) == (303, [])
    with client_of(shipped) as client:
        row = next(client.iter_pages(shipped.asset_uid)).rows[0]
    head = read_head(load_mapping(shipped.mapping), row)
    assert (head.focus_group, head.enumerator) == (group.code, "E01")


# --- when it is done


def test_tick_without_a_change_asks_kobo_nothing(form, group, sent):
    publish(form)
    sent.clear()

    assert (publish_due_lists(), sent) == (0, [])


def test_due_are_forms_whose_plan_changed_or_that_were_not_looked_at_for_a_day(form, group, target):
    assert find_due_forms() == [form]
    publish(form)
    now = timezone.now()
    assert (find_due_forms(), find_due_forms(now + timedelta(hours=25))) == ([], [form])
    move_focus_group(group, starts_at=NIGHT + timedelta(days=3), ends_at=NIGHT + timedelta(days=3, hours=2))
    assert find_due_forms() == [form]
    target.round.status = "closed"
    target.round.save()
    assert find_due_forms() == []


@pytest.mark.parametrize(("soon", "minutes"), [(True, 10), (False, 360)])
def test_after_an_error_it_waits(form, group, soon, minutes):
    now = timezone.now()
    AssignmentList.objects.create(form=form, checked_at=now, error_code="x", error_params={"again_soon": soon})

    just_before, then = now + timedelta(minutes=minutes - 1), now + timedelta(minutes=minutes)
    assert (find_due_forms(just_before), find_due_forms(then)) == ([], [form])


def test_form_that_is_switched_off_is_left_alone(form, group):
    form.is_active = False
    form.save()

    assert (find_due_forms(), publish_form_list(form.pk)) == ([], "gone")


def test_task_publishes_and_returns_what_kobo_objects_to(form, group):
    assert (publish_form_list(form.pk), publish_form_list(form.pk + 1)) == ("", "gone")
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        call(form, "PATCH", "deployment/", json_body={"active": False})
        assert publish_form_list(form.pk) == "archived"
