"""What a catalogue has to be before it is shipped: complete, not guessed, not broken, compiled."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dtm_ops.common.translations.catalogue import (
    PYTHON_FORMAT,
    Catalogue,
    Entry,
    UnreadableCatalogueError,
    compile_catalogue,
    merge_messages,
    read_catalogue,
    render_catalogue,
)
from dtm_ops.common.translations.messages import Extraction, Fault, Key

BRACES = re.compile(r"\{[\w.!:\[\]]*\}")
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
WORD = re.compile(r"[^\W\d_]+")
LATIN = re.compile(r"[A-Za-z]")
CYRILLIC = re.compile(r"[\u0400-\u04FF]")


def check_catalogue(path: Path, *, language: str, extraction: Extraction, base: Path) -> list[Fault]:
    """Every fault of one `.po` file and its `.mo`, held against the messages that the source uses now."""
    name = path.relative_to(base).as_posix()
    try:
        catalogue = read_catalogue(path, language=language)
    except UnreadableCatalogueError as error:
        return [Fault(name, "", f"cannot be read: {error}")]
    if not path.exists() and not extraction.usages:
        return []
    faults = [
        *(Fault(name, key.msgid, problem) for key, problem in _find_gaps(catalogue, extraction)),
        *(
            Fault(name, key.msgid, problem)
            for key, entry in catalogue.in_order()
            for problem in find_problems(key, entry)
        ),
        *(Fault(name, msgid, "is obsolete (#~)") for msgid in catalogue.obsolete),
    ]
    return faults or [Fault(name, "", problem) for problem in _find_stale_files(path, catalogue, extraction)]


def _find_gaps(catalogue: Catalogue, extraction: Extraction) -> Iterator[tuple[Key, str]]:
    for key, usage in extraction.in_order():
        if key not in catalogue.entries:
            yield key, f"is missing; used in {', '.join(sorted(usage.paths))}"
        elif catalogue.entries[key].plural != usage.plural:
            yield key, f"has not the plural that the source has: {usage.plural!r}"
        elif not catalogue.entries[key].is_translated:
            yield key, f"is not translated; used in {', '.join(sorted(usage.paths))}"
    for key, _entry in catalogue.in_order():
        if key not in extraction.usages:
            yield key, "is no longer used"


def _find_stale_files(path: Path, catalogue: Catalogue, extraction: Extraction) -> Iterator[str]:
    """Only told where the content is right: the files are then one `update` away."""
    if path.read_text(encoding="utf-8") != render_catalogue(merge_messages(catalogue, extraction)):
        yield "is not as `manage.py translations update` writes it"
    compiled = path.with_suffix(".mo")
    if not compiled.exists() or compiled.read_bytes() != compile_catalogue(catalogue):
        yield f"does not agree with {compiled.name}; run `manage.py translations update`"


def find_problems(key: Key, entry: Entry) -> Iterator[str]:
    """What would break or mislead in one translated message; a message without translation is not told here."""
    if entry.fuzzy:
        yield "is marked fuzzy"
    # A plural form of Russian also says 21 and 31, so that each form needs the number that English leaves out for one.
    source = entry.plural or key.msgid
    for text in filter(None, entry.texts):
        yield from _compare_placeholders(source, text)
        if _edges(source) != _edges(text):
            yield f"begins or ends with other white space: {text!r}"
        for word in _find_mixed_words(text):
            yield f"mixes Latin and Cyrillic letters in {word!r}"


def _compare_placeholders(source: str, text: str) -> Iterator[str]:
    for pattern, what in ((PYTHON_FORMAT, "placeholders"), (BRACES, "placeholders"), (TAG, "tags")):
        wanted, found = Counter(pattern.findall(_drop_percents(source))), Counter(pattern.findall(_drop_percents(text)))
        if wanted != found:
            yield f"has other {what}: {sorted(wanted.elements())} became {sorted(found.elements())}"
    if PYTHON_FORMAT.search(_drop_percents(source)) and source.count("%%") != text.count("%%"):
        yield "has another number of %%"


def _drop_percents(text: str) -> str:
    return text.replace("%%", "")


def _edges(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def _find_mixed_words(text: str) -> list[str]:
    """Words such as "кiсі" with a Latin i: they look right and are found by no search."""
    plain = text
    for pattern in (TAG, PYTHON_FORMAT, BRACES):
        plain = pattern.sub(" ", plain)
    return [word for word in WORD.findall(plain) if LATIN.search(word) and CYRILLIC.search(word)]
