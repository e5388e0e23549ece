"""For container engines: `python -m dtm_ops.healthcheck [PORT]` ends with 0 when `/health/` answers 200 here."""

import http.client
import sys

from django.conf import settings


def is_healthy(port: int) -> bool:
    # Asked as the proxy asks: by a name that is allowed, and over HTTPS as far as Django can tell.
    host = settings.ALLOWED_HOSTS[0].removeprefix(".").replace("*", "localhost")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/", headers={"Host": host, "X-Forwarded-Proto": "https"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_healthy(int(sys.argv[1]) if len(sys.argv) > 1 else 8000) else 1)
