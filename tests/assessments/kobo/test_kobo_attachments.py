"""Where a file is to be had, what it is by its first bytes, and which answers name one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.kobo.attachments import (
    KINDS,
    PICTURES,
    attachment_path,
    download_name,
    ending_of,
    is_page,
    may_be_taken,
    media_questions,
    named_files,
)
from assessments.kobo.payloads import parse_submission

RECORDED = "12_attachments"


def recorded(recordings, name):
    found = json.loads((recordings / f"{name}.json").read_text(encoding="utf-8"))
    return found["request"], found["response"]


def test_address_is_the_recorded_one(recordings):
    row = parse_submission(recorded(recordings, f"{RECORDED}/001_row_with_attachment")[1]["body_json"])
    file = row.attachments[0]

    by_uid, by_question = (recorded(recordings, f"{RECORDED}/{name}")[0] for name in ("002_download", "015_by_xpath"))
    asset = by_uid["path"].split("/")[4]
    assert attachment_path(asset, row.kobo_id, uid=file.uid, xpath=file.xpath) == by_uid["path"]
    assert attachment_path(asset, row.kobo_id, uid="", xpath=file.xpath) == (
        f"{by_question['path']}?{by_question['query_raw']}"
    )


def test_address_cannot_leave_the_submission():
    assert attachment_path("a/../b", 7, uid="../../x?y", xpath="") == (
        "/api/v2/assets/a%2F..%2Fb/data/7/attachments/..%2F..%2Fx%3Fy/"
    )


def test_answer_that_names_a_photo_that_never_came_is_found(recordings):
    """Surprise 22: the file name is there, `_attachments` is empty or names others."""
    raw = recorded(recordings, f"{RECORDED}/001_row_with_attachment")[1]["body_json"]

    assert named_files(raw, None) == [("locations[2]/loc_photo", "loc_24_2.png")]
    assert named_files(raw, {"locations/loc_photo"}) == [("locations[2]/loc_photo", "loc_24_2.png")]
    assert named_files(raw, {"locations/other"}) == []


def test_place_of_a_file_counts_the_instances_that_are_listed(recordings):
    """Surprise 17: `question_xpath` counts as the JSON does; ours is the same for every recorded row."""
    for folder in ("03_submit", "05_edit", RECORDED):
        for path in sorted((recordings / folder).glob("*.json")):
            body = json.loads(path.read_text(encoding="utf-8")).get("response", {}).get("body_json")
            rows = body.get("results", [body]) if isinstance(body, dict) else []
            for row in (row for row in rows if isinstance(row, dict) and row.get("_attachments")):
                there = {one["question_xpath"] for one in row["_attachments"] if one["question_xpath"]}
                assert there <= {place for place, _name in named_files(row, None)}


def test_questions_that_take_a_file_are_read_from_the_form():
    content = {
        "survey": [
            {"type": "image", "$xpath": "place/sign"},
            {"type": "text", "$xpath": "name"},
            {"type": "background-audio", "$xpath": "sound"},
            "nonsense",
        ]
    }

    assert media_questions(content) == {"place/sign", "sound"}
    assert media_questions({"survey": None}) is None
    assert media_questions(None) is None


@pytest.mark.parametrize(
    ("start", "listed", "ending"),
    [
        (b"\xff\xd8\xff\xe0 JFIF", "image/jpeg", "jpg"),
        (b"\xff\xd8\xff\xe0 JFIF", "image/png", "jpg"),
        (b"\x89PNG\r\n\x1a\n", "application/octet-stream", "png"),
        (b"GIF89a", "image/gif", "gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp", "webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "audio/x-wav", "wav"),
        (b"RIFF\x10\x00\x00\x00AVI LIST", "video/x-msvideo", ""),
        (b"\x00\x00\x00\x18ftypheic", "image/jpeg", "heic"),
        (b"\x00\x00\x00\x18ftypisom", "video/mp4", "mp4"),
        (b"\x00\x00\x00\x18ftypisom", "image/jpeg", ""),
        (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4", "m4a"),
        (b"OggS\x00", "audio/ogg", "ogg"),
        (b"#!AMR\n", "audio/amr", "amr"),
        (b"%PDF-1.7", "application/pdf", "pdf"),
        (b"%PDF-1.7", "image/jpeg", ""),
        (b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "zip"),
        ("событие,время\n".encode(), "text/csv", "csv"),
        ("\ufeffсобытие".encode(), "text/plain", "txt"),
        (b"<html><script>", "text/plain", ""),
        (b"<?xml version='1.0'?><svg>", "text/plain", ""),
        (b"<svg onload=1>", "image/png", ""),
        (b"a\x00b", "text/plain", ""),
        (b"MZ\x90\x00\x03", "application/octet-stream", ""),
        (b"", "text/plain", ""),
    ],
)
def test_file_is_what_its_first_bytes_say(start, listed, ending):
    assert ending_of(start, mimetype=listed) == ending


@given(start=st.binary(max_size=600), listed=st.sampled_from(["image/png", "text/plain", "video/mp4", "", "text/csv"]))
def test_whatever_is_taken_is_of_a_known_kind_and_carries_no_markup(start, listed):
    ending = ending_of(start, mimetype=listed)

    assert ending in {"", *KINDS}
    if ending in ("txt", "csv"):
        assert not start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    if listed == "image/png":
        assert KINDS.get(ending, "image/").startswith("image/")


@pytest.mark.parametrize(
    ("mimetype", "is_taken"),
    [
        ("image/jpeg", True), ("image/svg+xml", False), ("audio/mpeg", True), ("video/3gpp", True), ("", True),
        ("text/csv; charset=utf-8", True), ("text/html", False), ("application/javascript", False),
        ("application/xhtml+xml", False), ("application/pdf", True),
    ],
)  # fmt: skip
def test_listed_type_is_enough_to_refuse(mimetype, is_taken):
    assert may_be_taken(mimetype) is is_taken


@pytest.mark.parametrize(
    ("content_type", "start", "is_one"),
    [
        ("text/html; charset=utf-8", b"anything", True),
        ("image/png", b"\n<!DOCTYPE html>", True),
        ("image/png", b"<HTML>", True),
        ("image/png", b"\x89PNG", False),
    ],
)
def test_page_in_place_of_a_file_is_known(content_type, start, is_one):
    assert is_page(content_type, start) is is_one


@pytest.mark.parametrize(
    ("name", "ending", "shown"),
    [
        ("sign.jpeg", "jpg", "sign.jpeg"),
        ("sign.html", "jpg", "sign.html.jpg"),
        ("Жол белгісі.png", "png", "Жол белгісі.png"),
        ("../../etc/passwd", "txt", ".._.._etc_passwd.txt"),
        ("", "png", ".png"),
        ("a\r\nb\u202egnp.exe", "png", "a__b_gnp.exe.png"),
    ],
)
def test_name_for_the_download_has_the_ending_of_what_it_is(name, ending, shown):
    assert download_name(name, ending) == shown


def test_pictures_are_among_the_kinds_and_none_can_carry_a_script():
    assert {KINDS[one] for one in PICTURES} == {"image/jpeg", "image/png", "image/gif", "image/webp"}
