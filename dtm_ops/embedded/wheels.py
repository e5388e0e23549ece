"""Where a wheel's files are, without importing it."""

import importlib.util
from pathlib import Path

from dtm_ops.embedded.accounts import OUTSIDE, LaunchError


def site_of(package: str) -> Path:
    """The folder that holds `package`: `site-packages`, as a rule."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise LaunchError(f"the package {package} is not installed (requirements/local.txt). {OUTSIDE}")
    return Path(found.submodule_search_locations[0]).resolve().parent
