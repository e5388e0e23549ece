"""Questions about the roster."""

from training.selectors.training import certified_enumerators, who_missed

__all__ = ["certified_enumerators", "who_missed"]
