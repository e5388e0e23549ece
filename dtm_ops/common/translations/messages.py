"""What a message, a place that uses it, and a fault are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Key(NamedTuple):
    """What gettext looks a message up by; the context is blank where the code gives none."""

    msgid: str
    context: str = ""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing to repair: the file in which to do it, the message (blank: the whole file), what is wrong."""

    path: str
    msgid: str
    problem: str

    def __str__(self) -> str:
        shown = f" {self.msgid!r}:" if self.msgid else ""
        return f"{self.path}:{shown} {self.problem}"


@dataclass
class Usage:
    """How the source uses one message: its plural (blank: none), the files it stands in, the notes for translators."""

    plural: str = ""
    paths: set[str] = field(default_factory=set)
    notes: set[str] = field(default_factory=set)


@dataclass
class Extraction:
    """The messages of one gettext domain with their use, and what in the source could not be extracted."""

    usages: dict[Key, Usage] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, key: Key, *, plural: str, path: str, notes: Iterable[str] = ()) -> None:
        usage = self.usages.setdefault(key, Usage())
        if plural and usage.plural and plural != usage.plural:
            self.faults.append(Fault(path, key.msgid, f"has two plurals: {usage.plural!r} and {plural!r}"))
        usage.plural = usage.plural or plural
        usage.paths.add(path)
        usage.notes.update(notes)

    def in_order(self) -> Iterator[tuple[Key, Usage]]:
        """By msgid, then context: a new message touches one place of the catalogue, wherever its code stands."""
        return iter(sorted(self.usages.items(), key=lambda item: item[0]))
