"""Finds the messages in Python modules, Django templates and scripts."""

import ast
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import Any

from babel.messages.extract import extract_javascript, extract_python
from django.utils.translation.template import TRANSLATOR_COMMENT_MARK, templatize

from dtm_ops.common.translations.messages import Extraction, Fault, Key

# Positions of (context, msgid, plural) in the call; None: the function has no such argument.
SIGNATURES: dict[str, tuple[int | None, int, int | None]] = {
    "gettext": (None, 0, None),
    "ngettext": (None, 0, 1),
    "pgettext": (0, 1, None),
    "npgettext": (0, 1, 2),
}
SIGNATURES |= {f"{name}_lazy": positions for name, positions in SIGNATURES.items()}
SIGNATURES |= {"gettext_noop": SIGNATURES["gettext"], "_": SIGNATURES["gettext"]}
# Babel only has to find the calls; which argument is what is read from SIGNATURES.
BABEL_KEYWORDS: dict[str, None] = dict.fromkeys(SIGNATURES)

TEMPLATE_SUFFIXES = {".html", ".txt", ".xml", ".ics", ".eml"}
NEVER_EXTRACTED = {"tests", "migrations", "vendor", "node_modules", "locale", "__pycache__"}


def extract_messages(sources: Iterable[Path], *, base: Path, domain: str = "django") -> Extraction:
    """Every message of the files and folders `sources`; paths in the answer are relative to `base`.

    Domain "django" is Python and templates, "djangojs" is scripts.
    """
    extraction = Extraction()
    for path in sorted(set(_walk(sources, domain=domain))):
        name = path.relative_to(base).as_posix()
        try:
            _extract_file(path.read_text(encoding="utf-8"), name, extraction)
        except (SyntaxError, TokenError) as error:
            extraction.faults.append(Fault(name, "", f"cannot be read: {error}"))
    return extraction


def _extract_file(text: str, name: str, extraction: Extraction) -> None:
    if name.endswith(".py"):
        _extract_module(text, name, extraction)
    elif name.endswith(".js"):
        _extract_script(text, name, extraction)
    else:
        _extract_template(text, name, extraction)


def _walk(sources: Iterable[Path], *, domain: str) -> Iterator[Path]:
    suffixes = {".js"} if domain == "djangojs" else {".py", *TEMPLATE_SUFFIXES}
    for source in sources:
        for path in [source] if source.is_file() else source.rglob("*"):
            inner = path.relative_to(source).parts
            if path.suffix in suffixes and not NEVER_EXTRACTED & set(inner) and _may_hold_messages(path):
                yield path


def _may_hold_messages(path: Path) -> bool:
    """A `.txt` or `.xml` outside `templates/` is data, a script inside a template, a minified one not ours."""
    in_templates = "templates" in path.parts
    if path.suffix in TEMPLATE_SUFFIXES:
        return in_templates
    return path.suffix == ".py" or not (in_templates or path.name.endswith(".min.js"))


def _extract_module(text: str, name: str, extraction: Extraction) -> None:
    tree = ast.parse(text, filename=name)
    functions = SIGNATURES | _aliases(tree)
    notes = _notes_by_line(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := _called_name(node)) in functions:
            _add_call(node, functions[called], name, extraction, notes.get(node.lineno - 1, ()))


def _aliases(tree: ast.Module) -> dict[str, tuple[int | None, int, int | None]]:
    """Other names under which the module imports a gettext function (`ngettext_lazy as plural`)."""
    return {
        imported.asname: SIGNATURES[imported.name]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for imported in node.names
        if imported.asname and imported.name in SIGNATURES
    }


def _called_name(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _notes_by_line(text: str) -> dict[int, list[str]]:
    """`# Translators: ...` comments by their line number, which is the one above the call."""
    notes = {}
    for number, line in enumerate(text.splitlines(), start=1):
        comment = line.partition("#")[2].strip()
        if comment.startswith(TRANSLATOR_COMMENT_MARK):
            notes[number] = [comment]
    return notes


def _add_call(
    call: ast.Call,
    positions: tuple[int | None, int, int | None],
    name: str,
    extraction: Extraction,
    notes: Iterable[str],
) -> None:
    values = [_text_at(call, position) for position in positions]
    if None in values:
        # A wrapper that passes on its own argument (`_(label)`) is fine; a string built on the spot is never found.
        if any(isinstance(argument, ast.JoinedStr | ast.BinOp) for argument in call.args[:1]):
            extraction.faults.append(Fault(name, ast.unparse(call), "is built while running: no catalogue can hold it"))
        return
    context, msgid, plural = (value or "" for value in values)
    if msgid:
        extraction.add(Key(msgid, context), plural=plural, path=name, notes=notes)


def _text_at(call: ast.Call, position: int | None) -> str | None:
    """The literal text of an argument; blank where the function has none, None where it is not a literal."""
    if position is None:
        return ""
    match call.args[position : position + 1]:
        case [ast.Constant(value=str(text))]:
            return text
    return None


def _extract_template(text: str, name: str, extraction: Extraction) -> None:
    # The calls that Django's templatize writes stand on indented lines, which Python's tokenizer would refuse.
    code = "\n".join(line.strip() for line in templatize(text, origin=name).splitlines())
    found = extract_python(BytesIO(code.encode()), BABEL_KEYWORDS, [TRANSLATOR_COMMENT_MARK], {})
    _add_found(found, name, extraction)


def _extract_script(text: str, name: str, extraction: Extraction) -> None:
    found = extract_javascript(BytesIO(text.encode()), BABEL_KEYWORDS, [TRANSLATOR_COMMENT_MARK], {})
    _add_found(found, name, extraction)


def _add_found(found: Iterable[tuple[Any, ...]], name: str, extraction: Extraction) -> None:
    """Adds what Babel found: rows of line, function, text or texts, notes (its own annotations say otherwise)."""
    for _line, function, arguments, notes in found:
        texts = arguments if isinstance(arguments, tuple | list) else (arguments,)
        values = [None if at is None else texts[at : at + 1] for at in SIGNATURES[function]]
        context, msgid, plural = (value[0] if value and isinstance(value[0], str) else "" for value in values)
        if msgid:
            extraction.add(Key(msgid, context), plural=plural, path=name, notes=notes)
