"""For programs that a test starts (a worker, a command): the suite's settings, in the test's database."""

from dtm_ops.settings import environment
from dtm_ops.settings.test import *  # noqa: F403  settings modules of Django are star imports by its own design
from dtm_ops.settings.test import DATABASES

DATABASES["default"]["NAME"] = environment.text("SUITE_DATABASE")
