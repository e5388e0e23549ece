"""Reading a workbook; a whole form is compared in the contract test."""

import io

import pytest
from openpyxl import Workbook

from assessments.kobo.practice.xlsforms import XlsFormError, read_xlsform

Sheet = list[list[object]]


def workbook(**sheets: Sheet) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def test_form_in_one_language_is_read_with_paths_and_numbers_as_text() -> None:
    title, content = read_xlsform(
        workbook(
            survey=[
                ["type", "name", "label", "required", None, "calculate"],
                ["begin repeat", "village", "Village"],
                ["select_one size", "size", "Size", "yes"],
                [None],
                ["end repeat"],
                ["calculate", "two", None, None, "lost", "1 + 1"],
            ],
            choices=[["list name", "name", "label"], ["size", 1, "Small"], ["size", 2.5, "Large"]],
            settings=[["form_title", "form_id"], ["Villages", "v"]],
        )
    )

    for row in (*content["survey"], *content["choices"]):
        assert row.pop("$kuid")
    assert title == "Villages"
    assert content == {
        "schema": "1",
        "survey": [
            {
                "type": "begin_repeat",
                "name": "village",
                "label": ["Village"],
                "$xpath": "village",
                "$autoname": "village",
            },
            {
                "type": "select_one",
                "select_from_list_name": "size",
                "name": "size",
                "label": ["Size"],
                "required": True,
                "$xpath": "village/size",
                "$autoname": "size",
            },
            {"type": "end_repeat"},
            {"type": "calculate", "name": "two", "calculation": "1 + 1", "$xpath": "two", "$autoname": "two"},
        ],
        "choices": [
            {"list_name": "size", "name": "1", "label": ["Small"], "$autovalue": "1"},
            {"list_name": "size", "name": "2.5", "label": ["Large"], "$autovalue": "2.5"},
        ],
        "settings": {"id_string": "v"},
        "translated": ["label"],
        "translations": [None],
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Unsupported format, or corrupt file"),
        (b"PK\x03\x04 not a zip", "Unsupported format, or corrupt file"),
        (workbook(other=[["type"]]), "The survey sheet is missing"),
        (workbook(survey=[["type", "name"], ["begin_group", "g"]]), "Unmatched begin statement: g"),
        (workbook(survey=[["type", "name"], ["end_group", None]]), "Unmatched end_group"),
        (workbook(survey=[["type", "name"], ["text", None]]), "Question without a name: text"),
        (workbook(survey=[["type", "name"], [None, "lost"]]), "Question without a type: lost"),
    ],
)
def test_file_that_is_no_form_is_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(XlsFormError, match=f"^{message}$"):
        read_xlsform(data)
