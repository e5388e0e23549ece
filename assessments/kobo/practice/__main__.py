"""``python -m assessments.kobo.practice --state FILE --port N``: a practice Kobo in the foreground."""

import argparse
import sys

from assessments.kobo.practice.server import serve


def _announce(url: str) -> None:
    sys.stderr.write(f"Practice Kobo at {url}/\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="assessments.kobo.practice", description="Practice Kobo: not a real server.")
    parser.add_argument("--state", required=True, help="SQLite file of the state; made where it is missing")
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    try:
        serve(
            arguments.state,
            host=arguments.host,
            port=arguments.port,
            ready=_announce,
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"Practice Kobo cannot start: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
