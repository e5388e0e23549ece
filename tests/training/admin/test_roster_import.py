"""The roster in and out as a table: what is read, what is refused, and that a refusal writes nothing."""

import csv
import io
from datetime import date, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook, load_workbook

from tests.factories.training import EnumeratorFactory
from training.models import Enumerator

PEOPLE = "/admin/training/enumerator/"
HEAD = ["code", "full_name", "sex", "home_unit", "phone"]
GOOD = ["E10", "Dana Demo", "female", "195233000", "8 701 123 45 67"]
OLD_EXCEL = "This is an old Excel file (.xls) or one with a password. Save it as .xlsx without a password."
MERGED = "The headings are merged cells (A1:C1): each column needs a heading of its own."
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


def workbook(*rows, merge=""):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    if merge:
        book.active.merge_cells(merge)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def text(*rows, delimiter=","):
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows(rows)
    return written.getvalue()


def check(client, data, name="people.xlsx"):
    """The first step: choose a file."""
    file = SimpleUploadedFile(name, data)
    return client.post(f"{PEOPLE}import/", {"import_file": file, "format": "0", "resource": "0"})


def confirm(client, answer):
    """The second: import all of it."""
    form = answer.context["confirm_form"]
    return client.post(f"{PEOPLE}import/".replace("import/", "process_import/"), form.initial, follow=True)


def faults(answer):
    errors = answer.context["form"].errors.get("import_file")
    if errors:
        return list(errors)
    return [(one.line, one.column, one.sentence) for one in answer.context["result"].faults]


@pytest.fixture
def desk(client, coordinator, village):
    client.force_login(coordinator)
    return client


def test_check_writes_nothing_and_confirming_writes_all(desk, village):
    answer = check(desk, workbook(HEAD, GOOD, ["E11", "Arman Demo", "male", "195233000", 77011234568.0]))
    assert (faults(answer), Enumerator.objects.count()) == ([], 0)

    done = confirm(desk, answer)

    rows = Enumerator.objects.values_list("code", "full_name", "sex", "home_unit", "phone", "status")
    assert list(rows) == [
        ("E10", "Dana Demo", "female", village.pk, "+77011234567", "active"),
        ("E11", "Arman Demo", "male", village.pk, "+77011234568", "active"),
    ]
    assert [str(one) for one in done.context["messages"]] == ["Imported: 2 new, 0 changed, 0 the same as before."]


@pytest.mark.parametrize(
    "data",
    [
        text(HEAD, GOOD).encode(),
        text(HEAD, GOOD).encode("utf-8-sig"),
        text(HEAD, GOOD, delimiter=";").encode(),
        text(HEAD, GOOD, delimiter="\t").encode("utf-16"),
        text(HEAD, GOOD).encode("utf-16-le"),
        text(["", ""], HEAD, [], GOOD, ["", "", "", "", ""]).encode(),
        workbook(HEAD, [None] * 5, GOOD),
    ],
    ids=["utf-8", "with mark", "semicolons", "utf-16", "utf-16 without mark", "blank lines", "xlsx with a blank row"],
)
def test_file_is_read_however_it_was_saved(desk, data):
    confirm(desk, check(desk, data, name="people.csv"))

    assert list(Enumerator.objects.values_list("code", "phone")) == [("E10", "+77011234567")]


def test_windows_1251_is_read_with_its_letters(desk):
    confirm(
        desk, check(desk, text(HEAD, ["E10", "Дана Тест", "female", "195233000", ""]).encode("cp1251"), "people.csv")
    )

    assert Enumerator.objects.get().full_name == "Дана Тест"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The submitted file is empty."),
        (b"\n\n ", "The file is empty."),
        (PNG, "This is a picture (PNG), not a table. Choose an .xlsx or .csv file."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, OLD_EXCEL),
        (b"PK\x03\x04broken", "The workbook is damaged and cannot be read. Open it in Excel and save it again."),
        (workbook(HEAD, GOOD, merge="A1:C1"), MERGED),
        (text(["code", "", "sex"], ["a", "b", "c"]).encode(), "Column 2 has no heading."),
        (text(["code", "sex", "code"], ["a", "b", "c"]).encode(), "The heading code stands there twice."),
        (text(HEAD).encode(), "There are headings, but no rows below them."),
        (text(HEAD, [*GOOD, "more"]).encode(), "More cells than headings in line 2."),
        (b'code,sex\n"a,b\n', "Line 2 cannot be read: a quotation mark is not closed, or the line is not a table's."),
        (b"%PDF-1.4 ...", "This is a PDF, not a table. Choose an .xlsx or .csv file."),
    ],
)  # fmt: skip
def test_file_that_is_no_table_is_refused_in_words(desk, data, sentence):
    assert faults(check(desk, data)) == [sentence]
    assert Enumerator.objects.count() == 0


def test_all_faults_of_all_rows_are_told_at_once_by_line_and_column(desk, other_village):
    rows = [
        GOOD,
        ["e 11", "", "woman", "1", "12"],
        [],
        ["E12", "Na\x00me", "female", other_village.unit_id, ""],
        ["E10", "Again", "male", "195233000", ""],
    ]

    answer = check(desk, text(HEAD, *rows).encode(), "people.csv")

    assert faults(answer) == [
        ("2", "code", "stands in the file more than once: lines 2, 6"),
        ("3", "code", "Capital Latin letters, digits and hyphens only."),
        ("3", "full_name", "is missing"),
        ("3", "sex", "“woman” is none of: female, male"),
        ("3", "home_unit", "“1” is no place of the gazetteer within your area"),
        ("3", "phone", "“12” is not a phone number."),
        ("5", "full_name", "has a character that cannot be stored"),
        ("5", "home_unit", "“473630000” (Boranqul) lies outside your area"),
        ("6", "code", "stands in the file more than once: lines 2, 6"),
    ]
    assert "confirm_form" not in answer.context
    assert Enumerator.objects.count() == 0


def test_unknown_and_missing_columns_are_named_before_any_row(desk):
    answer = check(desk, text(["code", "full_name", "gender"], ["E10", "Dana", "f"]).encode(), "people.csv")

    assert faults(answer) == [
        ("1", "sex", "Column sex is missing."),
        ("1", "home_unit", "Column home_unit is missing."),
        ("1", "gender", "Unknown column: gender."),
    ]


def test_code_of_a_person_elsewhere_is_refused(desk, other_village):
    EnumeratorFactory(code="E10", full_name="Somebody else", home_unit=other_village)

    answer = check(desk, workbook(HEAD, GOOD))

    assert faults(answer) == [("2", "code", "This code belongs to a person outside your area.")]
    assert Enumerator.objects.get().full_name == "Somebody else"


def test_what_became_wrong_after_the_check_undoes_the_whole_import(desk, other_village):
    answer = check(desk, workbook(HEAD, GOOD, ["E11", "Arman Demo", "male", "195233000", ""]))
    EnumeratorFactory(code="E11", home_unit=other_village)

    done = confirm(desk, answer)

    assert list(Enumerator.objects.values_list("code", flat=True)) == ["E11"]
    assert "nothing was imported" in str(next(iter(done.context["messages"])))


def test_import_changes_by_code_leaves_the_rest_and_never_the_status(desk, village):
    EnumeratorFactory(
        code="E10", full_name="Old", home_unit=village, phone="+77010000000", status="left", organisation="Office"
    )

    confirm(
        desk,
        check(
            desk,
            workbook(
                ["code", "full_name", "sex", "home_unit", "status"], ["E10", "New", "male", "195233000", "active"]
            ),
        ),
    )

    person = Enumerator.objects.get()
    assert (person.full_name, person.sex, person.phone, person.status, person.organisation) == (
        "New", "male", "+77010000000", "left", "Office",
    )  # fmt: skip


def test_export_comes_back_unchanged_and_its_formulas_are_harmless(desk, village):
    person = EnumeratorFactory(
        code="E10", full_name='=HYPERLINK("http://x")', home_unit=village, phone="+77011234567", organisation="-1+1",
        contract_from=date(2022, 11, 10),
    )  # fmt: skip
    exported = desk.post(f"{PEOPLE}export/", {"format": "0", "resource": "0"}).content

    cells = dict(
        zip(
            *[[cell.value for cell in row] for row in load_workbook(io.BytesIO(exported)).active.iter_rows()],
            strict=True,
        )
    )
    assert (cells["full_name"], cells["organisation"]) == ('\'=HYPERLINK("http://x")', "'-1+1")
    assert (cells["phone"], cells["contract_from"]) == ("+77011234567", datetime(2022, 11, 10))  # noqa: DTZ001  a cell has no zone
    assert load_workbook(io.BytesIO(exported)).active["B2"].data_type == "s"

    answer = check(desk, exported)
    assert answer.context["verdict"] == "0 changes: 1 rows are the same as here."
    confirm(desk, answer)
    again = Enumerator.objects.get()
    assert (again.full_name, again.organisation, again.phone) == (person.full_name, "-1+1", "+77011234567")


def test_export_is_what_is_listed_and_in_reach(desk, village, other_village):
    EnumeratorFactory(code="E10", home_unit=village)
    EnumeratorFactory(code="E11", home_unit=village, status="left")
    EnumeratorFactory(code="M10", home_unit=other_village)

    answer = desk.post(f"{PEOPLE}export/?status__exact=active", {"format": "1", "resource": "0"})

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["code"], row["home_unit"]) for row in rows] == [("E10", "195233000")]


def test_template_has_the_headings_and_can_be_filled_in(desk):
    book = load_workbook(io.BytesIO(desk.get(f"{PEOPLE}import/template/").content))

    headings = [cell.value for cell in book.active[1]]
    assert headings[:4] == ["code", "full_name", "other_names", "sex"]
    assert len(book.worksheets) == 2
    book.active.append(["E10", "Dana", "Дана; Danа", "female", "kk, ru", "195233000", "8 701 123 45 67"])
    written = io.BytesIO()
    book.save(written)

    assert faults(check(desk, written.getvalue())) == []


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("stranger", 302), ("enumerator", 302)])
def test_import_is_closed_to_who_may_not_write(request, client, village, role, status):
    person = request.getfixturevalue(role)
    client.force_login(getattr(person, "user", person))
    before = Enumerator.objects.count()

    addresses = [f"{PEOPLE}import/", f"{PEOPLE}import/template/"]
    assert [client.get(address).status_code for address in addresses] == [status, status]
    assert client.post(f"{PEOPLE}process_import/", {"import_file_name": "x", "format": "0"}).status_code == status
    assert Enumerator.objects.count() == before


def test_confirming_a_file_that_is_no_longer_kept_says_so(desk):
    asked = {"import_file_name": "gone", "original_file_name": "x.xlsx", "format": "0", "resource": "0"}

    answer = desk.post(f"{PEOPLE}process_import/", asked, follow=True)

    assert [str(one) for one in answer.context["messages"]] == ["The file was chosen too long ago. Choose it again."]
