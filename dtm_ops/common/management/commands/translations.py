"""`manage.py translations update|check`: the catalogues of our languages, without GNU gettext."""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dtm_ops.common.translations.catalogue import Catalogue, merge_messages, read_catalogue, write_catalogue
from dtm_ops.common.translations.checks import check_catalogue
from dtm_ops.common.translations.extraction import extract_messages
from dtm_ops.common.translations.libraries import extract_library_messages, keep_own_share
from dtm_ops.common.translations.literals import find_unmarked_text, find_unnamed_models
from dtm_ops.common.translations.messages import Extraction, Fault

DOMAINS = ("django", "djangojs")
SOURCE_LANGUAGE = "en"


class Command(BaseCommand):
    help = "Brings the message catalogues up to date with the source (update), or names every fault in them (check)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["update", "check"])

    def handle(self, *_args: Any, action: str, **_options: Any) -> None:
        if action == "update":
            for path, old, share in self._catalogues():
                self._update(path, old, share)
            return
        faults = self._source_faults()
        for path, old, share in self._catalogues():
            faults += check_catalogue(path, language=old.language, extraction=share, base=settings.BASE_DIR)
        for fault in faults:
            self.stderr.write(str(fault))
        if faults:
            raise CommandError(f"{len(faults)} faults in the translations")
        self.stdout.write("The translations are complete.")

    def _update(self, path: Path, old: Catalogue, share: Extraction) -> None:
        new = merge_messages(old, share)
        if not new.entries and not path.exists():
            return
        write_catalogue(new, path)
        for key in sorted(old.entries.keys() - new.entries.keys()):
            self.stdout.write(f"no longer used: {key.msgid!r} was {old.entries[key].texts!r}")
        added = len(new.entries.keys() - old.entries.keys())
        blank = sum(not entry.is_translated for entry in new.entries.values())
        name = path.relative_to(settings.BASE_DIR)
        self.stdout.write(f"{name}: {len(new.entries)} messages, {added} new, {blank} without translation")

    def _catalogues(self) -> Iterator[tuple[Path, Catalogue, Extraction]]:
        """Each `.po` file with what it holds and what it has to hold."""
        own, libraries = (Path(path) for path in settings.LOCALE_PATHS)
        for domain in DOMAINS:
            ours = extract_messages(self._own_sources(), base=settings.BASE_DIR, domain=domain)
            theirs = extract_library_messages(domain=domain)
            for language in (code for code, _name in settings.LANGUAGES if code != SOURCE_LANGUAGE):
                file = Path(language) / "LC_MESSAGES" / f"{domain}.po"
                yield own / file, read_catalogue(own / file, language=language), ours
                held = read_catalogue(libraries / file, language=language)
                share = keep_own_share(theirs, language=language, ours=held, domain=domain)
                yield libraries / file, held, share

    def _own_sources(self) -> list[Path]:
        """The top folder of each app of ours, and the folders of templates."""
        places = [*(config.path for config in apps.get_app_configs()), *settings.TEMPLATES[0]["DIRS"]]
        base = Path(settings.BASE_DIR)
        return sorted({base / Path(place).relative_to(base).parts[0] for place in places if _is_ours(Path(place))})

    def _source_faults(self) -> list[Fault]:
        """What is wrong before any catalogue comes into it: texts that cannot be found or were not marked."""
        sources = self._own_sources()
        return [
            *extract_messages(sources, base=settings.BASE_DIR).faults,
            *find_unmarked_text(sources, base=settings.BASE_DIR),
            *find_unnamed_models(config for config in apps.get_app_configs() if _is_ours(Path(config.path))),
        ]


def _is_ours(path: Path) -> bool:
    """Whether a place belongs to the project; the environment may stand inside the project's folder."""
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts
