"""Saving a mapping: of a form, or of one version of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from assessments.enums import ReviewStatus
from assessments.kobo.errors import Problem
from assessments.kobo.mapping import load_mapping
from assessments.kobo.mapping_checks import MappingError
from assessments.kobo.questions import Fit, check_fit
from assessments.messages import mapping_message
from assessments.models import Category, Indicator, KoboForm, KoboFormVersion, KoboSubmission
from assessments.permissions import can_connect_kobo
from assessments.selectors.mappings import content_for
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused

Owner = KoboForm | KoboFormVersion
Data = dict[str, Any]


class MappingRefused(Refused):
    """The mapping cannot be used. ``problems``: all that was found, by their place in the JSON."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        words = "; ".join(mapping_message(problem) for problem in self.problems)
        super().__init__(_("The mapping is not usable: %(why)s") % {"why": words}, code="mapping")


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved, and what to think of: how it fits the form's questions (None: those are not known yet), how many
    forms could not be read until now, and how many others wait for a decision on figures that the old mapping gave.
    """

    changed: bool
    fit: Fit | None
    refused: int
    undecided: int


def fingerprint_of(owner: Owner) -> str:
    """What an editor carries to tell at the end whether somebody else has saved meanwhile."""
    text = json.dumps(owner.mapping, sort_keys=True, ensure_ascii=False)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@transaction.atomic
def save_mapping(owner: Owner, mapping: Data | None, *, opened_with: str, by: User) -> Saved:
    """Give a form, or one version of it, this mapping. None takes a version back to the form's own.

    ``opened_with`` is the ``fingerprint_of`` what the change started from; refused (``changed_meanwhile``) where the
    mapping is another by now. What the form's questions do not have is told and not refused: forms of older versions
    may have it.
    """
    if not can_connect_kobo(by):
        raise Refused(_("Mappings are the administrators'."), code="not_allowed")
    if mapping is None and isinstance(owner, KoboForm):
        raise Refused(_("A form needs a mapping."), code="mapping")
    if mapping is not None and (problems := find_problems(mapping)):
        raise MappingRefused(problems)
    current = _lock(owner)
    if fingerprint_of(current) != opened_with:
        raise Refused(
            _("Somebody else saved this mapping meanwhile. Nothing was written; look at it again."),
            code="changed_meanwhile",
        )
    changed = current.mapping != mapping
    if changed:
        current.mapping = mapping
        current.save(update_fields=["mapping"])
    owner.mapping = mapping
    return _describe(owner, changed=changed)


def find_problems(mapping: object) -> list[Problem]:
    """Why a mapping cannot be used: its shape, and codes that the mission's lists do not have."""
    try:
        load_mapping(mapping)
    except MappingError as error:
        return list(error.problems)
    known: dict[str, set[str]] = {code: set() for code in Indicator.objects.values_list("code", flat=True)}
    for indicator, code in Category.objects.values_list("indicator__code", "code"):
        known[indicator].add(code)
    assert isinstance(mapping, dict)  # noqa: S101  load_mapping takes nothing else
    return [
        problem
        for place, rule in enumerate(mapping["figures"])
        for problem in _unknown_codes(f"figures[{place}]", rule, known)
    ]


def _unknown_codes(place: str, rule: Data, known: dict[str, set[str]]) -> Iterator[Problem]:
    """A range of years may reach further than the list: what such an answer may be is asked of each answer."""
    categories = known.get(rule["indicator"])
    if categories is None:
        yield Problem("unknown_indicator", f"{place}.indicator", rule["indicator"])
        return
    category, listed = rule.get("category"), rule.get("categories")
    if isinstance(category, str) and category not in categories:
        yield Problem("unknown_category", f"{place}.category", category)
    for name, codes in (("categories", listed if isinstance(listed, list) else []), ("recode", _recoded(rule))):
        for code in sorted(set(codes) - categories):
            yield Problem("unknown_category", f"{place}.{name}", code)


def _recoded(rule: Data) -> list[str]:
    recode = rule.get("recode")
    return list(recode.values()) if isinstance(recode, dict) else []


def _lock(owner: Owner) -> Owner:
    """The row as it is now, without the rows that it points at."""
    if isinstance(owner, KoboForm):
        return KoboForm.objects.select_for_update().get(pk=owner.pk)
    return KoboFormVersion.objects.select_for_update().defer("content").get(pk=owner.pk)


def _describe(owner: Owner, *, changed: bool) -> Saved:
    own = KoboSubmission.objects.present()
    if isinstance(owner, KoboForm):
        # Those of versions with a mapping of their own are read by that one.
        own = own.filter(form=owner).exclude(current_revision__form_version__mapping__isnull=False)
    else:
        own = own.filter(form=owner.form, current_revision__form_version=owner)
    mapping, content = owner.mapping, content_for(owner)
    return Saved(
        changed=changed,
        fit=check_fit(mapping, content) if mapping and content else None,
        refused=own.filter(is_refused=True).count(),
        undecided=own.filter(is_refused=False).exclude(review_status=ReviewStatus.APPROVED).count(),
    )
