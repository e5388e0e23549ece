"""A coordinator imports a list with faults: reads them, mends them, imports. On a phone and on a laptop."""

import csv
import io
from pathlib import Path

import pytest

from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from tests.browser.conftest import LANGUAGES, WIDTHS
from tests.factories.training import EnumeratorFactory
from training.models import Enumerator

IMPORT = "/admin/training/enumerator/import/"
HEAD = ["code", "full_name", "sex", "home_unit", "phone", "email"]
GOOD = [
    ["E10", "Айгерім Демо", "female", "195233000", "8 701 123 45 67", "a@example.org"],
    ["E11", "Арман Демо", "male", "Жандосов", "8 701 123 45 68", ""],
    ["E12", "Dana Demo", "female", "195233000", "", ""],
]
BAD = [
    ["E10", "", "female", "195233000", "12", "a@example.org"],
    ["E11", "Арман Демо", "мужик", "473630000", "7.70112E+10", "nobody"],
    ["Е12", "Dana Demo", "female", "195233000", "", ""],
]


def write(folder: Path, name: str, rows: list[list[str]]) -> Path:
    written = io.StringIO()
    csv.writer(written, delimiter=";").writerows([HEAD, *rows])
    path = folder / name
    path.write_text(written.getvalue(), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_faults_are_read_mended_and_the_list_imported(
    width: int, visit, coordinator: User, village: AdminUnit, other_village: AdminUnit, tmp_path: Path
) -> None:
    EnumeratorFactory(code="E12", full_name="Dana", home_unit=village)
    visitor = visit(coordinator)
    page = visitor.show(IMPORT, width=width, name="import")

    page.set_input_files("input[type=file]", write(tmp_path, "people.csv", BAD))
    page.get_by_role("button", name="Check the file").click()

    assert page.locator(".verdict .sentence").inner_text() == "Faults: 7, in rows: 3. Nothing was imported."
    visitor.look("import_faults", width=width)
    lines = page.locator(".fault-table tbody tr").all_inner_texts()
    assert len(lines) == 7
    assert "is missing" in lines[0]
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all faults (CSV)").click()
    assert len(Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()) == 8
    assert Enumerator.objects.count() == 1

    page.set_input_files("input[type=file]", write(tmp_path, "people.csv", GOOD))
    page.get_by_role("button", name="Check the file").click()

    assert page.locator(".verdict .sentence").inner_text() == "2 new, 1 changed, 0 the same."
    visitor.look("import_preview", width=width)
    page.get_by_role("button", name="Import all of it").click()

    assert "Imported: 2 new, 1 changed" in page.locator(".messagelist").inner_text()
    visitor.look("import_receipt", width=width)
    assert list(Enumerator.objects.values_list("code", "full_name")) == [
        ("E10", "Айгерім Демо"), ("E11", "Арман Демо"), ("E12", "Dana Demo"),
    ]  # fmt: skip


def test_replacement_asks_before_it_closes(visit, coordinator: User, village: AdminUnit, tmp_path: Path) -> None:
    EnumeratorFactory(code="E90", full_name="Not Listed", home_unit=village)
    visitor = visit(coordinator)
    page = visitor.show(IMPORT, width=390, name="import_replace")

    page.get_by_text("Replace the list").click()
    page.set_input_files("input[type=file]", write(tmp_path, "people.csv", GOOD))
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Import all of it").click()

    assert page.locator(".errorlist").inner_text() == "Tick this to replace the list. Nothing was imported."
    assert page.locator(".closing li").all_inner_texts() == ["Not Listed (E90)"]
    visitor.look("import_replace_asks", width=390)
    page.get_by_text("Yes, this file is the whole list").click()
    page.get_by_role("button", name="Import all of it").click()
    assert "1 closed" in page.locator(".messagelist").inner_text()
    assert Enumerator.objects.get(code="E90").status == "left"


@pytest.mark.parametrize("language", LANGUAGES)
def test_import_page_fits_in_each_language(language: str, visit, coordinator: User) -> None:
    visitor = visit(coordinator, language=language)

    for width in WIDTHS:
        page = visitor.show(IMPORT, width=width, name=f"import_{language}")
        assert page.locator("html").get_attribute("lang") == language
