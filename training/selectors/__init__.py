"""Questions about the roster."""

from training.selectors.certification import why_not_certified
from training.selectors.training import certified_enumerators

__all__ = ["certified_enumerators", "why_not_certified"]
