"""What Django and the libraries say to our people, and what of it they themselves say in our languages."""

from collections.abc import Iterator
from gettext import GNUTranslations
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from dtm_ops.common.translations.catalogue import Catalogue
from dtm_ops.common.translations.extraction import extract_messages
from dtm_ops.common.translations.messages import Extraction, Key

# The parts of each package whose texts reach a person who uses the product, by the folder of the package's own
# catalogues. Left out: names of the world's languages, checks for developers, GIS, apps that are not installed.
LIBRARY_SOURCES: dict[str, tuple[str, ...]] = {
    "django/conf/locale": (
        "django/apps",
        "django/contrib/messages",
        "django/contrib/staticfiles",
        "django/core/exceptions.py",
        "django/core/paginator.py",
        "django/core/validators.py",
        "django/db",
        "django/forms",
        "django/http",
        "django/template",
        "django/utils",
        "django/views/csrf.py",
        "django/views/generic",
    ),
    "django/contrib/admin/locale": ("django/contrib/admin",),
    "django/contrib/auth/locale": ("django/contrib/auth",),
    "django/contrib/contenttypes/locale": ("django/contrib/contenttypes",),
    "django/contrib/humanize/locale": ("django/contrib/humanize",),
    "django/contrib/postgres/locale": ("django/contrib/postgres",),
    "django/contrib/sessions/locale": ("django/contrib/sessions",),
    "axes/locale": ("axes",),
    "django_filters/locale": ("django_filters",),
    "drf_spectacular/locale": ("drf_spectacular",),
    "import_export/locale": ("import_export",),
    "pghistory/locale": ("pghistory",),
    "pgtrigger/locale": ("pgtrigger",),
    "rest_framework/locale": ("rest_framework",),
}


def extract_library_messages(*, domain: str = "django") -> Extraction:
    """Every message of the installed libraries that our people can meet; paths as `django/forms/fields.py`.

    Their own faults (texts built while running) are not ours to repair and are left out.
    """
    extraction = Extraction()
    for sources in LIBRARY_SOURCES.values():
        for source in sources:
            folder = _site_of(source)
            found = extract_messages([folder / source], base=folder, domain=domain)
            for key, usage in found.usages.items():
                for path in usage.paths:
                    extraction.add(key, plural=usage.plural, path=path)
    extraction.faults.clear()
    return extraction


def keep_own_share(extraction: Extraction, *, language: str, ours: Catalogue, domain: str = "django") -> Extraction:
    """What our library catalogue has to hold: what the libraries do not say in `language`, and what we say better."""
    said = set(read_library_translations(language=language, domain=domain))
    share = Extraction()
    for key, usage in extraction.usages.items():
        if key not in said or key in ours.entries:
            share.usages[key] = usage
    return share


def read_library_translations(*, language: str, domain: str = "django") -> Iterator[Key]:
    """The messages that the installed libraries' own catalogues translate."""
    for locale in LIBRARY_SOURCES:
        path = _site_of(locale) / locale / language / "LC_MESSAGES" / f"{domain}.mo"
        if path.exists():
            with path.open("rb") as file:
                # The standard library offers no other way to list what a compiled catalogue holds, and Babel's reader
                # loses messages that differ only in context. Keys are texts, or (text, plural form).
                held = cast(dict[str | tuple[str, int], str], vars(GNUTranslations(file))["_catalog"])
            for name in held:
                context, mark, msgid = (name if isinstance(name, str) else name[0]).rpartition("\x04")
                if msgid:
                    yield Key(msgid, context if mark else "")


def _site_of(source: str) -> Path:
    """The folder in which the package of a path such as `django/forms` is installed."""
    package = source.partition("/")[0]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed: its messages cannot be read", name=package)
    return Path(spec.origin).parent.parent
