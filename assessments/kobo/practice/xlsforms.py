"""Reads an XLSForm workbook into the content that Kobo keeps of it; standard library only.

Reads cell texts, not formats: enough for forms whose cells are text and numbers. It checks that the sheets and each
row's type and name are there, not what pyxform would check.
"""

import io
import re
import zipfile
from typing import Any
from xml.etree import ElementTree

from assessments.kobo.practice.identifiers import make_kuid

Rows = list[dict[str, str]]

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MAX_BYTES = 50 * 1024 * 1024
_TRANSLATED = ("label", "hint", "constraint_message", "required_message", "guidance_hint", "image", "audio", "video")
_YES = {"yes", "true", "true()", "1"}


class XlsFormError(Exception):
    """The file is no XLSForm; the text is what Kobo's import task shows."""


def read_xlsform(data: bytes) -> tuple[str, dict[str, Any]]:
    """Return (form title or "", content)."""
    try:
        sheets = _read_workbook(data)
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, ValueError, IndexError) as error:
        raise XlsFormError("Unsupported format, or corrupt file") from error
    if "survey" not in sheets:
        raise XlsFormError("The survey sheet is missing")
    settings = dict(sheets.get("settings", [{}])[0]) if sheets.get("settings") else {}
    title = settings.pop("form_title", settings.pop("title", ""))
    if "form_id" in settings:
        settings["id_string"] = settings.pop("form_id")
    translations = _translations(sheets, settings)
    survey = _build_survey(sheets["survey"], translations)
    choices = [_build_choice(row, translations) for row in sheets.get("choices", []) if row.get("name")]
    translated = {name for row in (*survey, *choices) for name in _TRANSLATED if isinstance(row.get(name), list)}
    return title, {
        "schema": "1",
        "survey": survey,
        "choices": choices,
        "settings": settings,
        "translated": sorted(translated),
        "translations": translations,
    }


def _read_workbook(data: bytes) -> dict[str, Rows]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
            raise ValueError("workbook too large")
        names = set(archive.namelist())
        shared = _shared_texts(_parse(archive, "xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in names else []
        relations = {node.get("Id"): node.get("Target", "") for node in _parse(archive, "xl/_rels/workbook.xml.rels")}
        sheets = {}
        for node in _parse(archive, "xl/workbook.xml").iter(f"{_MAIN}sheet"):
            target = relations[node.get(_RELATION)].lstrip("/")
            path = target if target.startswith("xl/") else f"xl/{target}"
            sheets[str(node.get("name", "")).strip().lower()] = _read_sheet(_parse(archive, path), shared)
        return sheets


def _parse(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    text = archive.read(name)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError("document type declared")
    return ElementTree.fromstring(text)  # noqa: S314 - declarations refused above


def _shared_texts(root: ElementTree.Element) -> list[str]:
    return ["".join(node.text or "" for node in item.iter(f"{_MAIN}t")) for item in root.iter(f"{_MAIN}si")]


def _read_sheet(root: ElementTree.Element, shared: list[str]) -> Rows:
    grid = [{_column(cell): _cell_text(cell, shared) for cell in row} for row in root.iter(f"{_MAIN}row")]
    if not grid:
        return []
    header = {column: text.strip() for column, text in grid[0].items() if text.strip()}
    rows = [
        {name: cells[column].strip() for column, name in header.items() if cells.get(column, "").strip()}
        for cells in grid[1:]
    ]
    return [row for row in rows if row]


def _column(cell: ElementTree.Element) -> str:
    return re.sub(r"\d+", "", cell.get("r", ""))


def _cell_text(cell: ElementTree.Element, shared: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(node.text or "" for node in cell.iter(f"{_MAIN}t"))
    value = cell.findtext(f"{_MAIN}v") or ""
    if kind == "s":
        return shared[int(value)]
    return value.removesuffix(".0") if kind == "n" else value


def _translations(sheets: dict[str, Rows], settings: dict[str, str]) -> list[Any]:
    """Return the languages in the order of the columns, the default one first; [None] for a form in one language."""
    found: dict[str, None] = {}
    for row in (*sheets["survey"], *sheets.get("choices", [])):
        for name in row:
            base, _, language = name.partition("::")
            if language and base in _TRANSLATED:
                found.setdefault(language.strip())
    names = sorted(found, key=lambda name: name != settings.get("default_language"))
    return names or [None]


def _build_survey(rows: Rows, translations: list[Any]) -> list[dict[str, Any]]:
    survey: list[dict[str, Any]] = []
    path: list[str] = []
    for row in rows:
        kind = re.sub(r"^(begin|end) (group|repeat)$", r"\1_\2", row.get("type", "").strip())
        if not kind:
            raise XlsFormError(f"Question without a type: {row.get('name', '')}")
        if kind in {"end_group", "end_repeat"}:
            if not path:
                raise XlsFormError(f"Unmatched {kind}")
            path.pop()
            survey.append({"type": kind, "$kuid": make_kuid()})
            continue
        item = _build_question(kind, row, translations)
        item["$xpath"] = "/".join([*path, str(item["name"])])
        survey.append(item)
        if kind in {"begin_group", "begin_repeat"}:
            path.append(str(item["name"]))
    if path:
        raise XlsFormError(f"Unmatched begin statement: {path[-1]}")
    return survey


def _build_question(kind: str, row: dict[str, str], translations: list[Any]) -> dict[str, Any]:
    select = re.match(r"^(select_one|select_multiple)(_from_file)?\s+(\S+)", kind)
    item: dict[str, Any] = {"type": kind, "$kuid": make_kuid(), "name": row.get("name", "")}
    if select:
        item["type"] = select.group(1) + (select.group(2) or "")
        item["file" if select.group(2) else "select_from_list_name"] = select.group(3)
    if not item["name"]:
        raise XlsFormError(f"Question without a name: {kind}")
    for name, text in row.items():
        if name in {"type", "name"} or "::" in name:
            continue
        value: Any = text.lower() in _YES if name in {"required", "read_only"} else text
        item["calculation" if name == "calculate" else name] = [value] if name in _TRANSLATED else value
    return item | _translate(row, translations) | {"$autoname": item["name"]}


def _build_choice(row: dict[str, str], translations: list[Any]) -> dict[str, Any]:
    plain = {name.replace("list name", "list_name"): text for name, text in row.items() if "::" not in name}
    plain_labels = {name: [plain[name]] for name in _TRANSLATED if name in plain}
    return plain | plain_labels | _translate(row, translations) | {"$kuid": make_kuid(), "$autovalue": row["name"]}


def _translate(row: dict[str, str], translations: list[Any]) -> dict[str, list[str | None]]:
    columns = {name: name.partition("::") for name in row if "::" in name}
    found: dict[str, list[str | None]] = {}
    for name, (base, _, language) in columns.items():
        if base in _TRANSLATED and language.strip() in translations:
            texts = found.setdefault(base, [None] * len(translations))
            texts[translations.index(language.strip())] = row[name]
    return found
