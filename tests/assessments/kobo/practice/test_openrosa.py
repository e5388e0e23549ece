"""Submissions over ``/submission`` beyond what was recorded."""

from typing import Any

import pytest
import requests

from assessments.kobo.practice.state import PracticeKobo
from tests.assessments.kobo.practice.conftest import PROJECT


def xml(answers: str, *, instance_id: str = "uuid:one", deprecated_id: str = "") -> bytes:
    old = f"<deprecatedID>{deprecated_id}</deprecatedID>" if deprecated_id else ""
    meta = f"<meta><instanceID>{instance_id}</instanceID>{old}</meta>"
    return f'<data id="{PROJECT}" xmlns:x="urn:x">{answers}{meta}</data>'.encode()


def send(base_url: str, session: requests.Session, document: bytes, **files: bytes) -> int:
    parts: list[Any] = [("xml_submission_file", ("submission.xml", document, "text/xml"))]
    parts += [(name, (f"{name}.png", content, "image/png")) for name, content in files.items()]
    return session.post(f"{base_url}/submission", files=parts, timeout=10).status_code


def test_rest_of_the_media_arrives_with_a_second_post(
    kobo: PracticeKobo, base_url: str, session: requests.Session
) -> None:
    village = "<villages><name>{0}</name><photo>{0}.png</photo></villages>"
    document = xml(village.format("one") + village.format("two"))

    statuses = [
        send(base_url, session, document, one=b"1"),
        send(base_url, session, document, one=b"1", two=b"2"),
        send(base_url, session, document, one=b"1", two=b"2"),
    ]

    assert statuses == [201, 201, 202]
    listed = kobo.row(1)["_attachments"]
    assert [entry["question_xpath"] for entry in listed] == ["villages[1]/photo", "villages[2]/photo"]
    assert kobo.ids(PROJECT) == [1]


def test_edit_of_the_same_row_twice_from_one_phone_is_stored_once(
    kobo: PracticeKobo, base_url: str, session: requests.Session
) -> None:
    send(base_url, session, xml("<people>1</people>"))
    edit = xml("<people>2</people>", instance_id="uuid:two", deprecated_id="uuid:one")

    assert [send(base_url, session, edit), send(base_url, session, edit)] == [201, 202]
    assert (kobo.ids(PROJECT), kobo.row(1)["people"], kobo.row(1)["_uuid"]) == ([1], "2", "two")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<data",
        b'<!DOCTYPE d [<!ENTITY a "aaaa">]><data id="aVillages"><people>&a;</people></data>',
        b"\xff\xfe\x00<data/>",
    ],
)
def test_document_that_is_no_plain_xml_is_refused(
    kobo: PracticeKobo, base_url: str, session: requests.Session, document: bytes
) -> None:
    assert send(base_url, session, document) == 400
    assert kobo.ids(PROJECT) == []


def test_json_without_a_submission_is_refused(kobo: PracticeKobo, base_url: str, session: requests.Session) -> None:
    bodies: list[Any] = [
        {},
        {"id": PROJECT},
        {"id": PROJECT, "submission": []},
        {"id": PROJECT, "submission": {"a": 1}},
    ]

    statuses = [session.post(f"{base_url}/submission", json=body, timeout=10).status_code for body in bodies]

    assert statuses == [400, 400, 400, 400]
    assert kobo.ids(PROJECT) == []


def test_json_answers_become_text_and_can_be_read_as_xml(
    kobo: PracticeKobo, base_url: str, data_url: str, session: requests.Session
) -> None:
    answers = {"people": 3, "needs": ["food", "water"], "villages": [{"name": "a & <b>", "estimate": 0}], "_id": 99}
    body = {"id": PROJECT, "submission": {**answers, "meta": {"instanceID": "uuid:one"}}}

    assert session.post(f"{base_url}/submission", json=body, timeout=10).status_code == 201

    row = kobo.row(1)
    assert (row["_id"], row["people"], row["needs"]) == (1, "3", "food water")
    assert row["villages"] == [{"villages/name": "a & <b>", "villages/estimate": "0"}]
    document = session.get(f"{data_url}1/", params={"format": "xml"}, timeout=10).text
    assert "<villages><name>a &amp; &lt;b&gt;</name><estimate>0</estimate></villages>" in document


def test_answer_with_a_lone_surrogate_is_stored_readable(
    kobo: PracticeKobo, base_url: str, data_url: str, session: requests.Session
) -> None:
    body = '{"id": "aVillages", "submission": {"why": "a\\ud800b\\u0000", "meta": {"instanceID": "uuid:one"}}}'
    headers = {"Content-Type": "application/json"}

    status = session.post(f"{base_url}/submission", data=body, headers=headers, timeout=10).status_code

    assert status == 201
    assert session.get(data_url, timeout=10).json()["results"][0]["why"] == "a\ufffdb\x00"
