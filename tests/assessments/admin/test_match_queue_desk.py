"""Forms to match, forms that cannot be read, settled spellings and phones on the desk."""

import pytest
from django.contrib.messages import get_messages

from assessments.models import KoboForm, KoboSubmission, MatchAlias
from assessments.tasks import read_form_again
from dtm_ops.records.models import Receipt
from tests.factories.training import EnumeratorFactory
from tests.practice import *  # noqa: F403  fixtures are found by name
from tests.practice import sync

pytestmark = pytest.mark.django_db

QUEUE = "/admin/assessments/kobosubmission/to-match/"
UNREADABLE = "/admin/assessments/kobosubmission/unreadable/"
PHONES = "/admin/assessments/kobosubmission/phones/"
ALIASES = "/admin/assessments/matchalias/"


@pytest.fixture
def lost(form, submit, enumerator):
    """Two forms of one misspelt village, by the enumerator."""
    for place in ("Zhandossov", "ЖАНДОСОВ"):
        submit(place=place)
    sync(form)
    return form


def told(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def settle(client, target, **words):
    posted = {"round": target.round_id, "kind": "place", "typed": "Zhandossov", "meant": target.pk}
    return client.post(QUEUE, posted | words, follow=True)


def test_queue_settles_with_one_press_and_says_how_many_were_matched(client, lost, target, coordinator):
    client.force_login(coordinator)
    page = client.get(QUEUE)
    (line,) = [one["line"] for one in page.context["lines"]]
    assert (line.count, [one.key for one in line.suggestions]) == (2, [target.pk])

    answer = settle(client, target)

    assert told(answer) == ["“Zhandossov”: Zhandosov, Baseline sub-area (village). 2 forms were matched."]
    assert answer.context["lines"] == []
    assert set(KoboSubmission.objects.values_list("match_state", "target")) == {("by_place", target.pk)}


def test_queue_refuses_what_is_out_of_reach_and_writes_nothing(client, lost, target, other_coordinator, coordinator):
    client.force_login(other_coordinator)
    assert client.get(QUEUE).context["lines"] == []
    assert told(settle(client, target)) == ["Choose what is meant."]
    client.force_login(coordinator)
    for words in ({"meant": "x"}, {"meant": ""}, {"kind": "nonsense"}, {"round": "0"}, {"typed": ""}):
        assert told(settle(client, target, **words)) != []
    assert (MatchAlias.objects.count(), Receipt.objects.count()) == (0, 0)


def test_queue_tells_who_was_quicker(client, lost, target, coordinator, manager):
    client.force_login(coordinator)
    settle(client, target)
    client.force_login(manager)

    answer = settle(client, target)

    assert told(answer) == [
        "coordinator has settled this already: “Zhandossov”: Zhandosov, Baseline sub-area (village)."
    ]


def test_queue_of_one_line_finds_another_in_any_script(client, lost, target, coordinator):
    client.force_login(coordinator)
    (one,) = client.get(QUEUE).context["lines"]

    page = client.get(f"{one['alone']}&q=жандосов")

    assert [found.key for found in page.context["found"]] == [target.pk]
    assert client.get(f"{QUEUE}?round=x&key=y").status_code == 404
    assert client.get(f"{QUEUE}?round={target.round_id}&kind=place&key=gone").context["lines"] == []


def test_settled_spelling_is_taken_back_from_its_list(client, lost, target, coordinator, other_coordinator):
    client.force_login(coordinator)
    settle(client, target)
    alias = MatchAlias.objects.get()
    body = client.get(ALIASES).content.decode()
    assert "Zhandossov" in body

    client.force_login(other_coordinator)
    assert client.post(f"{ALIASES}{alias.pk}/do/take_back/", {"confirmed": "1"}).status_code == 403
    assert MatchAlias.objects.count() == 1
    client.force_login(coordinator)
    answer = client.post(
        ALIASES,
        {"action": "take_back", "_selected_action": alias.pk, "confirmed": "1", f"seen-{alias.pk}": alias.key},
        follow=True,
    )

    assert told(answer) == ["“Zhandossov” is open again. 2 forms wait again."]
    assert (MatchAlias.objects.count(), KoboSubmission.objects.filter(match_state="unmatched").count()) == (0, 2)


def test_settled_spelling_is_taken_back_from_its_page(client, lost, target, coordinator):
    client.force_login(coordinator)
    settle(client, target)
    alias = MatchAlias.objects.get()
    posted = {"confirmed": "1", f"seen-{alias.pk}": alias.key}

    answer = client.post(f"{ALIASES}{alias.pk}/do/take_back/", posted)

    assert (answer.status_code, answer.headers["Location"], MatchAlias.objects.count()) == (302, ALIASES, 0)


def test_unreadable_says_what_is_wrong_and_reads_again_after_mending(client, form, submit, administrator, coordinator):
    submit(men="many")
    submit(men="many")
    sync(form)
    client.force_login(coordinator)
    body = client.get(UNREADABLE).content.decode()
    assert ("men “many” is not a number" in body, "Mend the mapping" in body) == (True, False)
    first = KoboSubmission.objects.earliest("pk")

    assert told(client.post(UNREADABLE, {"one": first.pk}, follow=True)) == [f"Form {first} still cannot be read."]
    KoboForm.objects.filter(pk=form.pk).update(mapping={**form.mapping, "figures": form.mapping["figures"][:1]})
    assert told(client.post(UNREADABLE, {"one": first.pk}, follow=True)) == [f"Form {first} can be read now."]
    assert told(client.post(UNREADABLE, {"form": form.pk}, follow=True)) == ["1 form can be read now."]

    client.force_login(administrator)
    assert client.post(UNREADABLE, {"one": "x"}).status_code == 404
    assert client.get(UNREADABLE).context["rows"] == []


def test_reading_all_again_is_for_administrators(client, form, administrator, coordinator, monkeypatch):
    page = f"/admin/assessments/koboform/{form.pk}/do/read_again/"
    queued = []
    monkeypatch.setattr(read_form_again, "delay_on_commit", queued.append)
    client.force_login(coordinator)
    assert client.post(page, {"confirmed": "1"}).status_code == 403
    client.force_login(administrator)
    client.post(page, {"confirmed": "1", f"seen-{form.pk}": ""})

    assert queued == [form.pk]
    assert (read_form_again(form.pk), read_form_again(0)) == (0, 0)


def test_phones_of_a_round_and_on_the_page_of_the_person(client, form, submit, enumerator, coordinator, stranger):
    submit()
    sync(form)
    client.force_login(coordinator)

    assert [one.person for one in client.get(PHONES).context["phones"]] == [enumerator]
    assert [one.person for one in client.get(f"{PHONES}?round=").context["phones"]] == [enumerator]
    assert client.get(f"{PHONES}?round=nowhere").status_code == 200
    assert "Last form" in client.get(f"/people/{enumerator.code}/").content.decode()
    assert (
        "Last form"
        not in client.get(f"/people/{EnumeratorFactory(home_unit=enumerator.home_unit).code}/").content.decode()
    )
    client.force_login(stranger)
    assert client.get(PHONES).status_code == 302
