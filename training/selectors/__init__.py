"""Questions about the roster."""

from training.selectors.certification import why_not_certified
from training.selectors.people_search import search_people
from training.selectors.training import certified_enumerators

__all__ = ["certified_enumerators", "search_people", "why_not_certified"]
