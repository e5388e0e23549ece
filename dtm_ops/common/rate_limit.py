"""How often one address may ask for a page that is open to everybody."""

from axes.helpers import get_client_ip_address
from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone

_KEPT = 120  # seconds; the minute that is counted, and the clocks of several web hosts


def is_too_often(request: HttpRequest, *, page: str, per_minute: int) -> bool:
    """Counts this request. The visitor behind the proxy is meant, as for the log-in (PROXY_COUNT)."""
    minute = int(timezone.now().timestamp()) // 60
    key = f"rate:{page}:{get_client_ip_address(request)}:{minute}"
    if cache.add(key, 1, _KEPT):
        return per_minute < 1
    try:
        return cache.incr(key) > per_minute
    except ValueError:  # it ran out between the two
        return False
