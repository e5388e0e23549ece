"""QR codes: well-formed, without styles, with the modules that the address asks for."""

import re
from xml.etree import ElementTree

import segno

from dtm_ops.common.qr import BORDER, qr_svg

ADDRESS = "http://localhost:8000/verify/ABCD-EFGH-JKLM/"
MOVE = re.compile(r"([Mm])([\d.-]+)[ ,]?([\d.-]+)|h(\d+)")


def dark_modules(path):
    """(column, row) of every module that the path's strokes cover."""
    found, x, y = set(), 0.0, 0.0
    for kind, right, down, run in MOVE.findall(path):
        if run:
            found |= {(int(x) + step, int(y)) for step in range(int(run))}
            x += int(run)
        elif kind == "M":
            x, y = float(right), float(down)
        else:
            x, y = x + float(right), y + float(down)
    return found


def test_qr_code_draws_the_modules_of_its_address():
    svg = ElementTree.fromstring(qr_svg(ADDRESS, title="Open the page"))  # noqa: S314  our own markup

    matrix = segno.make_qr(ADDRESS, error="m").matrix
    dark = {(x + BORDER, y + BORDER) for y, row in enumerate(matrix) for x, cell in enumerate(row) if cell}
    assert dark_modules(svg.find("path").get("d")) == dark
    assert svg.get("viewBox") == f"0 0 {len(matrix) + 2 * BORDER} {len(matrix) + 2 * BORDER}"


def test_qr_code_carries_its_title_escaped_and_no_style():
    svg = qr_svg(ADDRESS, title='<b>"Open"</b> & scan')

    parsed = ElementTree.fromstring(svg)  # noqa: S314  our own markup
    assert parsed.get("aria-label") == '<b>"Open"</b> & scan'
    assert "style" not in svg
