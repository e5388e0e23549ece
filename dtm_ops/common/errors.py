"""What a service refuses, in words for the person who asked. Faces show the message; the API answers 409 with it."""

from typing import Any

from django.db import models
from django.utils.translation import gettext as _


class Refused(Exception):
    """A rule of the field says no. ``str()`` is a sentence in the reader's language; ``code`` is for programs."""

    code = "refused"

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code or self.code


class TransitionNotAllowed(Refused):
    """The status moved meanwhile, or the step does not exist. Nothing was written."""

    code = "transition_not_allowed"

    def __init__(
        self, row: models.Model, *, old: str, new: str, field: str = "status", meanwhile: bool = False
    ) -> None:
        self.row, self.old, self.new, self.meanwhile = row, old, new, meanwhile
        if meanwhile:
            message = _("%(row)s was changed by somebody else meanwhile. Nothing was written; look at it again.")
            super().__init__(message % {"row": row})
        else:
            message = _("%(row)s cannot go from “%(old)s” to “%(new)s”.")
            super().__init__(message % {"row": row, "old": _label(row, field, old), "new": _label(row, field, new)})


def _label(row: models.Model, field: str, value: str) -> str:
    """A status in words."""
    choices: Any = row._meta.get_field(field)
    return str(dict(choices.flatchoices).get(value, value))
