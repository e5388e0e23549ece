import csv
import io
import json
import re
from datetime import date, datetime

import pytest
from django.core.management import CommandError, call_command
from openpyxl import Workbook

from locations.models import AdminUnit
from locations.services import GazetteerRefused, load_gazetteer, read_rows
from tests.factories.locations import AdminUnitFactory, CountryFactory

pytestmark = pytest.mark.django_db

HEADER = (
    "unit_id,code,level,unit_type,parent_id,name_en,valid_from,valid_to,predecessors,latitude,longitude,time_zone\n"
)
COUNTRY = "0,0,0,country,,Country,,,,,,Asia/Almaty\n"
SMALL = (
    HEADER + COUNTRY + "1-old,1,1,region,0,Old,,2022-06-07,,,,\n"
    "1,1,1,region,0,New,2022-06-08,,1-old,48.5,80.25,\n"
    "1-1,11,2,district,1,District,,,,,,\n"
)


def make_workbook(text, *, merged=""):
    """The table as Excel would hold it: numbers and days are no text."""
    book = Workbook()
    for row in csv.reader(io.StringIO(text)):
        book.active.append([int(cell) if cell.isdigit() else day_of(cell) or cell or None for cell in row])
    if merged:
        book.active.merge_cells(merged)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def day_of(cell):
    return datetime.fromisoformat(cell) if re.match(r"\d{4}-\d\d-\d\d", cell) else None


def load(text, *, dry_run=False):
    return load_gazetteer(read_rows(text.encode()), dry_run=dry_run)


def problems(text):
    with pytest.raises(GazetteerRefused) as refused:
        load(text)
    assert AdminUnit.objects.count() == 0
    return [(problem.row, problem.column, problem.message) for problem in refused.value.problems]


def test_load_writes_units_with_paths_and_predecessors():
    outcome = load(SMALL)

    assert outcome.as_dict() == {"added": 4, "changed": 0, "unchanged": 0, "decided": 0, "kept": 0, "dry_run": False}
    assert list(AdminUnit.objects.order_by("path").values_list("path", "predecessors__unit_id")) == [
        ("0/", None),
        ("0/1-old/", None),
        ("0/1/", "1-old"),
        ("0/1/1-1/", None),
    ]


def test_second_load_changes_nothing_and_writes_no_history():
    load(SMALL)
    events = AdminUnit.pgh_event_model.objects.count()

    assert load(SMALL).as_dict() == {
        "added": 0,
        "changed": 0,
        "unchanged": 4,
        "decided": 0,
        "kept": 0,
        "dry_run": False,
    }
    assert AdminUnit.pgh_event_model.objects.count() == events


def test_changed_rows_alone_are_written():
    load(SMALL)

    outcome = load(SMALL.replace("District", "Town").replace(",1-old,48.5", ",,48.5"))

    assert (outcome.added, outcome.changed, outcome.unchanged) == (0, 2, 2)
    assert AdminUnit.objects.get(unit_id="1-1").names == {"en": "Town"}
    assert not AdminUnit.objects.get(unit_id="1").predecessors.exists()


def test_dates_of_two_namesakes_move_together():
    load(SMALL)

    load(SMALL.replace("2022-06-08", "2023-01-01").replace("2022-06-07", "2022-12-31"))
    load(SMALL)

    assert AdminUnit.objects.filter(code="1").count() == 2


def test_dry_run_counts_and_writes_nothing():
    outcome = load(SMALL, dry_run=True)

    assert (outcome.added, AdminUnit.objects.count()) == (4, 0)


def test_part_of_a_country_hangs_below_units_that_are_here_and_deletes_none():
    load(SMALL)

    outcome = load(HEADER + "1-1-1,111,3,village,1-1,Village,,,,,,\n")

    assert (outcome.added, outcome.kept) == (1, 4)
    assert AdminUnit.objects.get(unit_id="1-1-1").path == "0/1/1-1/1-1-1/"


def test_unit_that_moves_takes_along_what_the_file_does_not_name():
    load(SMALL)
    load(HEADER + "2,2,1,region,0,Other,,,,,,\n1-1-1,111,3,village,1-1,Village,,,,,,\n")

    load(HEADER + "1-1,11,2,district,2,District,,,,,,\n")

    assert AdminUnit.objects.get(unit_id="1-1-1").path == "0/2/1-1/1-1-1/"


def test_every_problem_of_every_row_is_told_at_once():
    text = (
        HEADER
        + COUNTRY
        + (
            "a,1,1,region,nowhere,A,,,,,,\n"
            "b,2,1,region,0,,,,,,,\n"
            "c,3,7,region,0,C,8 June,2022-02-30,,,,\n"
            "d d,4,1,region,0,D,,,,,,Asia/Nowhere\n"
            "e,5,1,region,0,E,2022-06-08,2022-06-07,,,,\n"
            "f,6,1,region,0,F,,,f|ghost,99,12,\n"
            "f,7,1,region,0,F,,,,48,,\n"
            ",8,1,,0,G,,,,x,1,\n"
        )
    )

    assert [(row, column) for row, column, _message in problems(text)] == [
        (3, "parent_id"),
        (4, "name"),
        (5, "level"), (5, "valid_from"), (5, "valid_to"),
        (6, "time_zone"), (6, "unit_id"),
        (7, "valid_to"),
        (8, "latitude"), (8, "predecessors"), (8, "predecessors"),
        (9, "latitude"), (9, "unit_id"),
        (10, "latitude"), (10, "unit_id"), (10, "unit_type"),
    ]  # fmt: skip


def test_problems_between_units_are_told_in_words():
    text = (
        HEADER
        + COUNTRY
        + (
            "a,1,1,region,b,A,,,,,,\n"
            "b,2,2,district,a,B,,,,,,\n"
            "c,3,1,region,0,C,,2022-06-07,,,,\n"
            "d,3,1,region,0,D,2022-06-07,,,,,\n"
            "e,4,1,district,c,E,,,,,,\n"
            "f,5,2,district,c,F,2023-01-01,,,,,\n"
            "g,6,1,region,,G,,,,,,\n"
        )
    )

    assert problems(text) == [
        (3, "parent_id", "A place cannot lie within itself: a > b > a."),
        (4, "parent_id", "A place cannot lie within itself: b > a > b."),
        (6, "code", "“c” has the code 3 at the same time."),
        (7, "level", "Level 1 is not below level 1 of “c”, of which the place is a part."),
        (8, "parent_id", "“c” is in force on none of the place's days."),
        (9, "parent_id", "Every place but the country is part of another place."),
    ]  # fmt: skip


def test_code_of_a_unit_that_is_here_is_refused():
    AdminUnitFactory(code="191000000")
    row = "x,191000000,1,region,000000000,X,,,,,,\n"

    with pytest.raises(GazetteerRefused, match="Row 2, code: “191000000” has the code 191000000 at the same time"):
        load(HEADER + row)

    assert AdminUnit.objects.filter(unit_id="x").count() == 0


def test_change_that_breaks_a_unit_outside_the_file_is_refused():
    load(SMALL)

    with pytest.raises(GazetteerRefused, match="1-1: Level 2 is not below level 2 of “1”"):
        load(HEADER + "9,9,1,region,0,Nine,,,,,,\n1,1,2,district,9,New,2022-06-08,,,,,\n")

    assert AdminUnit.objects.get(unit_id="1").level == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b"\n \n", "The file is empty."),
        (SMALL.encode() + b"\x00", "Row 6, unit_id: The cell contains a NUL character."),
        (
            b'unit_id,code\n"1,2\n',
            "Line 2 cannot be read: a quotation mark is not closed, or the line is not a table's.",
        ),
        (b"%PDF-1.7", "This is a PDF, not a table. Choose an .xlsx or .csv file."),
        (b"unit_id,code,level,unit_type,name_en\n", "The column “parent_id” is missing."),
        (b"unit_id,code,level,unit_type,parent_id\n", "There is no column of names, like “name_en”."),
        (HEADER.replace("latitude", "lat").encode(), "The column “lat” is not known."),
        (HEADER.replace("latitude", "code").encode(), "The heading code stands there twice."),
        ((HEADER + "1" + "," * 12 + "2\n").encode(), "More cells than headings in line 2."),
        ((HEADER + COUNTRY * 40_001).encode(), "The sheet is too large: at most 40000 rows at once."),
    ],
)
def test_file_that_cannot_be_read_is_refused_with_one_line(content, message):
    with pytest.raises(GazetteerRefused) as refused:
        read_rows(content)

    assert str(refused.value) == message


def test_mark_of_utf_8_blank_rows_and_windows_line_ends_do_not_matter():
    text = "\ufeff" + SMALL.replace("\n", "\r\n\r\n")

    assert load(text).added == 4


@pytest.mark.parametrize(
    "content",
    [
        SMALL.encode("utf-16"),
        SMALL.replace("Old", "Абай").encode("cp1251"),
        SMALL.replace(",", ";").encode(),
        SMALL.replace("\n", "\r").encode(),
        make_workbook(SMALL),
    ],
    ids=["UTF-16", "Windows-1251", "semicolons", "line ends of a Mac", "a workbook"],
)
def test_file_from_any_office_is_read(content):
    load_gazetteer(read_rows(content))

    assert sorted(AdminUnit.objects.values_list("unit_id", "valid_to")) == [
        ("0", None), ("1", None), ("1-1", None), ("1-old", date(2022, 6, 7)),
    ]  # fmt: skip


def test_heading_of_merged_cells_is_refused_in_words():
    with pytest.raises(GazetteerRefused, match=r"The headings are merged cells \(A1:B1\)"):
        read_rows(make_workbook(SMALL, merged="A1:B1"))


def test_command_prints_one_json_object_and_leaves_with_an_error(tmp_path, capsys):
    file = tmp_path / "units.csv"
    file.write_text(HEADER + "a,1,1,region,nowhere,A,,,,,,\n", encoding="utf-8")

    with pytest.raises(CommandError, match="Row 2, parent_id: There is no unit “nowhere”"):
        call_command("load_gazetteer", str(file), "--json")

    told = {"row": 2, "column": "parent_id", "message": "There is no unit “nowhere”."}
    assert json.loads(capsys.readouterr().out) == {"errors": [told]}


def test_command_without_the_file_says_so(tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        call_command("load_gazetteer", str(tmp_path / "none.csv"))


def test_command_tells_what_it_did(tmp_path, capsys):
    file = tmp_path / "units.csv"
    file.write_text(SMALL, encoding="utf-8")
    CountryFactory(code="0")

    call_command("load_gazetteer", str(file), "--dry-run")
    call_command("load_gazetteer", str(file), "--json")

    told, done = capsys.readouterr().out.splitlines()
    assert told == "3 added, 1 changed, 0 unchanged. Only tried: nothing was written."
    assert json.loads(done) == {"added": 3, "changed": 1, "unchanged": 0, "decided": 0, "kept": 0, "dry_run": False}
