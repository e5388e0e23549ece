"""The pages on which people practise: list, form, correction."""

import re
from typing import Any

import pytest
import requests

from assessments.kobo.practice.state import PracticeKobo
from tests.assessments.kobo.practice.conftest import CONTENT, PROJECT

GOOD = {"place/district": "K1", "people": "12"}


def post(url: str, data: dict[str, Any]) -> requests.Response:
    return requests.post(url, data=data, allow_redirects=False, timeout=10)


def inputs(page: str) -> dict[str, str]:
    """Return name and value of every field but boxes."""
    return dict(re.findall(r'<input type="(?!checkbox)\w+"[^>]*name="([^"]+)"[^>]* value="([^"]*)"', page))


def edit_url(base_url: str, session: requests.Session, kobo_id: int) -> str:
    url = f"{base_url}/api/v2/assets/{PROJECT}/data/{kobo_id}/enketo/edit/"
    link: str = session.get(url, timeout=10).json()["url"]
    return link


@pytest.mark.parametrize(
    ("language", "banner"),
    [
        ("en", "Practice Kobo: not a real server"),
        ("ru", "Учебный Kobo: не настоящий сервер"),
        ("kk", "Оқу Kobo: нақты сервер емес"),
    ],
)
def test_list_shows_forms_with_counts_in_each_language(
    kobo: PracticeKobo, base_url: str, language: str, banner: str
) -> None:
    kobo.create_asset("aEvil", "<script>alert(1)</script>", "owner", CONTENT)
    kobo.submit(PROJECT, {"people": 1}, submitted_by=None)

    answer = requests.get(f"{base_url}/", params={"lang": language}, timeout=10)

    assert banner in answer.text
    assert re.findall(r'<td class="number">(\d+)</td>', answer.text) == ["0", "1"]
    assert "<script" not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_form_is_drawn_in_the_language_asked_for(base_url: str) -> None:
    page = requests.get(f"{base_url}/x/{PROJECT}", params={"lang": "ru"}, timeout=10).text

    assert '<html lang="ru">' in page
    assert '<p class="note">Добро пожаловать</p>' in page
    assert '<option value="K2">Кеген</option>' in page
    assert "Людей" in page
    assert page.count("<details") == 6
    assert "script" not in page
    assert "style=" not in page


def test_form_prefilled_from_the_address_escapes_what_it_shows(base_url: str) -> None:
    query = {
        "d[people]": "12",
        "d[/data/place/district]": "K2",
        "d[villages[1]/name]": '"><script>alert(1)</script>',
        "d[needs]": "food water",
    }

    page = requests.get(f"{base_url}/x/{PROJECT}", params=query, timeout=10).text

    assert inputs(page)["people"] == "12"
    assert '<option value="K2" selected>' in page
    assert page.count(" checked>") == 2
    assert "<script>" not in page
    assert inputs(page)["villages[1]/name"] == "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"


def test_form_sent_is_stored_as_kobo_would(kobo: PracticeKobo, base_url: str) -> None:
    data = {
        **GOOD,
        "start": "2022-11-20T06:00:00.000+00:00",
        "place/day": "2022-11-19",
        "needs": ["food", "water"],
        "villages[1]/name": "Алма",
        "villages[1]/estimate": "5",
        "villages[4]/name": "Бел",
    }

    answer = post(f"{base_url}/x/{PROJECT}?as=enum07&lang=ru", data)

    assert answer.status_code == 303
    row = kobo.row(1)
    for key in ("_uuid", "meta/instanceID", "meta/rootUuid", "__version__", "formhub/uuid"):
        assert row.pop(key)
    assert row == {
        "_id": 1,
        "start": "2022-11-20T06:00:00.000+00:00",
        "username": "enum07",
        "place/district": "K1",
        "place/day": "2022-11-19",
        "people": "12",
        "needs": "food water",
        "villages": [{"villages/name": "Алма", "villages/estimate": "5"}, {"villages/name": "Бел"}],
        "_xform_id_string": PROJECT,
        "_attachments": [],
        "_status": "submitted_via_web",
        "_geolocation": [None, None],
        "_submission_time": "2022-11-20T06:30:00",
        "_validation_status": {},
        "_submitted_by": "enum07",
    }
    thanks = requests.get(base_url + answer.headers["Location"], timeout=10)
    assert "Спасибо, анкета получена." in thanks.text
    assert "as=enum07" in thanks.text


def test_form_sent_without_a_name_has_no_sender(kobo: PracticeKobo, base_url: str) -> None:
    assert post(f"{base_url}/x/{PROJECT}", GOOD).status_code == 303

    assert kobo.row(1)["_submitted_by"] is None


@pytest.mark.parametrize(
    ("changes", "name", "message"),
    [
        ({"people": ""}, "people", "This answer is required."),
        ({"people": "twelve"}, "people", "Write a whole number."),
        ({"people": "1001"}, "people", "From 0 to 1000"),
        ({"place/district": "K9"}, "place/district", "Choose from the list."),
        ({"place/day": "yesterday"}, "place/day", "Write a date as 2022-11-30."),
        ({"villages[2]/estimate": "5"}, "villages[2]/name", "This answer is required."),
    ],
)
def test_form_with_a_wrong_answer_is_shown_again_and_stores_nothing(
    kobo: PracticeKobo, base_url: str, changes: dict[str, str], name: str, message: str
) -> None:
    typed = {**GOOD, "villages[1]/name": "Kept <&>", **changes}

    answer = post(f"{base_url}/x/{PROJECT}", typed)

    assert answer.status_code == 422
    assert re.findall(r'<p class="error" id="([^"]+)-error">([^<]+)</p>', answer.text) == [(name, message)]
    kept = inputs(answer.text)
    assert kept["villages[1]/name"] == "Kept &lt;&amp;&gt;"
    for field, value in changes.items():
        assert f'value="{value}"' in answer.text or not value, field
    assert kobo.ids(PROJECT) == []


def test_form_does_not_demand_what_depends_on_a_condition(kobo: PracticeKobo, base_url: str) -> None:
    assert post(f"{base_url}/x/{PROJECT}", {**GOOD, "why": ""}).status_code == 303

    assert "why" not in kobo.row(1)


def test_long_list_takes_a_code_or_the_name_that_people_see(kobo: PracticeKobo, base_url: str) -> None:
    choices = [{"list_name": "district", "name": f"V{n}", "label": [f"Village {n}", f"Село {n}"]} for n in range(100)]
    kobo.deploy_version(PROJECT, {**CONTENT, "choices": choices})

    page = requests.get(f"{base_url}/x/{PROJECT}", params={"lang": "ru"}, timeout=10).text
    statuses = [
        post(f"{base_url}/x/{PROJECT}", {"people": "1", "place/district": typed}).status_code
        for typed in ("V7", "село 42", "Nowhere")
    ]

    assert page.count("<datalist") == 1
    assert page.count('<option value="V99">Село 99</option>') == 1
    assert statuses == [303, 303, 422]
    assert [kobo.row(number)["place/district"] for number in kobo.ids(PROJECT)] == ["V7", "V42"]


def test_edit_link_shows_the_answers_and_saves_an_edit(
    kobo: PracticeKobo, base_url: str, session: requests.Session
) -> None:
    photo = ("a.png", "image/png", b"picture")
    village = {"name": "Алма", "photo": "a.png"}
    answers = {"place": {"district": "K2"}, "people": 12, "double": 24, "why": "line\nline", "villages": [village]}
    kobo_id = kobo.submit(PROJECT, answers, submitted_by="enum07", uuid="first", attachments=[photo])
    kobo.set_validation(kobo_id, "validation_status_on_hold", by="owner")
    before = kobo.row(kobo_id)
    link = edit_url(base_url, session, kobo_id)

    page = requests.get(link, timeout=10).text
    shown = inputs(page)
    answer = post(link, {**shown, "place/district": "K2", "people": "13", "why": "line\r\nline"})

    assert {
        "people": "12",
        "double": "24",
        "villages[1]/name": "Алма",
        "villages[1]/photo": "a.png",
    }.items() <= shown.items()
    assert ">\nline\nline</textarea>" in page
    assert answer.status_code == 303
    after = kobo.row(kobo_id)
    assert after["_uuid"] != "first"
    moved = ("people", "_uuid", "meta/instanceID", "meta/deprecatedID")
    assert (after["people"], after["meta/deprecatedID"], after["meta/rootUuid"]) == ("13", "uuid:first", "uuid:first")
    assert {k: v for k, v in after.items() if k not in moved} == {k: v for k, v in before.items() if k not in moved}
    assert kobo.ids(PROJECT) == [kobo_id]


def test_edit_without_the_right_key_shows_and_changes_nothing(
    kobo: PracticeKobo, base_url: str, session: requests.Session
) -> None:
    kobo_id, other = (kobo.submit(PROJECT, {"people": n}, submitted_by=None) for n in (1, 2))
    stolen = edit_url(base_url, session, other).partition("key=")[2]
    page = f"{base_url}/x/{PROJECT}/edit/{kobo_id}"

    statuses = [requests.get(f"{page}{query}", timeout=10).status_code for query in ("", "?key=", f"?key={stolen}")]
    statuses.append(post(f"{page}?key={stolen}", {**GOOD, "people": "99"}).status_code)

    assert statuses == [403, 403, 403, 403]
    assert kobo.row(kobo_id)["people"] == "1"


def test_edit_with_a_wrong_answer_changes_nothing(kobo: PracticeKobo, base_url: str, session: requests.Session) -> None:
    kobo_id = kobo.submit(PROJECT, {"place": {"district": "K1"}, "people": 1}, submitted_by=None)
    before = kobo.row(kobo_id)

    answer = post(edit_url(base_url, session, kobo_id), {**GOOD, "people": "many"})

    assert answer.status_code == 422
    assert 'value="many"' in answer.text
    assert kobo.row(kobo_id) == before


def test_edit_of_a_deleted_row_says_so(kobo: PracticeKobo, base_url: str, session: requests.Session) -> None:
    kobo_id = kobo.submit(PROJECT, {"people": 1}, submitted_by=None)
    link = edit_url(base_url, session, kobo_id)
    kobo.delete(kobo_id)

    answer = requests.get(link, timeout=10)

    assert (answer.status_code, "There is no such submission." in answer.text) == (404, True)


def test_unknown_and_closed_forms_answer_with_a_page(
    kobo: PracticeKobo, base_url: str, session: requests.Session
) -> None:
    unknown = requests.get(f"{base_url}/x/aNone", timeout=10)
    session.patch(f"{base_url}/api/v2/assets/{PROJECT}/deployment/", json={"active": False}, timeout=10)
    closed = post(f"{base_url}/x/{PROJECT}", GOOD)

    assert (unknown.status_code, "There is no such form here." in unknown.text) == (404, True)
    assert (closed.status_code, "This form is closed." in closed.text) == (403, True)
    assert kobo.ids(PROJECT) == []
