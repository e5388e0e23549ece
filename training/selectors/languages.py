"""In which language to write to a person."""

from typing import Final

from django.conf import settings

from training.models import Enumerator

# Of a person who speaks several and chose none.
PREFERRED: Final = ("kk", "ru", "en")


def language_of(person: Enumerator, *, fallback: str) -> str:
    """What the person chose for the own log-in, else the first of the site's languages that they speak."""
    known = dict(settings.LANGUAGES)
    chosen = str(person.user.language) if person.user is not None else ""
    spoken = (code for code in (chosen, *(one for one in PREFERRED if one in person.languages)) if code in known)
    return next(spoken, fallback)
