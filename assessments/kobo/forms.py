"""The shipped XLSForms: read from their sheets of plain text, written as ``.xlsx``, described as KoboToolbox does.

A form is a folder of ``xlsforms/``: ``survey.csv``, ``choices.csv``, ``settings.csv`` (XLSForm's own columns) and
``mapping.json``. ``places.csv`` beside the folders holds the places of the gazetteer as choices; a form that asks for
places gets them. The ``.xlsx`` is generated and kept for people who upload by hand; nothing here reads it.
"""

import csv
import datetime as dt
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import Workbook

FOLDER = Path(__file__).resolve().parent.parent / "xlsforms"
KINDS = ("baseline_area", "baseline_sub_area", "survey", "flow_monitoring", "registration")
LANGUAGES = ("English (en)", "Русский (ru)", "Қазақша (kk)")
PLACE_COLUMNS = ("list_name", "name", *(f"label::{language}" for language in LANGUAGES), "parent")

Row = dict[str, str]

# XLSForm writes these once a language; Kobo's content holds one list of texts.
_TRANSLATED = ("label", "hint", "constraint_message")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CREATED = dt.datetime(2022, 11, 10, tzinfo=dt.UTC).replace(tzinfo=None)
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")


@dataclass(frozen=True, slots=True)
class XlsForm:
    """The three sheets as they are written, places merged in. Cells are text; an empty cell is ""."""

    kind: str
    survey: list[Row]
    choices: list[Row]
    settings: Row


def read_form(kind: str) -> XlsForm:
    """Read a shipped form. An unknown kind raises ``FileNotFoundError``."""
    folder = FOLDER / kind
    survey = read_sheet(folder / "survey.csv")
    choices = read_sheet(folder / "choices.csv")
    asked = {row["type"].split()[1] for row in survey if row["type"].startswith(("select_one ", "select_multiple "))}
    choices += [row for row in read_sheet(FOLDER / "places.csv") if row["list_name"] in asked]
    return XlsForm(kind, survey, choices, read_sheet(folder / "settings.csv")[0])


def read_mapping(kind: str) -> object:
    """Return the JSON beside the form, unchecked: ``load_mapping`` checks."""
    return json.loads((FOLDER / kind / "mapping.json").read_text(encoding="utf-8"))


def read_sheet(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def form_version(kind: str) -> int:
    """Return the major version: ``"1.0"`` is 1. People are certified for it; wording alone raises the minor one."""
    return int(read_sheet(FOLDER / kind / "settings.csv")[0]["version"].split(".")[0])


def write_xlsx(form: XlsForm, path: Path) -> None:
    """Write the form as a workbook. The same form gives the same bytes, on whatever day it is written."""
    book = Workbook(write_only=True)
    for title, rows in (("survey", form.survey), ("choices", form.choices), ("settings", [form.settings])):
        sheet = book.create_sheet(title)
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append([value or None for value in row.values()])
    book.properties.creator = "DTM Ops"
    book.properties.created = _CREATED
    raw = io.BytesIO()
    book.save(raw)
    path.write_bytes(_freeze_dates(raw.getvalue()))


def form_content(kind: str) -> dict[str, Any]:
    """Return the form as the ``content`` of a KoboToolbox asset, deterministic ``$kuid`` included.

    As at Kobo, the title is not part of it (it is the asset's name) and empty cells are absent.
    """
    form = read_form(kind)
    settings = {name: value for name, value in form.settings.items() if value and name != "form_title"}
    settings["id_string"] = settings.pop("form_id")
    survey = _describe_survey(form.survey)
    choices = [_describe_choice(row) for row in form.choices]
    return {
        "schema": "1",
        "survey": survey,
        "choices": choices,
        "settings": settings,
        "translated": sorted(name for name in _TRANSLATED if any(name in row for row in survey)),
        "translations": list(LANGUAGES),
    }


def make_places(units: Iterable[Mapping[str, str]]) -> list[Row]:
    """Return the choices of places from rows of a gazetteer's facts (columns of ``locations/data/*.csv``).

    Units of level 1 to 3 that have no end. The choice's name is the ``unit_id``, ``parent`` drives the cascade region,
    district, sub-area. A city of republican significance stands among the districts a second time, under itself
    (the district form is about the whole city), and its districts stand among the sub-areas.
    """
    current = [unit for unit in units if unit["level"] in ("1", "2", "3") and not unit["valid_to"]]
    cities = {unit["unit_id"] for unit in current if unit["level"] == "1" and unit["unit_type"] == "city_republican"}
    places = []
    for unit in current:
        own_city = unit["parent_id"] in cities
        level = {"1": "region", "2": "sub_area" if own_city else "district", "3": "sub_area"}[unit["level"]]
        parent = "" if unit["level"] == "1" else unit["parent_id"]
        places.append(_make_place(level, unit["unit_id"], _name_place(unit), parent))
        if unit["unit_id"] in cities:
            whole = [
                f"{name} ({word})"
                for name, word in zip(_name_place(unit), ("whole city", "весь город", "бүкіл қала"), strict=True)
            ]
            places.append(_make_place("district", unit["unit_id"], whole, unit["unit_id"]))
    order = ["region", "district", "sub_area"]
    russian = f"label::{LANGUAGES[1]}"
    return sorted(places, key=lambda row: (order.index(row["list_name"]), row["parent"], row[russian], row["name"]))


def write_places(places: Iterable[Row], path: Path = FOLDER / "places.csv") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, PLACE_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(places)


def _make_place(list_name: str, unit_id: str, names: Iterable[str], parent: str) -> Row:
    return dict(zip(PLACE_COLUMNS, [list_name, unit_id, *names, parent], strict=True))


def _name_place(unit: Mapping[str, str]) -> list[str]:
    return [unit["name_en"], unit["name_ru"], unit["name_kk"]]


def _freeze_dates(workbook: bytes) -> bytes:
    """Return the workbook with the one date openpyxl sets itself, and those of the archive, taken out."""
    fixed = _CREATED.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    frozen = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as source, zipfile.ZipFile(frozen, "w") as target:
        for name in sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            part = source.read(name)
            if name == "docProps/core.xml":
                part = _MODIFIED.sub(rb"\g<1>" + fixed, part)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            target.writestr(entry, part)
    return frozen.getvalue()


def _describe_survey(rows: Iterable[Row]) -> list[dict[str, Any]]:
    described = []
    groups: list[str] = []
    for position, row in enumerate(rows):
        if row["type"] in ("end_group", "end_repeat"):
            groups.pop()
            described.append({"type": row["type"], "$kuid": _make_kuid(f"{position}")})
            continue
        xpath = "/".join([*groups, row["name"]])
        described.append(_describe_question(row, xpath))
        if row["type"] in ("begin_group", "begin_repeat"):
            groups.append(row["name"])
    return described


def _describe_question(row: Row, xpath: str) -> dict[str, Any]:
    kind, _, list_name = row["type"].partition(" ")
    question: dict[str, Any] = {
        "name": row["name"],
        "type": kind,
        "$kuid": _make_kuid(xpath),
        "$xpath": xpath,
        "$autoname": row["name"],
    }
    for name in _TRANSLATED:
        texts = [row[f"{name}::{language}"] or None for language in LANGUAGES]
        if any(texts):
            question[name] = texts
    if row["required"]:
        question["required"] = True
    if list_name:
        question["file" if kind.endswith("_from_file") else "select_from_list_name"] = list_name
    for name in ("relevant", "constraint", "calculation", "repeat_count", "choice_filter", "appearance"):
        if row[name]:
            question[name] = row[name]
    return question


def _describe_choice(row: Row) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "name": row["name"],
        "$kuid": _make_kuid(f"{row['list_name']}:{row['name']}"),
        "label": [row[f"label::{language}"] or None for language in LANGUAGES],
        "list_name": row["list_name"],
        "$autovalue": row["name"],
    }
    if row["parent"]:
        choice["parent"] = row["parent"]
    return choice


def _make_kuid(seed: str) -> str:
    """Return nine characters, as Kobo's row ids have; the same for the same place in the form."""
    return hashlib.sha256(seed.encode()).hexdigest()[:9]
