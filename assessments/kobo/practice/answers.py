"""Answers of one submission: from XML, JSON or plain dicts to the flat row that Kobo lists.

Keys are full paths, also inside repeats; every value is text; blank answers, blank repeat instances and repeats without
instances are absent. (kobo_api.md section 5, recordings 03 and 18)
"""

import re
from collections.abc import Collection, Iterator
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

Answers = dict[str, Any]

# Kobo's own keys of a row: an answer of that name would break the row.
RESERVED = frozenset(
    [
        "_id",
        "_uuid",
        "_xform_id_string",
        "_attachments",
        "_status",
        "_geolocation",
        "_submission_time",
        "_validation_status",
        "_submitted_by",
        "meta/rootUuid",
    ]
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class XmlError(Exception):
    """The text is no XML that Kobo would read."""


def flatten(answers: Answers, *, prefix: str = "") -> Answers:
    """Return the row's keys for nested or already flat answers; what is blank is left out."""
    row: Answers = {}
    for key, value in answers.items():
        path = key if not prefix or key.startswith(f"{prefix}/") else f"{prefix}/{key}"
        if path in RESERVED:
            continue
        if isinstance(value, dict):
            row.update(flatten(value, prefix=path))
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            instances = [flatten(item, prefix=path) for item in value if isinstance(item, dict)]
            if kept := [instance for instance in instances if instance]:
                row[path] = kept
        else:
            text = _as_text(value)
            if text.strip():
                row[path] = text
    return row


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(_as_text(item) for item in value)
    text = value if isinstance(value, str) else str(value)
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def parse_xml(text: bytes) -> ElementTree.Element:
    # No document of a phone declares a type; without one there are no entities to expand.
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise XmlError
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - declarations refused above
    except ElementTree.ParseError as error:
        raise XmlError from error


def read_xml(element: ElementTree.Element, *, repeats: Collection[str]) -> Answers:
    """Return nested answers of a submission's root element; ``repeats`` stay lists even with one entry."""
    return _read_children(element, "", repeats)


def _read_children(element: ElementTree.Element, prefix: str, repeats: Collection[str]) -> Answers:
    found: dict[str, list[Any]] = {}
    for child in element:
        name = local_name(child)
        path = f"{prefix}/{name}" if prefix else name
        value: Any = _read_children(child, path, repeats) if len(child) else (child.text or "")
        found.setdefault(name, []).append(value)
    row: Answers = {}
    for name, values in found.items():
        path = f"{prefix}/{name}" if prefix else name
        if path in repeats:
            row[name] = [value for value in values if isinstance(value, dict)]
        else:
            row[name] = values[0] if len(values) == 1 else values
    return row


def local_name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def meta_value(element: ElementTree.Element, name: str) -> str:
    """Return e.g. ``meta/instanceID`` of a submission, "" where it is absent."""
    for meta in element:
        if local_name(meta) == "meta":
            for child in meta:
                if local_name(child) == name:
                    return (child.text or "").strip()
    return ""


def write_xml(row: Answers, *, root: str, version: str = "") -> str:
    """Build the XML of a row that did not arrive as XML; for people and tests, not byte-equal to a phone's."""
    tree: dict[str, Any] = {}
    for key, value in row.items():
        if key not in RESERVED:
            _place(tree, key.split("/"), value)
    body = "".join(_write(name, value) for name, value in tree.items())
    attributes = f" id={quoteattr(root)}" + (f" version={quoteattr(version)}" if version else "")
    return f'<?xml version="1.0" encoding="utf-8"?><{root}{attributes}>{body}</{root}>'


def _place(tree: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    if isinstance(value, list):
        tree[parts[-1]] = [_instance(item, depth=len(parts)) for item in value if isinstance(item, dict)]
    else:
        tree[parts[-1]] = value


def _instance(item: Answers, *, depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, list):
            nested = [entry for entry in value if isinstance(entry, dict)]
            parts = key.split("/")[depth:]
            _place(tree, parts, "")
            holder = tree
            for part in parts[:-1]:
                holder = holder[part]
            holder[parts[-1]] = [_instance(entry, depth=depth + len(parts)) for entry in nested]
        else:
            _place(tree, key.split("/")[depth:], value)
    return tree


def _write(name: str, value: Any) -> str:
    if not re.fullmatch(r"[^\W\d][\w.\-]*", name):
        return ""
    if isinstance(value, list):
        return "".join(_write(name, item) for item in value)
    inner = (
        "".join(_write(key, item) for key, item in value.items())
        if isinstance(value, dict)
        else escape(_NOT_XML.sub("", str(value)))
    )
    return f"<{name}>{inner}</{name}>"


def file_paths(row: Answers, *, key_prefix: str = "", shown_prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (value, path) of every answer, with the place of the listed instance in repeats: ``rep[2]/photo``."""
    for key, value in row.items():
        shown = shown_prefix + key.removeprefix(key_prefix)
        if isinstance(value, list):
            for place, item in enumerate(value, start=1):
                yield from file_paths(item, key_prefix=key, shown_prefix=f"{shown}[{place}]")
        elif isinstance(value, str):
            yield value, shown


def geolocation(row: Answers, geopoints: Collection[str]) -> list[float | None]:
    """Return [lat, lon] of the form's first answered point, numbers as Kobo lists them, or two nulls."""
    for path in geopoints:
        parts = str(row.get(path, "")).split()
        try:
            return [float(parts[0]), float(parts[1])]
        except (IndexError, ValueError):
            continue
    return [None, None]
