"""A status as a coloured word. The word carries the meaning; the colour only helps the eye."""

from typing import Final

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

# Classes of the desk's stylesheet.
GOOD: Final = "good"
WAIT: Final = "wait"
BAD: Final = "bad"
INFO: Final = "info"
QUIET: Final = "quiet"


def badge(text: str | Promise, tone: str = QUIET) -> SafeString:
    return format_html('<span class="badge badge-{}">{}</span>', tone, text)
