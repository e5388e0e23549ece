"""One `.po` file with its `.mo`: read, written and compiled so that the same messages always give the same bytes."""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.pofile import PoFileError, read_po

from dtm_ops.common.translations.messages import Extraction, Key

# Kazakh nouns stay singular after a number; the first form serves sentences that say "one" in words.
PLURAL_FORMS = {
    "kk": (2, "nplurals=2; plural=(n != 1);"),
    "ru": (
        3,
        "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);",
    ),
}
HOW_TO_EDIT = "translate the msgstr lines, then run `manage.py translations update`, which sorts and compiles."
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
MO_MAGIC = 0x950412DE
PYTHON_FORMAT = re.compile(r"%(?:\(\w+\))?[#0+-]*\d*(?:\.\d+)?[diouxXeEfFgGcrs]")


class UnreadableCatalogueError(Exception):
    """The `.po` file is not one; the text says what the reader stumbled over."""


@dataclass
class Entry:
    """One message with one text per plural form (one text where it has no plural)."""

    plural: str
    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()
    fuzzy: bool = False

    @property
    def is_translated(self) -> bool:
        return all(self.texts)


@dataclass
class Catalogue:
    language: str
    entries: dict[Key, Entry] = field(default_factory=dict)
    obsolete: list[str] = field(default_factory=list)

    def in_order(self) -> Iterator[tuple[Key, Entry]]:
        return iter(sorted(self.entries.items(), key=lambda item: item[0]))


def read_catalogue(path: Path, *, language: str) -> Catalogue:
    """The catalogue of a `.po` file, an empty one where there is no file."""
    if not path.exists():
        return Catalogue(language)
    try:
        with path.open("rb") as file:
            found = read_po(file, locale=language, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise UnreadableCatalogueError(str(error)) from error
    catalogue = Catalogue(language, obsolete=[str(message.id) for message in found.obsolete.values()])
    for message in found:
        if not message.id:
            continue
        msgid, plural = (message.id, "") if isinstance(message.id, str) else message.id
        texts = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        catalogue.entries[Key(msgid, message.context or "")] = Entry(
            plural, texts, tuple(sorted(message.auto_comments)), message.fuzzy
        )
    return catalogue


def merge_messages(old: Catalogue, extraction: Extraction) -> Catalogue:
    """The catalogue that the source asks for, with the translations that `old` already has; nothing is guessed."""
    new = Catalogue(old.language)
    for key, usage in extraction.usages.items():
        forms = PLURAL_FORMS[old.language][0] if usage.plural else 1
        known = old.entries.get(key)
        keep = known is not None and bool(known.plural) == bool(usage.plural) and len(known.texts) == forms
        texts = known.texts if known and keep else ("",) * forms
        new.entries[key] = Entry(usage.plural, texts, tuple(sorted(usage.notes)), bool(known and known.fuzzy))
    return new


def write_catalogue(catalogue: Catalogue, path: Path) -> None:
    """Writes the `.po` and, beside it, the `.mo`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_catalogue(catalogue), encoding="utf-8", newline="\n")
    path.with_suffix(".mo").write_bytes(compile_catalogue(catalogue))


def render_catalogue(catalogue: Catalogue) -> str:
    """The `.po` text: sorted by msgid, without dates, line numbers and file names, so that a change shows as itself."""
    title = f"# {catalogue.language}: {HOW_TO_EDIT}\n"
    head = title + _line("msgid", "") + _line("msgstr", _header(catalogue.language))
    return "\n".join([head, *(_render_entry(key, entry) for key, entry in catalogue.in_order())])


def _render_entry(key: Key, entry: Entry) -> str:
    lines = [f"#. {note}\n" for note in entry.notes]
    flags = ["fuzzy"] if entry.fuzzy else []
    if PYTHON_FORMAT.search(key.msgid) or PYTHON_FORMAT.search(entry.plural):
        flags.append("python-format")
    if flags:
        lines.append(f"#, {', '.join(flags)}\n")
    if key.context:
        lines.append(_line("msgctxt", key.context))
    lines.append(_line("msgid", key.msgid))
    if entry.plural:
        lines.append(_line("msgid_plural", entry.plural))
        lines.extend(_line(f"msgstr[{number}]", text) for number, text in enumerate(entry.texts))
    else:
        lines.append(_line("msgstr", entry.texts[0]))
    return "".join(lines)


def _header(language: str) -> str:
    return (
        f"Language: {language}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
        f"Content-Transfer-Encoding: 8bit\nPlural-Forms: {PLURAL_FORMS[language][1]}\n"
    )


def _line(keyword: str, text: str) -> str:
    """One keyword with its text; a text of several lines is quoted line by line, as gettext does."""
    parts = [part for part in re.split(r"(?<=\n)", text) if part]
    if len(parts) < 2:
        return f"{keyword} {_quote(text)}\n"
    return f'{keyword} ""\n' + "".join(f"{_quote(part)}\n" for part in parts)


def _quote(text: str) -> str:
    return '"' + text.translate(ESCAPES) + '"'


def compile_catalogue(catalogue: Catalogue) -> bytes:
    """The `.mo` bytes (GNU gettext manual; little endian, no hash table); fuzzy and blank texts stay out."""
    pairs = [(b"", _header(catalogue.language).encode())]
    for key, entry in catalogue.entries.items():
        if entry.is_translated and not entry.fuzzy:
            pairs.append((_mo_key(key, entry).encode(), "\0".join(entry.texts).encode()))
    return _pack(sorted(pairs))


def _mo_key(key: Key, entry: Entry) -> str:
    context = f"{key.context}\x04" if key.context else ""
    return context + key.msgid + (f"\0{entry.plural}" if entry.plural else "")


def _pack(pairs: list[tuple[bytes, bytes]]) -> bytes:
    header_size = 7 * 4
    table_size = 8 * len(pairs)
    position = header_size + 2 * table_size
    tables = []
    for texts in zip(*pairs, strict=True):
        table, position = _offsets(texts, position)
        tables.append(table)
    header = struct.pack("<7I", MO_MAGIC, 0, len(pairs), header_size, header_size + table_size, 0, 0)
    return header + b"".join(tables) + b"".join(text + b"\0" for texts in zip(*pairs, strict=True) for text in texts)


def _offsets(texts: Iterable[bytes], position: int) -> tuple[bytes, int]:
    """The table of (length, offset) of texts that stand one after another from `position` on, and where they end."""
    table = b""
    for text in texts:
        table += struct.pack("<2I", len(text), position)
        position += len(text) + 1
    return table, position
