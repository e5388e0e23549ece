"""Every spelling of a place, so that whoever types one finds it."""

import re
from dataclasses import dataclass
from typing import Any, Final

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.spelling import bare, fold
from locations.enums import KIND_WORDS, AliasKind
from locations.models.admin_unit import AdminUnit
from locations.querysets import AdminUnitAliasQuerySet

KEY_LENGTH: Final = 200
_KINDS: Final = tuple(KIND_WORDS.values())
# A kind stands apart from the name: after a dot without a blank ("с.Абай"), else between blanks.
_KIND: Final = re.compile(
    r"(?<!\w)(?<!\w-)(?:" + "|".join(f"({words})" for words in KIND_WORDS) + r")(?:(?<=\.)|(?![\w-]))"
)


@dataclass(frozen=True, slots=True)
class PlaceName:
    """A spelling taken apart: the folded words of the name alone, and the kinds of place that the others tell."""

    words: tuple[str, ...]
    kinds: frozenset[str]

    @property
    def key(self) -> str:
        """The words in one piece, as `dtm_ops.common.spelling.joined` makes it."""
        return (self.words[0] if len(self.words) == 1 else fold("".join(self.words)))[:KEY_LENGTH]

    @property
    def skeleton(self) -> str:
        return bare(self.key)[:KEY_LENGTH]


def read_name(text: str) -> PlaceName:
    """ "г. Караганда" is "karaganda", a city. Kinds alone are a name themselves: a village may be called Село."""
    spaced = " ".join(text.casefold().split())
    found = list(_KIND.finditer(spaced))
    words = tuple(fold(_KIND.sub(" ", spaced)).split())
    if not words:
        return PlaceName(tuple(fold(spaced).split()), frozenset())
    return PlaceName(words, frozenset().union(*(_KINDS[(match.lastindex or 1) - 1] for match in found)))


def make_keys(name: str) -> dict[str, Any]:
    """The columns of `AdminUnitAlias` by which a spelling is found."""
    place = read_name(name)
    key = place.key
    words = dict.fromkeys(bare(word)[:KEY_LENGTH] for word in place.words)
    return {"search_key": key, "skeleton": bare(key)[:KEY_LENGTH], "words": list(words)}


@pghistory.track(exclude=["search_key", "skeleton", "words"])
class AdminUnitAlias(models.Model):
    """One spelling of one place. ``search_key``, ``skeleton`` and ``words`` are made from ``name`` by `make_keys`, and
    by nothing else; the kinds ``name`` and ``short`` follow the place's own names (`locations.services.aliases`).
    """

    unit = models.ForeignKey(AdminUnit, on_delete=models.PROTECT, related_name="aliases", verbose_name=_("place"))
    name = models.CharField(_("spelling"), max_length=200)
    language = models.CharField(_("language"), max_length=3, blank=True)
    kind = models.CharField(_("kind"), max_length=8, choices=AliasKind.choices, default=AliasKind.OTHER)
    # NULL: in use, or not known.
    valid_to = models.DateField(_("last day in use"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=120, blank=True)
    search_key = models.CharField(_("search key"), max_length=200, editable=False)
    skeleton = models.CharField(_("skeleton"), max_length=200, editable=False)
    words = ArrayField(models.CharField(max_length=200), verbose_name=_("words"), default=list, editable=False)

    objects = AdminUnitAliasQuerySet.as_manager()

    class Meta:
        verbose_name = _("other spelling")
        verbose_name_plural = _("other spellings")
        ordering = ["unit", "kind", "language", "name"]
        indexes = [
            models.Index(fields=["search_key"], name="alias_search_key", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["skeleton"], name="alias_skeleton", opclasses=["varchar_pattern_ops"]),
            GinIndex(fields=["words"], name="alias_words"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "name", "language", "kind"],
                name="alias_once",
                violation_error_message=_("This place has this spelling already."),
            ),
            models.CheckConstraint(
                condition=~Q(name="") & Q(kind__in=AliasKind.values),
                name="alias_says_something",
                violation_error_message=_("A spelling is not blank, and its kind is one of the list."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Rows written in bulk make their keys themselves: `make_keys`."""
        for column, value in make_keys(self.name).items():
            setattr(self, column, value)
        super().save(*args, **kwargs)
