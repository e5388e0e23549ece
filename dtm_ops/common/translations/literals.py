"""Finds words that people see and that no catalogue can translate, because nobody marked them."""

import ast
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pghistory.models
from django.apps import AppConfig
from django.db.models import Model
from django.template.base import Lexer, TokenType
from django.utils.functional import Promise

from dtm_ops.common.translations.extraction import NEVER_EXTRACTED
from dtm_ops.common.translations.messages import Fault

WORD = re.compile(r"[^\W\d_]{2,}")
# Names that are the same in every language; anything else stands in an element with translate="no".
NAMES = {
    *("DTM", "Ops", "IOM", "KoboToolbox", "KoboCollect", "Kobo", "KATO"),
    *("API", "CSV", "ISO", "JSON", "PDF", "UTC", "XLSX"),
}

SHOWN_ATTRIBUTES = {"alt", "aria-description", "aria-label", "label", "placeholder", "title"}
VALUE_SHOWN_BY = {"button", "reset", "submit"}
UNSHOWN_ELEMENTS = {"code", "kbd", "samp", "script", "style"}
VOID_ELEMENTS = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
# Stands for what a template writes while running; not a letter, so that it is no word.
WRITTEN_LATER = "\N{OBJECT REPLACEMENT CHARACTER}"

SHOWN_ARGUMENTS = {
    *("description", "empty_label", "empty_value", "help_text", "label", "message", "short_description"),
    *("verbose_name", "verbose_name_plural"),
}
# As attributes of a class these are the label of an app, or anything.
NEVER_SHOWN_ATTRIBUTES = {"description", "label", "message"}
# `description` and `message` of other functions are not shown to anybody.
ONLY_ARGUMENTS_OF = {"description": {"action", "display"}, "message": {"ValidationError", "RegexValidator"}}
# The first argument of a relation is the other model.
RELATIONS = {"ForeignKey", "ManyToManyField", "OneToOneField"}
SHOWN_FIRST_ARGUMENTS = {"PermissionDenied", "Refused", "ValidationError"}
SHOWN_SECOND_ARGUMENTS = {"add_message", "debug", "error", "info", "success", "warning"}


UNMARKED = "is not marked for translation"
UNNAMED = "has no translated verbose_name"


def find_unmarked_text(sources: Iterable[Path], *, base: Path) -> list[Fault]:
    """Plain words in HTML templates, and plain strings in the places of Python code whose text reaches a screen.

    A heuristic: it knows Django's own places (labels, help texts, messages, refusals), not a string that travels
    through a variable. Commands are left out: they speak English to administrators.
    """
    faults = []
    for source in sources:
        for path in sorted(source.rglob("*")):
            name = path.relative_to(base).as_posix()
            inner = set(path.relative_to(source).parts)
            if NEVER_EXTRACTED & inner:
                continue
            if path.suffix == ".html":
                faults += [Fault(name, text, UNMARKED) for text in _read_template(path)]
            elif path.suffix == ".py" and "management" not in inner:
                faults += [Fault(name, text, UNMARKED) for text in _read_module(path)]
    return faults


def find_unnamed_models(configs: Iterable[AppConfig]) -> list[Fault]:
    """Apps, models and fields whose label Django makes from the name in the code: English in every language.

    The event tables of pghistory are left out: nobody sees their columns.
    """
    faults = []
    for config in configs:
        models = [model for model in config.get_models() if not issubclass(model, pghistory.models.Event)]
        if models and not isinstance(config.verbose_name, Promise):
            faults.append(Fault(f"{config.name.replace('.', '/')}/apps.py", config.label, UNNAMED))
        for model in models:
            faults += _find_unnamed_fields(model)
    return faults


def _find_unnamed_fields(model: type[Model]) -> Iterator[Fault]:
    path = f"{model.__module__.replace('.', '/')}.py"
    if not isinstance(model._meta.verbose_name, Promise):
        yield Fault(path, model.__name__, UNNAMED)
    for field in [*model._meta.local_fields, *model._meta.local_many_to_many]:
        if not field.auto_created and not isinstance(field.verbose_name, Promise):
            yield Fault(path, f"{model.__name__}.{field.name}", UNNAMED)


def _is_untranslated(text: str) -> bool:
    return any(word not in NAMES for word in WORD.findall(text))


def _read_template(path: Path) -> list[str]:
    reader = _TextReader()
    reader.feed(_html_of(path.read_text(encoding="utf-8")))
    reader.close()
    return reader.texts


def _html_of(source: str) -> str:
    """The HTML that a template writes itself, without what its tags and variables will write."""
    parts: list[str] = []
    ends_at = ""
    for token in Lexer(source).tokenize():
        command = token.contents.partition(" ")[0] if token.token_type == TokenType.BLOCK else ""
        if ends_at:
            ends_at = "" if command == ends_at else ends_at
        elif command in {"blocktranslate", "blocktrans", "comment"} or token.contents == "block bodyclass":
            # The admin's block of class names stands in an attribute of the page that it extends.
            ends_at = f"end{command}"
            parts.append(WRITTEN_LATER)
        else:
            parts.append(token.contents if token.token_type == TokenType.TEXT else WRITTEN_LATER)
    return "".join(parts)


class _TextReader(HTMLParser):
    """Collects the words and the shown attributes, outside code, scripts and elements with translate="no"."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._unshown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        skipped = tag in UNSHOWN_ELEMENTS or values.get("translate") == "no"
        if not (self._unshown or skipped):
            shown = SHOWN_ATTRIBUTES | ({"value"} if tag == "input" and values.get("type") in VALUE_SHOWN_BY else set())
            self._collect(value for name, value in values.items() if name in shown)
        if (self._unshown or skipped) and tag not in VOID_ELEMENTS:
            self._unshown.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._unshown and self._unshown[-1] == tag:
            self._unshown.pop()

    def handle_data(self, data: str) -> None:
        if not self._unshown:
            self._collect([data])

    def _collect(self, texts: Iterable[str]) -> None:
        self.texts.extend(" ".join(text.split()) for text in texts if _is_untranslated(text))


def _read_module(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=path.name)
    except SyntaxError:
        # The search for messages reads the same file and tells it.
        return
    for node in ast.walk(tree):
        candidates: Iterable[ast.expr] = ()
        if isinstance(node, ast.Call):
            candidates = _shown_arguments(node)
        elif isinstance(node, ast.ClassDef):
            candidates = _shown_values(node)
        for value in candidates:
            match value:
                case ast.Constant(value=str(text)) if _is_untranslated(text):
                    yield text
                case ast.JoinedStr() if _is_untranslated("".join(_literal_parts(value))):
                    yield ast.unparse(value)


def _literal_parts(text: ast.JoinedStr) -> Iterator[str]:
    for part in text.values:
        if isinstance(part, ast.Constant):
            yield str(part.value)


def _shown_arguments(call: ast.Call) -> Iterator[ast.expr]:
    owner, name = _function_name(call)
    for keyword in call.keywords:
        if keyword.arg in SHOWN_ARGUMENTS and name in ONLY_ARGUMENTS_OF.get(keyword.arg, {name}):
            yield keyword.value
    if name in SHOWN_FIRST_ARGUMENTS:
        yield from call.args[:1]
    if owner == "messages" and name in SHOWN_SECOND_ARGUMENTS:
        yield from call.args[-1:]
    if owner == "models" and name.endswith("Field") and name not in RELATIONS:
        yield from call.args[:1]


def _function_name(call: ast.Call) -> tuple[str, str]:
    """("messages", "success") for `messages.success(...)`, ("", "Refused") for `Refused(...)`."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return owner, name
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return "", name
    return "", ""


def _shown_values(cls: ast.ClassDef) -> Iterator[ast.expr]:
    """Labels of enumerations (a member without one gets an English label from Django) and of Meta or admin classes."""
    is_enumeration = any(
        isinstance(base, ast.Attribute | ast.Name) and _last(base).endswith("Choices") for base in cls.bases
    )
    for statement in cls.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if name in SHOWN_ARGUMENTS - NEVER_SHOWN_ATTRIBUTES:
                    yield value
                elif is_enumeration and name.isupper():
                    yield value.elts[-1] if isinstance(value, ast.Tuple) else value


def _last(base: ast.Attribute | ast.Name) -> str:
    return base.attr if isinstance(base, ast.Attribute) else base.id
