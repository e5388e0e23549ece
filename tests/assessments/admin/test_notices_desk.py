"""Kobo's notices on the desk: who sees the secret, one click at Kobo, and the list."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assessments.kobo.hooks import Hook, list_hooks
from assessments.models import HookDelivery
from assessments.services.kobo_hooks import open_hook, take_delivery
from tests.practice import *  # noqa: F403  fixtures are found by name
from tests.practice import ASSET, client_of

pytestmark = pytest.mark.django_db

FORMS = "/admin/assessments/koboform/"
LIST = "/admin/assessments/hookdelivery/"


@pytest.fixture(autouse=True)
def address(settings):
    settings.SITE_ADDRESS = "https://dtm.example.org"


def page(form):
    return f"{FORMS}{form.pk}/notices/"


def press(client, form, what):
    response = client.post(page(form), {"do": what}, follow=True)
    form.refresh_from_db()
    return [str(message) for message in response.context["messages"]]


def at_kobo(form):
    with client_of(form) as client:
        return list_hooks(client.connection, form.asset_uid)


def test_one_click_switches_on_and_sets_up_the_service_at_kobo(client, administrator, form):
    client.force_login(administrator)

    assert press(client, form, "set_up") == ["Kobo sends its notices here from now on."]
    assert press(client, form, "set_up") == ["Kobo sends its notices here from now on."]

    (hook,) = at_kobo(form)
    assert hook == Hook(hook.uid, f"https://dtm.example.org/kobo/hook/{form.hook_path}/")


def test_switched_on_by_hand_the_page_shows_what_to_copy(client, administrator, form):
    client.force_login(administrator)
    before = client.get(page(form)).content.decode()

    press(client, form, "open")
    shown = client.get(page(form))

    text = shown.content.decode()
    assert "Switch on and set up at Kobo" in before
    for copied in (f"https://dtm.example.org/kobo/hook/{form.hook_path}/", form.hook_secret, "X-DTM-Secret", "_id"):
        assert copied in text
    assert "no-store" in shown["Cache-Control"]
    assert at_kobo(form) == []


def test_new_secret_replaces_the_old_one_here_and_then_at_kobo(client, administrator, form):
    client.force_login(administrator)
    press(client, form, "set_up")
    old, path = form.hook_secret, form.hook_path

    assert press(client, form, "renew") == ["The old secret is not taken any more. Set it up at Kobo again."]
    press(client, form, "set_up")

    assert (form.hook_secret == old, form.hook_path) == (False, path)
    assert len(at_kobo(form)) == 1


def test_switching_off_deletes_the_service_at_kobo(client, administrator, form):
    client.force_login(administrator)
    press(client, form, "set_up")

    assert press(client, form, "close") == ["No notices are taken any more, and Kobo sends none."]

    assert (form.hook_path, form.hook_secret, at_kobo(form)) == (None, "", [])
    assert press(client, form, "close") == ["No notices are taken any more."]


def test_switching_off_works_while_kobo_is_away(client, administrator, form, kobo, monkeypatch):
    monkeypatch.setattr("assessments.kobo.connection.time.sleep", lambda _seconds: None)
    client.force_login(administrator)
    press(client, form, "set_up")
    kobo.misbehave("unavailable", times=20, path="/hooks/")

    (said,) = press(client, form, "close")

    assert said.startswith("No notices are taken any more. Delete the service at Kobo by hand: 127.0.0.1:")
    assert (form.hook_path, form.hook_secret) == (None, "")


def test_account_without_the_right_is_told_and_notices_can_be_set_up_by_hand(client, administrator, form, kobo):
    form.server.token = kobo.create_user("reader")
    form.server.save()
    kobo.grant(ASSET, "reader", "view_submissions")
    client.force_login(administrator)

    (said,) = press(client, form, "set_up")

    assert "does not allow this to the token's account" in said
    assert form.hook_path is not None


def test_secret_cannot_be_renewed_where_notices_are_off(client, administrator, form):
    client.force_login(administrator)

    assert press(client, form, "renew") == ["The form takes no notices: switch them on first."]
    assert press(client, form, "nonsense") == []


@pytest.mark.parametrize(
    ("site", "warned"),
    [
        ("http://localhost:8000", True),
        ("http://10.1.2.3", True),
        ("http://dtm", True),
        ("http://[::1]:8000", True),
        ("http://server.local", True),
        ("https://dtm.example.org", False),
        ("https://8.8.8.8", False),
    ],
)
def test_page_warns_where_kobo_cannot_reach_the_site(client, administrator, form, settings, site, warned):
    """Surprise 39: Kobo stores such an address, and fails later."""
    settings.SITE_ADDRESS = site
    client.force_login(administrator)

    assert ("Kobo cannot reach" in client.get(page(form)).content.decode()) is warned


@pytest.mark.parametrize("role", ["manager", "coordinator", "other_coordinator"])
def test_desk_sees_that_notices_are_on_and_neither_address_nor_secret(request, client, administrator, form, role):
    form = open_hook(form, by=administrator)
    take_delivery(form, b'{"_id": 12346}')
    client.force_login(request.getfixturevalue(role))

    text = client.get(f"{FORMS}{form.pk}/change/").content.decode()

    assert "On: Kobo tells of each new form" in text
    assert "12346" in text
    assert [word in text for word in (form.hook_path, form.hook_secret, "/notices/")] == [False] * 3
    assert client.get(page(form)).status_code == 403
    assert client.post(page(form), {"do": "close"}).status_code == 403
    form.refresh_from_db()
    assert form.hook_path is not None


def test_form_page_of_an_administrator_has_the_link_and_no_secret(client, administrator, form):
    form = open_hook(form, by=administrator)
    client.force_login(administrator)

    text = client.get(f"{FORMS}{form.pk}/change/").content.decode()

    assert page(form) in text
    assert form.hook_secret not in text
    assert form.hook_secret not in client.get(f"{FORMS}{form.pk}/history/").content.decode()


@pytest.mark.parametrize(("role", "status"), [("administrator", 200), ("manager", 200), ("coordinator", 403)])
def test_list_of_notices_is_read_by_those_who_see_every_region(request, client, form, role, status):
    """A notice may hold the answers of any region."""
    take_delivery(form, b'{"_id": 12346, "answer": "yes"}')
    client.force_login(request.getfixturevalue(role))
    one = f"{LIST}{HookDelivery.objects.get().pk}/change/"

    assert [client.get(address).status_code for address in (LIST, one)] == [status] * 2
    assert client.post(one, {"body": "changed"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403


def test_list_asks_the_database_as_often_for_three_rows_as_for_one(client, manager, form):
    client.force_login(manager)
    counts = []
    for number in (1, 3):
        while HookDelivery.objects.count() < number:
            HookDelivery.objects.create(
                form=form, kobo_id=12346 + HookDelivery.objects.count(), received_at=timezone.now()
            )
        pages = []
        for address in (LIST, f"{FORMS}{form.pk}/change/"):
            client.get(address)
            with CaptureQueriesContext(connection) as queries:
                client.get(address)
            pages.append(len(queries))
        counts.append(pages)

    assert counts[0] == counts[1]
