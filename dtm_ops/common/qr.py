"""QR codes as SVG text for pages and print. Classes only: a strict CSP takes no style attribute."""

from io import BytesIO
from typing import Final

import segno
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# The quiet zone that scanners need, in modules.
BORDER: Final = 4


def qr_svg(address: str, *, title: str) -> SafeString:
    """An inline SVG without a size of its own: it fills its box. ``title`` is what a screen reader says.

    The ground is drawn, so that the code can be scanned from a page of any colour.
    """
    code = segno.make_qr(address, error="m")
    side = code.symbol_size(border=BORDER)[0]
    drawn = BytesIO()
    code.save(
        drawn, kind="svg", border=BORDER, xmldecl=False, svgns=False, nl=False, svgclass=None, lineclass="qr-dark",
        omitsize=True,
    )  # fmt: skip
    svg = drawn.getvalue().decode("ascii")
    path = svg[svg.index("<path") : svg.index("</svg>")]
    return format_html(
        '<svg class="qr" role="img" aria-label="{}" viewBox="0 0 {} {}">'
        '<rect class="qr-ground" width="{}" height="{}" fill="#fff"/>{}</svg>',
        title, side, side, side, side, mark_safe(path),  # noqa: S308  segno's own path: numbers only
    )  # fmt: skip
