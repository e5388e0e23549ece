#!/usr/bin/env python3
"""Django's command line for DTM Ops. A command that needs the embedded servers finds them running."""

import os
import signal
import sys
from types import FrameType

from django.conf import settings
from django.core.management import execute_from_command_line

from dtm_ops.embedded.accounts import LaunchError
from dtm_ops.embedded.needs import command_needs
from dtm_ops.embedded.users import using_servers


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dtm_ops.settings.local")
    # Asked to end, leave as after Ctrl-C: the servers are stopped by whoever leaves last.
    signal.signal(signal.SIGTERM, _leave)
    try:
        with using_servers(command_needs(sys.argv[1:], settings)):
            execute_from_command_line(sys.argv)
    except LaunchError as problem:
        raise SystemExit(f"DTM Ops cannot start: {problem}") from None


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
