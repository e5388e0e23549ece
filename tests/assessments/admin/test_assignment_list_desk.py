"""What the page of a form says of the focus groups on phones, and the button that sends them."""

import re
from datetime import UTC, datetime

import pytest

from assessments.admin import assignment_list
from assessments.kobo.form_media import md5_of
from assessments.models import AssignmentList
from assessments.services.assignment_lists import write_list
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory

FORMS = "/admin/assessments/koboform/"
AT = datetime(2022, 12, 1, 9, tzinfo=UTC)


@pytest.fixture
def form(village, sub_area, enumerator):
    target = RoundTargetFactory(unit=village, form_kind=sub_area)
    assign_enumerator(plan_focus_group(target), enumerator)
    return KoboFormFactory(round=target.round, form_kind=target.form_kind)


@pytest.fixture
def queued(monkeypatch):
    calls = []
    monkeypatch.setattr(assignment_list.publish_form_list, "delay_on_commit", lambda *args: calls.append(args))
    return calls


def section(client, form):
    page = client.get(f"{FORMS}{form.pk}/change/").content.decode()
    found = re.search(r"<h2>Focus groups on phones</h2>(.*?)</section>", page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def keep(form, **values):
    return AssignmentList.objects.create(form=form, checked_at=AT, **values)


def test_page_before_the_first_list(client, manager, form):
    client.force_login(manager)

    assert section(client, form) == (
        "Phones have no list yet. The plan has 1 line; people type the code of the focus group by hand."
    )


def test_page_with_the_list_of_today(client, manager, form):
    keep(form, md5=md5_of(write_list(form)[0]), lines=1, published_at=AT)
    client.force_login(manager)

    shown = section(client, form)

    assert shown.startswith("Phones have a list with 1 line (a focus group and a person each). It reached Kobo at ")
    assert "That is the plan of today." in shown


def test_page_with_an_older_list_and_an_error(client, manager, form):
    params = {"host": "kobo.example.org", "status": 503, "again_soon": True}
    keep(form, md5="0" * 32, lines=4, published_at=AT, error_code="server_unavailable", error_params=params)
    client.force_login(manager)

    shown = section(client, form)

    assert shown.startswith(
        "not sent kobo.example.org is not available at the moment (HTTP 503). The next run tries again. Phones have a "
        "list with 4 lines"
    )
    assert "The plan has 1 line now. Compared" in shown


def test_page_with_an_older_list_says_when_the_plan_gets_there(client, manager, form):
    keep(form, md5="0" * 32, lines=4, published_at=AT)
    client.force_login(manager)

    assert "The plan has 1 line now: it is sent within minutes while the round is open." in section(client, form)


def press(client, form):
    return client.post(f"{FORMS}{form.pk}/do/send_list/", {"confirmed": "1"}, follow=True)


def test_administrator_sends_the_list(client, administrator, form, queued):
    client.force_login(administrator)

    response = press(client, form)

    assert queued == [(form.pk,)]
    assert [str(message) for message in response.context["messages"]] == [
        "The focus groups of A form are being sent; its page says when phones can get them."
    ]


@pytest.mark.parametrize("role", ["manager", "coordinator", "enumerator"])
def test_nobody_else_sends_it(request, client, form, queued, role):
    person = request.getfixturevalue(role)
    client.force_login(getattr(person, "user", person))

    press(client, form)

    assert queued == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_active": False}, "the form is not synchronised: switch it on first"),
        ({"status": "closed"}, "its round is not open"),
    ],
)
def test_button_says_why_it_is_greyed(client, administrator, form, queued, change, why):
    row = form.round if "status" in change else form
    for name, value in change.items():
        setattr(row, name, value)
    row.save()
    client.force_login(administrator)

    press(client, form)

    assert why in client.get(f"{FORMS}{form.pk}/change/").content.decode()
    assert queued == []
