"""The roster in and out as a table: what is read, what is refused, and that a refusal writes nothing."""

import csv
import io
import zipfile
from datetime import date, datetime, timedelta

import factory
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import Workbook, load_workbook

from dtm_ops.accounts.models import User
from dtm_ops.records.models import Receipt, StatusChange
from locations.models import AdminUnit
from tests.concurrently import at_once
from tests.factories.locations import AdminUnitFactory
from tests.factories.training import EnumeratorFactory
from training.models import Enumerator, EnumeratorIdentity
from training.models.enumerator import make_search_key
from training.services.identities import end_identity

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


def check(client, data, name="people.xlsx", mode="merge"):
    """The first step: choose a file."""
    file = SimpleUploadedFile(name, data)
    return client.post(f"{PEOPLE}import/", {"import_file": file, "format": "0", "resource": "0", "mode": mode})


def confirm(client, answer, **more):
    """The second: import all of it."""
    form = answer.context["confirm_form"]
    return client.post(f"{PEOPLE}process_import/", {**form.initial, **more}, follow=True)


def export(client, kind):
    """0: XLSX, 1: CSV."""
    return client.post(f"{PEOPLE}export/", {"format": kind, "resource": "0"}).content


def said(answer):
    return [str(one) for one in answer.context["messages"]]


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


@pytest.mark.parametrize(
    "asked", [{"import_file_name": "gone", "original_file_name": "x.xlsx", "format": "0", "resource": "0"}, {}]
)
def test_confirming_a_file_that_is_no_longer_kept_says_so(desk, asked):
    answer = desk.post(f"{PEOPLE}process_import/", asked, follow=True)

    assert [str(one) for one in answer.context["messages"]] == ["The file was chosen too long ago. Choose it again."]


@pytest.fixture
def roster(village, district):
    """300 people with every attribute, some of them written as no spreadsheet likes it."""
    odd = ["=1+1", "'=1+1", "-5", "@home", "+77011234567", "#N/A", "007", "1e5", "a\r\nb", "Ә, ұ; «ғ»", "  x"]
    return EnumeratorFactory.create_batch(
        300,
        home_unit=factory.Iterator([village, district]),
        sex=factory.Iterator(["female", "male"]),
        full_name=factory.Sequence(lambda number: f"Айгерім Демо {number}"),
        other_names=factory.Sequence(lambda number: [f"Aigerim Demo {number}", "Айгерим"] if number % 3 else []),
        languages=factory.Iterator([["kk", "ru"], ["en"], []]),
        phone=factory.Sequence(lambda number: f"+7701{number % 10**7:07}" if number % 4 else ""),
        email=factory.Sequence(lambda number: f"p{number}@example.org" if number % 5 else ""),
        organisation=factory.Iterator([*odd, ""]),
        terms_of_reference=factory.Iterator(["TOR-1", "", *odd]),
        contract_from=factory.Iterator([date(2022, 11, 10), None]),
        contract_to=factory.Iterator([date(2023, 11, 10), None, None]),
        has_vehicle=factory.Iterator([True, False]),
        kobo_username=factory.Sequence(lambda number: f"kobo{number}" if number % 2 else ""),
        status=factory.Iterator(["active", "inactive", "left"]),
    )


@pytest.mark.parametrize("mode", ["merge", "replace"])
@pytest.mark.parametrize("kind", ["0", "1"], ids=["xlsx", "csv"])
def test_roster_of_300_comes_back_without_a_change(desk, roster, kind, mode):
    before = list(Enumerator.objects.values())
    events = Enumerator.pgh_event_model.objects.count()

    answer = check(desk, export(desk, kind), mode=mode)

    assert answer.context["verdict"] == "0 changes: 300 rows are the same as here."
    assert (answer.context["result"].changes, answer.context["result"].closing) == ([], [])
    confirm(desk, answer, sure="on")
    assert list(Enumerator.objects.values()) == before
    assert Enumerator.pgh_event_model.objects.count() == events


def test_20_planted_faults_are_told_at_once_by_line_and_column(desk, roster, other_village):
    EnumeratorFactory(code="M10", home_unit=other_village, kobo_username="taken")
    before = list(Enumerator.objects.order_by("pk").values())
    book = load_workbook(io.BytesIO(export(desk, "0")))
    sheet = book.active
    columns = {cell.value: cell.column for cell in sheet[1]}
    twice = sheet.cell(40, columns["code"]).value
    planted = [
        (3, "full_name", None, "is missing"),
        (5, "sex", "woman", "“woman” is none of: female, male"),
        (7, "phone", "12", "“12” is not a phone number."),
        (9, "phone", "7.70112E+10", "“7.70112E+10” has lost digits in a spreadsheet: write the phone as text"),
        (11, "contract_from", "31.02.2022", "“31.02.2022” is not a date: write 2022-11-10 or 10.11.2022"),
        (13, "contract_from", "2030-01-01", None),
        (13, "contract_to", "2029-01-01", "The contract ends before it begins."),
        (15, "home_unit", "123", "“123” is no place of the gazetteer within your area"),
        (17, "home_unit", "473630000", "“473630000” (Boranqul) lies outside your area"),
        (19, "home_unit", "Zhandosau", "“Zhandosau” is no place of the gazetteer within your area"),
        (21, "email", "nobody", "Enter a valid email address."),
        (23, "languages", "русский!", "write the languages as codes with commas: kk, ru"),
        (25, "languages", "кк", "“кк” is in Cyrillic letters: write kk, ru"),
        (27, "kobo_username", "taken", "Another enumerator has this Kobo user name: a person outside your area."),
        (29, "code", "Е07", "the Е in “Е07” is a Cyrillic letter that looks like the Latin E"),
        (31, "code", "E 7", "Capital Latin letters, digits and hyphens only."),
        (33, "organisation", "x" * 121, "Ensure this value has at most 120 characters (it has 121)."),
        (35, "has_vehicle", "perhaps", "“perhaps” is none of: yes, no"),
        (38, "code", twice, "stands in the file more than once: lines 38, 40"),
        (40, "code", twice, "stands in the file more than once: lines 38, 40"),
        (42, "full_name", "?йгерім", "“?йгерім” has lost letters: save the file as .xlsx or CSV UTF-8"),
    ]
    for line, column, value, _sentence in planted:
        sheet.cell(line, columns[column]).value = value
        if column == "code":  # the row is another person's now, and so is the name
            sheet.cell(line, columns["kobo_username"]).value = None

    answer = check(desk, sheet_of(book))

    wanted = [(str(line), column, sentence) for line, column, _value, sentence in planted if sentence]
    assert len(wanted) == 20
    assert faults(answer) == wanted
    assert answer.context["verdict"] == "Faults: 20, in rows: 20. Nothing was imported."
    assert answer.context["faults"][1].value == "woman"
    assert list(Enumerator.objects.order_by("pk").values()) == before
    download = desk.get(answer.context["faults_address"])
    rows = list(csv.reader(io.StringIO(download.content.decode("utf-8-sig"))))
    assert [row[:3] for row in rows[1:]] == [list(one) for one in wanted]


@pytest.mark.parametrize("language", ["ru", "kk"])
def test_faults_are_told_in_the_reader_s_language(desk, coordinator, language):
    User.objects.filter(pk=coordinator.pk).update(language=language)

    (fault,) = faults(check(desk, workbook(HEAD, ["E10", "Dana", "woman", "195233000", ""])))

    assert fault[:2] == ("2", "sex")
    assert "woman" in fault[2]
    assert "is none of" not in fault[2]


def test_change_is_shown_with_old_and_new_value_and_leaves_a_receipt(desk, village):
    person = EnumeratorFactory(code="E10", full_name="Old Name", home_unit=village, phone="+77010000000")
    EnumeratorFactory(code="E11", full_name="Same", home_unit=village)
    rows = [["E10", "Дана Демо", "female", "195233000", None], ["E11", "Same", "female", "195233000", None],
            ["E12", "New", "ж", "Zhandosov", "8 701 000 00 01"]]  # fmt: skip

    answer = check(desk, workbook(HEAD, *rows))

    assert answer.context["verdict"] == "1 new, 1 changed, 1 the same."
    assert [(one.line, one.is_new, one.cells) for one in answer.context["result"].changes] == [
        ("2", False, (("full_name", "Old Name", "Дана Демо"),)),
        (
            "4",
            True,
            (
                ("code", "", "E12"),
                ("full_name", "", "New"),
                ("sex", "", "female"),
                ("home_unit", "", "Zhandosov (195233000)"),
                ("phone", "", "+77010000001"),
            ),
        ),
    ]
    done = confirm(desk, answer)
    person.refresh_from_db()
    assert (person.full_name, person.phone) == ("Дана Демо", "+77010000000")
    keys = dict(Enumerator.objects.values_list("code", "search_key"))
    assert keys == {one.code: make_search_key(one.full_name, one.other_names) for one in Enumerator.objects.all()}
    receipt = Receipt.objects.get()
    assert [(line["key"], line["done"]) for line in receipt.lines] == [("E10", "changed: full_name"), ("E12", "added")]
    assert done.redirect_chain[-1][0] == f"{PEOPLE}import/receipt/{receipt.pk}/"
    assert said(done) == ["Imported: 1 new, 1 changed, 1 the same as before."]


def test_receipt_is_read_by_who_imported_and_by_nobody_else(client, desk, administrator):
    done = confirm(desk, check(desk, workbook(HEAD, GOOD)))
    address = done.redirect_chain[-1][0]
    assert desk.get(address).status_code == 200

    client.force_login(administrator)

    assert client.get(address).status_code == 404
    assert client.get(f"{PEOPLE}import/receipt/x/").status_code == 404


def test_imported_people_have_identities_and_audit_as_if_typed(desk, village):
    EnumeratorFactory(code="E11", home_unit=village, phone="+77010000001")
    events = Enumerator.pgh_event_model.objects

    confirm(desk, check(desk, workbook(HEAD, GOOD, ["E11", "Changed", "female", "195233000", "8 701 000 00 02"])))

    kept = EnumeratorIdentity.objects.order_by("enumerator__code", "pk").values_list("enumerator__code", "value")
    assert list(kept) == [("E10", "+77011234567"), ("E11", "+77010000001"), ("E11", "+77010000002")]
    who = desk.session["_auth_user_id"]
    labels = events.order_by("pgh_id").values_list("pgh_obj__code", "pgh_label", "pgh_context__metadata__user")
    assert list(labels)[1:] == [("E10", "insert", int(who)), ("E11", "update", int(who))]


@pytest.mark.parametrize(("mode", "phone"), [("merge", "+77010000000"), ("replace", "")])
def test_blank_cell_keeps_in_a_merge_and_empties_in_a_replacement(desk, village, mode, phone):
    EnumeratorFactory(code="E10", full_name="Dana Demo", home_unit=village, phone="+77010000000")

    confirm(desk, check(desk, workbook(HEAD, [*GOOD[:4], None]), mode=mode), sure="on")

    assert Enumerator.objects.get().phone == phone


@pytest.fixture
def replaced(desk, village, other_village):
    """A list without E12 and E13; E14 has left before, M10 is elsewhere."""
    for code, status in [("E10", "active"), ("E11", "left"), ("E12", "active"), ("E13", "inactive"), ("E14", "left")]:
        EnumeratorFactory(code=code, full_name=f"Person {code}", home_unit=village, status=status)
    EnumeratorFactory(code="M10", home_unit=other_village)
    rows = [["E10", "Person E10", "female", "195233000", ""], ["E11", "Person E11", "female", "195233000", ""]]
    return check(desk, workbook(HEAD, *rows), mode="replace")


def statuses():
    return dict(Enumerator.objects.values_list("code", "status"))


def test_replacement_names_whom_it_would_close_and_asks(desk, replaced):
    before = statuses()
    assert replaced.context["verdict"] == "0 new, 0 changed, 2 the same, 2 closed."
    assert [one.code for one in replaced.context["result"].closing] == ["E12", "E13"]
    assert replaced.context["result"].remarks == ["Left already, and not taken back by the import: Person E11 (E11)."]
    assert b"Person E12 (E12)" in replaced.content
    assert b"open work stays assigned" in replaced.content

    asked = confirm(desk, replaced)

    assert asked.context["confirm_form"].errors == {"sure": ["Tick this to replace the list. Nothing was imported."]}
    assert [one.code for one in asked.context["result"].closing] == ["E12", "E13"]
    assert statuses() == before
    assert Receipt.objects.count() == 0


def test_replacement_closes_who_is_not_listed_with_reason_and_receipt(desk, replaced):
    confirm(desk, replaced, sure="on")

    assert statuses() == {
        "E10": "active", "E11": "left", "E12": "left", "E13": "left", "E14": "left", "M10": "active",
    }  # fmt: skip
    reason = "Not in the list that replaced the roster: people.xlsx"
    told = Enumerator.objects.filter(status_reason=reason, status_since=timezone.localdate())
    assert list(told.values_list("code", flat=True)) == ["E12", "E13"]
    assert sorted(StatusChange.objects.values_list("old", "new", "text")) == [
        ("active", "left", reason), ("inactive", "left", reason),
    ]  # fmt: skip
    assert [line["key"] for line in Receipt.objects.get().lines] == ["E12", "E13"]


@pytest.mark.parametrize("change", [{"full_name": "Somebody typed"}, {"phone": "+77019999999"}])
def test_person_changed_since_the_check_undoes_the_import(desk, village, change):
    EnumeratorFactory(code="E11", full_name="Arman", sex="male", home_unit=village, phone="+77010000000")
    answer = check(desk, workbook(HEAD, GOOD, ["E11", "Arman", "male", "195233000", "8 701 000 00 00"]))
    assert answer.context["verdict"] == "1 new, 0 changed, 1 the same."
    Enumerator.objects.filter(code="E11").update(**change)

    done = confirm(desk, answer)

    assert said(done) == ["Something changed since the check: nothing was imported. Choose the file again to see what."]
    assert not Enumerator.objects.filter(code="E10").exists()
    assert Enumerator.objects.filter(code="E11", **change).exists()


def test_person_who_came_since_the_check_is_not_closed_unseen(desk, village, replaced):
    EnumeratorFactory(code="E99", home_unit=village)

    done = confirm(desk, replaced, sure="on")

    assert "nothing was imported" in said(done)[0]
    assert statuses()["E12"] == "active"


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_leave_one_of_them_whole(coordinator, village):
    def make(name):
        client = Client()
        client.force_login(coordinator)
        rows = [[f"E{number}", f"{name} {number}", "female", "195233000", ""] for number in range(10, 40)]
        answer = check(client, workbook(HEAD, *(rows if name == "First" else reversed(rows))))
        return lambda: confirm(client, answer)

    answers = at_once(make("First"), make("Second"))

    assert sorted(said(answer)[0].split()[0] for answer in answers) == ["Imported:", "Something"]
    names = {name.split()[0] for name in Enumerator.objects.values_list("full_name", flat=True)}
    assert (Enumerator.objects.count(), len(names), Receipt.objects.count()) == (30, 1, 1)


def test_place_is_read_in_words_in_any_script_and_names_its_candidates(desk, region, district, village):
    AdminUnit.objects.filter(pk=district.pk).update(names={"en": "Karasay", "ru": "Карасай"})
    second = AdminUnitFactory(code="195900000", parent=region, names={"en": "Karasay"})
    third = AdminUnitFactory(parent=second, names={"en": "Zhanatalap", "kk": "Жаңаталап"})
    words = ["Карасай", "Жандосов, Карасай", "Zhanatalap, Almaty region", "Жаңаталап", "195200000"]
    rows = [[f"E{number}", "Dana", "female", place, ""] for number, place in enumerate(words)]

    answer = check(desk, workbook(HEAD, *rows))

    assert faults(answer) == [
        (
            "2",
            "home_unit",
            "“Карасай” may be: Karasay, Almaty region (195200000); Karasay, Almaty region (195900000)."
            " Write the number, or the name with its region",
        )
    ]
    confirm(desk, check(desk, workbook(HEAD, *rows[1:])))
    homes = dict(Enumerator.objects.values_list("code", "home_unit"))
    assert homes == {"E1": village.pk, "E2": third.pk, "E3": third.pk, "E4": district.pk}


def test_code_of_the_classifier_means_the_place_in_force_today(desk, region):
    old = AdminUnitFactory(
        code="195500000", unit_id="195500000-1", parent=region, names={"en": "Old"}, valid_to=date(2022, 6, 7)
    )
    gone = AdminUnitFactory(
        code="195600000", unit_id="195600000-1", parent=region, names={"en": "Gone"}, valid_to=date(2022, 6, 7)
    )
    now = AdminUnitFactory(
        code="195500000", unit_id="195500000-2", parent=region, names={"en": "New"}, valid_from=date(2022, 6, 8)
    )
    rows = [["E1", "Dana", "female", "195500000", ""], ["E2", "Dana", "female", old.unit_id, ""]]

    confirm(desk, check(desk, workbook(HEAD, *rows)))

    assert dict(Enumerator.objects.values_list("code", "home_unit")) == {"E1": now.pk, "E2": old.pk}
    refused = check(desk, workbook(HEAD, ["E3", "Dana", "female", gone.code, ""]))
    assert faults(refused) == [("2", "home_unit", "“195600000” (Gone) was in force until 7 Jun 2022")]


def sheet_of(book):
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def test_formulas_and_errors_of_a_workbook_are_told_and_dates_as_numbers_are_read(desk):
    answer = check(
        desk,
        workbook(
            [*HEAD, "contract_from"],
            ["E10", "=CONCAT(1)", "female", "195233000", "8 701 123 45 67", 44875],
            ["E11", "#N/A", "female", "195233000", 77011234567, datetime(2022, 11, 10)],  # noqa: DTZ001  a cell has none
            ["E12", "Dana", "female", 195233000, 77011234567.0, "10.11.2022"],
        ),
    )

    assert faults(answer) == [
        ("2", "full_name", "the cell holds =CONCAT(1) instead of a value"),
        ("3", "full_name", "the cell holds #N/A instead of a value"),
    ]
    confirm(desk, check(desk, workbook([*HEAD, "contract_from"], [*GOOD, 44875])))
    assert Enumerator.objects.get().contract_from == date(2022, 11, 10)


def test_hidden_sheets_titles_and_blank_rows_are_passed_over(desk):
    book = Workbook()
    book.active.title, book.active.sheet_state = "old", "hidden"
    book.active.append(["nothing"])
    sheet = book.create_sheet("people")
    for row in [["The roster of 2022"], [], ["Code", "Full name", "Пол", "home_unit", "phone"], [], GOOD, []]:
        sheet.append(row)
    sheet.merge_cells("A1:E1")
    book.active = 1

    answer = check(desk, sheet_of(book))

    assert (faults(answer), answer.context["verdict"]) == ([], "1 new, 0 changed, 0 the same.")
    assert answer.context["result"].changes[0].line == "5"


def test_two_headings_of_one_column_are_refused(desk):
    refused = check(desk, text([*HEAD, "Full Name"], [*GOOD, "x"]).encode(), "people.csv")

    assert faults(refused) == ["The heading Full Name, full_name stands there twice."]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"], ids=["Mac", "Unix", "Windows"])
def test_any_line_end_is_read(desk, end):
    data = end.join([";".join(HEAD), ";".join(GOOD), ""]).encode("cp1251")

    assert check(desk, data, "people.csv").context["verdict"] == "1 new, 0 changed, 0 the same."


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_file_of_50_000_rows_is_refused_in_words(desk, kind):
    rows = [HEAD[:2], *([f"E{number}", "D"] for number in range(50_000))]
    data = text(*rows).encode() if kind == "csv" else large_workbook(rows)

    assert faults(check(desk, data)) == ["The sheet is too large: at most 10000 rows at once."]


def large_workbook(rows):
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    return sheet_of(book)


def test_workbook_that_unfolds_into_more_is_refused(desk):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (101 * 1024 * 1024))

    assert faults(check(desk, written.getvalue())) == ["The workbook is too large when unpacked."]


def test_check_asks_the_database_as_often_for_one_row_as_for_many(desk, village):
    def ask(number):
        rows = [[f"N{one}", "Dana", "female", "195233000", f"8 701 000 00 {one:02}"] for one in range(10, 10 + number)]
        with CaptureQueriesContext(connection) as asked:
            assert faults(check(desk, workbook(HEAD, *rows))) == []
        return len(asked)

    ask(1)
    assert ask(1) == ask(50)


def test_every_constraint_of_the_roster_is_told_as_a_fault_of_its_row(desk, village):
    """Bulk rows are not asked of the database one by one: what it would refuse is told before."""
    EnumeratorFactory(code="E50", full_name="Aigerim", home_unit=village, kobo_username="taken")
    told = {
        "enumerator_kobo_username_once": ["kobo_username", "taken"],
        "enumerator_contract_in_order": ["contract_to", "2022-01-01"],
        "enumerator_phone_e164": ["phone", "1"],
    }
    elsewhere = {"enumerator_status_known", "enumerator_merged_has_left"}  # columns that are not imported
    assert {one.name for one in Enumerator._meta.constraints} == told.keys() | elsewhere

    for column, value in told.values():
        row = {**dict(zip(HEAD, GOOD, strict=True)), "contract_from": "2022-11-10", column: value}
        assert [fault[1] for fault in faults(check(desk, workbook(list(row), list(row.values()))))] == [column]


def test_kobo_name_twice_in_the_file_and_one_that_was_given_by_hand_are_refused(desk, village):
    person = EnumeratorFactory(code="E50", full_name="Aigerim", home_unit=village)
    EnumeratorIdentity.objects.create(enumerator=person, kind="kobo", value="old-one")
    head = [*HEAD, "kobo_username"]

    answer = check(desk, workbook(head, ["E1", *GOOD[1:], "x"], ["E2", *GOOD[1:], "x"], ["E3", *GOOD[1:], "old-one"]))

    assert faults(answer) == [
        ("2", "kobo_username", "stands in the file more than once: lines 2, 3"),
        ("3", "kobo_username", "stands in the file more than once: lines 2, 3"),
        ("4", "kobo_username", "Another enumerator has this Kobo user name: Aigerim (E50)."),
    ]


def test_kobo_name_given_up_today_goes_on_when_the_same_person_has_it_again(desk, village):
    person = EnumeratorFactory(code="E50", home_unit=village, kobo_username="aigerim")
    end_identity(person.identities.get(), on=timezone.localdate())

    done = confirm(desk, check(desk, workbook(["code", "full_name", "sex", "home_unit", "kobo_username"],
                                              ["E50", *GOOD[1:4], "aigerim"])))  # fmt: skip

    assert said(done) == ["Imported: 0 new, 1 changed, 0 the same as before."]
    assert list(person.identities.values_list("value", "valid_to")) == [("aigerim", None)]


def test_kobo_name_of_another_until_today_or_from_a_day_to_come_is_refused(desk, village):
    today = timezone.localdate()
    person = EnumeratorFactory(code="E50", full_name="Aigerim", home_unit=village, kobo_username="until-today")
    end_identity(person.identities.get(), on=today)
    EnumeratorIdentity.objects.create(enumerator=person, kind="kobo", value="next", valid_from=today + timedelta(9))
    head = [*HEAD, "kobo_username"]

    answer = check(desk, workbook(head, ["E1", *GOOD[1:], "until-today"], ["E2", *GOOD[1:], "next"]))

    said_of = [(line, column, sentence.partition(": ")[2][:21]) for line, column, sentence in faults(answer)]
    assert said_of == [
        ("2", "kobo_username", "Aigerim (E50), until "),
        ("3", "kobo_username", "Aigerim (E50), since "),
    ]
    assert Enumerator.objects.count() == 1


def test_merged_person_is_not_changed_any_more(desk, village):
    kept = EnumeratorFactory(code="E50", full_name="Aigerim", home_unit=village)
    EnumeratorFactory(code="E51", full_name="Twin", home_unit=village, status="left", merged_into=kept)

    answer = check(desk, workbook(HEAD, ["E51", "Twin sister", "female", "195233000", ""]))

    assert faults(answer) == [("2", "code", "this entry was merged into Aigerim (E50): change that one")]


def test_page_of_10_000_faults_stays_light(desk):
    rows = [[f"E{number}", "Dana", "woman", "1", "x"] for number in range(5_000)]

    answer = check(desk, text(HEAD, *rows).encode(), "people.csv")

    assert answer.context["verdict"] == "Faults: 15000, in rows: 5000. Nothing was imported."
    assert len(answer.content) < 200_000
    assert desk.get(answer.context["faults_address"]).content.count(b"\n") == 15_001
