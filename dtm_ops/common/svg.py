"""Charts and maps as SVG text, drawn on the server; the same in a page and in a PDF.

Pure functions: numbers in, markup out. Colours and fonts are the classes of charts.css (a strict CSP takes no style
attribute). Every drawing scales with its box, and stands beside a table that says the same in words.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from shapely.geometry.base import BaseGeometry

# Units of the drawing. Seven tiles in a phone's 358 px make a unit half a pixel: 20 units are a text of 10 px.
TILE_WIDTH: Final = 96
TILE_HEIGHT: Final = 140
TILE_GAP: Final = 4
NAME_SIZE: Final = 20
DETAIL_SIZE: Final = 18
NAME_LINES: Final = 4
WIDE_MAP: Final = 8  # more columns than this keep their size on a phone and scroll
BAR_WIDTH: Final = 400
BAR_TEXT: Final = 16
COLUMN_AREA: Final = 150
BUCKET_WIDTH: Final = 1000
MAP_WIDTH: Final = 700
MAP_HEIGHT: Final = 900
MAP_EDGE: Final = 14
MAP_PRECISION: Final = 10  # parts of a unit that a border keeps
# What is smaller on the map has a disc of this radius upon it, or nobody would see or touch it.
SMALLEST_SHAPE: Final = 26
DISC: Final = 13
LINE_HEIGHT: Final = 21
LABEL_OVER: Final = 1  # how far a label may stand over the border
LABEL_TRIES: Final = 14  # places tried across and down
# A slice that is there is seen, however small its share.
SMALLEST_SLICE: Final = 6

_VOWELS: Final = frozenset("aeiouyаеёиоуыэюяәіөүұ")
_NARROW: Final = frozenset("ijltfrI1.,:;-'|()[] ")
_SLIM: Final = frozenset("acsz?гстк")
_BROAD: Final = frozenset("mwMWшщжюфШЩЖЮФ%@")
_FULL: Final = frozenset("мыъ")


@dataclass(frozen=True, slots=True)
class Tile:
    """One unit of a tile map. ``level`` picks the colour, 0 (nothing) to 5 (all); None draws it faint, as a place that
    is not spoken of. ``value`` is the large text, ``detail`` the small one under it.
    """

    column: int
    row: int
    name: str
    value: str = ""
    detail: str = ""
    level: int | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One unit of a map: its polygon in degrees (longitude first), whichever way its rings turn. The rest as `Tile`."""

    outline: BaseGeometry
    name: str
    value: str = ""
    detail: str = ""
    level: int | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """``text`` is what stands at the bar: the number as the reader's language writes it."""

    label: str
    value: int
    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """``note`` stands under the label, as a change against the column before."""

    label: str
    value: int
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a stacked bar; ``code`` names its class (``bucket-covered``)."""

    code: str
    label: str
    value: int


def tile_map(tiles: Iterable[Tile], *, title: str, description: str = "") -> SafeString:
    """One tile a unit, so that a small city is as visible as a large region. The first column and row in use are the
    edge of the drawing. No tiles: an empty text.
    """
    ordered = sorted(tiles, key=lambda tile: (tile.row, tile.column, tile.name))
    if not ordered:
        return SafeString()
    left, top = min(tile.column for tile in ordered), min(tile.row for tile in ordered)
    columns = max(tile.column for tile in ordered) - left + 1
    rows = max(tile.row for tile in ordered) - top + 1
    body = "".join(_tile(tile, column=tile.column - left, row=tile.row - top) for tile in ordered)
    width, height = columns * (TILE_WIDTH + TILE_GAP) - TILE_GAP, rows * (TILE_HEIGHT + TILE_GAP) - TILE_GAP
    css = "chart tile-map wide" if columns > WIDE_MAP else "chart tile-map"
    return _svg(
        body, css=css, size=(width, height), title=title, description=description, linked=any(t.href for t in ordered)
    )


def polygon_map(shapes: Iterable[Shape], *, title: str, description: str = "") -> SafeString:
    """The units where they lie. Borders are as fine as the screen shows them, so that a country stays a light page;
    degrees of longitude are as long as in the middle of the map. Names stand where they fit. No shapes: an empty text.
    """
    drawn = [shape for shape in shapes if not shape.outline.is_empty]
    if not drawn:
        return SafeString()
    outlines, size = _on_paper([shape.outline for shape in drawn])
    # The large first: what lies in a hole, or was never cut out, stays in sight.
    order = sorted(range(len(drawn)), key=lambda index: -outlines[index].area)
    small = [shapely.Point(_middle(outline)).buffer(DISC) for outline in outlines if _is_small(outline)]
    discs = shapely.union_all(small)
    body = "".join(_shape(drawn[index], outlines[index], discs) for index in order)
    linked = any(shape.href for shape in drawn)
    return _svg(body, css="chart polygon-map", size=size, title=title, description=description, linked=linked)


def bar_chart(rows: Iterable[Bar], *, title: str, description: str = "") -> SafeString:
    """Lying bars, label and number above each, the longest as wide as the drawing. No rows: an empty text."""
    bars = list(rows)
    if not bars:
        return SafeString()
    most = max(bar.value for bar in bars)
    y, pieces = 0, []
    for bar in bars:
        piece, height = _bar(bar, y=y, most=most)
        pieces.append(piece)
        y += height
    linked = any(bar.href for bar in bars)
    return _svg(
        "".join(pieces), css="chart bars", size=(BAR_WIDTH, y), title=title, description=description, linked=linked
    )


def column_chart(rows: Iterable[Column], *, title: str, description: str = "") -> SafeString:
    """Standing columns over one base line, from left to right, for a series over time. No rows: an empty text."""
    columns = list(rows)
    if not columns:
        return SafeString()
    most = max(column.value for column in columns)
    step = BAR_WIDTH / len(columns)
    body = "".join(
        _column(column, middle=step * (index + 0.5), step=step, most=most) for index, column in enumerate(columns)
    )
    base = 24 + COLUMN_AREA
    body += f'<line class="axis" x1="0" x2="{BAR_WIDTH}" y1="{base}" y2="{base}"/>'
    return _svg(body, css="chart columns", size=(BAR_WIDTH, base + 44), title=title, description=description)


def bucket_bar(parts: Iterable[Slice], *, title: str, description: str = "") -> SafeString:
    """One stacked bar of a whole. It has no texts, and stretches; the legend beside it names the parts. A whole of
    nothing is the empty track.
    """
    shown = [part for part in parts if part.value > 0]
    x, pieces = 0.0, [f'<rect class="track" width="{BUCKET_WIDTH}" height="32"/>']
    for part, width in zip(shown, _slice_widths([part.value for part in shown]), strict=True):
        tip = f"<title>{escape(part.label)}: {part.value}</title>"
        pieces.append(
            f'<rect class="slice bucket-{escape(part.code)}" x="{_number(x)}" width="{_number(width)}" height="32">'
            f"{tip}</rect>"
        )
        x += width
    return _svg(
        "".join(pieces),
        css="chart bucket-bar",
        size=(BUCKET_WIDTH, 32),
        title=title,
        description=description,
        stretch=True,
    )


def wrap(text: str, *, size: float, width: float, limit: int = 0) -> list[str]:
    """Lines that fit ``width`` units, by estimated widths of letters. Words longer than a line are hyphenated where a
    syllable may begin; lines above ``limit`` (0: none) end in "…".
    """
    lines = [""]
    for word in _words(text):
        gap = " " if lines[-1] and not lines[-1].endswith("-") else ""
        if text_width(lines[-1] + gap + word, size) <= width:
            lines[-1] += gap + word
            continue
        pieces = _hyphenate(word, size=size, width=width)
        lines = [*lines, *pieces] if lines[-1] else pieces
    if limit and len(lines) > limit:
        lines = [*lines[: limit - 1], lines[limit - 1].rstrip("-") + "…"]
    return lines


def text_width(text: str, size: float) -> float:
    """Units; an estimate on the safe side for the usual system fonts, since the server does not know the reader's."""
    return sum(_letter_width(letter) for letter in text) * size


def _svg(
    body: str,
    *,
    css: str,
    size: tuple[float, float],
    title: str,
    description: str,
    linked: bool = False,
    stretch: bool = False,
) -> SafeString:
    # What is an image has no links in it for a screen reader: a drawing that one can walk through is a group.
    role = "group" if linked else "img"
    ratio = ' preserveAspectRatio="none"' if stretch else ""
    desc = f"<desc>{escape(description)}</desc>" if description else ""
    return mark_safe(  # noqa: S308  every text in it went through escape()
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{css}" viewBox="0 0 {_number(size[0])} {_number(size[1])}"'
        f'{ratio} role="{role}" aria-label="{escape(title)}"><title>{escape(title)}</title>{desc}{body}</svg>'
    )


def _tile(tile: Tile, *, column: int, row: int) -> str:
    middle = TILE_WIDTH / 2
    lines = wrap(tile.name, size=NAME_SIZE, width=TILE_WIDTH - 2, limit=NAME_LINES)
    texts = [
        f'<text class="name" x="{_number(middle)}" y="{23 + 20 * index}">{escape(line)}</text>'
        for index, line in enumerate(lines)
    ]
    if tile.value:
        texts.append(f'<text class="value" x="{_number(middle)}" y="{TILE_HEIGHT - 32}">{escape(tile.value)}</text>')
    if tile.detail and text_width(tile.detail, DETAIL_SIZE) <= TILE_WIDTH:
        texts.append(f'<text class="detail" x="{_number(middle)}" y="{TILE_HEIGHT - 11}">{escape(tile.detail)}</text>')
    words = _in_words(tile)
    body = f'<title>{escape(words)}</title><rect width="{TILE_WIDTH}" height="{TILE_HEIGHT}" rx="8"/>{"".join(texts)}'
    x, y = column * (TILE_WIDTH + TILE_GAP), row * (TILE_HEIGHT + TILE_GAP)
    css = f"map-tile {_level_class(tile)}"
    return f'<g class="{css}" transform="translate({x} {y})">{_linked(body, tile.href, label=words)}</g>'


def _level_class(unit: Tile | Shape) -> str:
    return "faint" if unit.level is None else f"level-{min(max(unit.level, 0), 5)}"


def _in_words(unit: Tile | Shape) -> str:
    words = f"{unit.name}: {unit.value}" if unit.value else unit.name
    return f"{words} ({unit.detail})" if unit.detail else words


def _on_paper(outlines: Sequence[BaseGeometry]) -> tuple[Sequence[BaseGeometry], tuple[float, float]]:
    """In units of the drawing, from its upper left corner; neighbours keep one border between them."""
    west, south, east, north = shapely.total_bounds(outlines)
    narrow = max(math.cos(math.radians((south + north) / 2)), 0.01)
    width, height = max((east - west) * narrow, 1e-9), max(north - south, 1e-9)
    scale = min((MAP_WIDTH - 2 * MAP_EDGE) / width, (MAP_HEIGHT - 2 * MAP_EDGE) / height)

    def place(points: Any) -> Any:
        x = (points[:, 0] - west) * narrow * scale + MAP_EDGE
        return np.column_stack([x, (north - points[:, 1]) * scale + MAP_EDGE])

    placed = [shapely.transform(outline, place) for outline in outlines]
    finer = [found if not found.is_empty else placed[index] for index, found in enumerate(_simplify(placed))]
    return finer, (width * scale + 2 * MAP_EDGE, height * scale + 2 * MAP_EDGE)


def _simplify(outlines: Sequence[BaseGeometry]) -> Sequence[BaseGeometry]:
    simplified: Sequence[BaseGeometry] = shapely.coverage_simplify(outlines, 1.0)
    return simplified


def _shape(shape: Shape, outline: BaseGeometry, discs: BaseGeometry) -> str:
    words = _in_words(shape)
    path = f'<path fill-rule="evenodd" transform="scale({1 / MAP_PRECISION:g})" d="{_path(outline)}"/>'
    if _is_small(outline):
        x, y = _middle(outline)
        mark = f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{DISC}"/>'
    else:
        mark = _label(shape, outline.buffer(LABEL_OVER).difference(discs))
    body = f"<title>{escape(words)}</title>{path}{mark}"
    return f'<g class="map-shape {_level_class(shape)}">{_linked(body, shape.href, label=words)}</g>'


def _is_small(outline: BaseGeometry) -> bool:
    west, north, east, south = outline.bounds
    return bool(max(east - west, south - north) < SMALLEST_SHAPE)


def _middle(outline: BaseGeometry) -> tuple[float, float]:
    west, north, east, south = outline.bounds
    return (west + east) / 2, (north + south) / 2


def _path(outline: BaseGeometry) -> str:
    """Each ring as steps from point to point: shorter than places, and exact, since the places were rounded first."""
    pieces = []
    for part in shapely.get_parts(outline):
        for ring in (part.exterior, *part.interiors):
            places = np.rint(shapely.get_coordinates(ring)[:-1] * MAP_PRECISION).astype(int)
            steps = np.diff(places, axis=0)
            steps = steps[steps.any(axis=1)]
            way = " ".join(f"{x} {y}" for x, y in steps.tolist())
            pieces.append(f"M{places[0][0]} {places[0][1]}l{way}z".replace(" -", "-"))
    return "".join(pieces)


def _label(shape: Shape, room: BaseGeometry) -> str:
    """Name and value, as near to the middle as they fit into the room; the value alone, or nothing, if they do not."""
    west, _north, east, _south = room.bounds
    names = wrap(shape.name, size=NAME_SIZE, width=max((east - west) * 0.8, 1))
    value = [(shape.value, "value")] if shape.value else []
    for lines in ([*((name, "name") for name in names), *value], value):
        wide = max((text_width(text, NAME_SIZE) for text, _css in lines), default=0)
        place = _place_for(room, wide=wide, tall=LINE_HEIGHT * len(lines)) if lines else None
        if place:
            x, first = place[0], place[1] + 16
            return "".join(
                f'<text class="{css}" x="{_number(x)}" y="{_number(first + LINE_HEIGHT * index)}">{escape(text)}</text>'
                for index, (text, css) in enumerate(lines)
            )
    return ""


def _place_for(room: BaseGeometry, *, wide: float, tall: float) -> tuple[float, float] | None:
    """Middle and top of a box of that size inside."""
    west, north, east, south = room.bounds
    x, y = (
        axis.ravel()
        for axis in np.meshgrid(np.linspace(west, east, LABEL_TRIES), np.linspace(north, south, LABEL_TRIES))
    )
    nearest = np.argsort(np.hypot(x - room.centroid.x, y - room.centroid.y))
    x, y = x[nearest], y[nearest]
    shapely.prepare(room)
    fits = shapely.covers(room, shapely.box(x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2))
    if not fits.any():
        return None
    first = int(np.argmax(fits))
    return float(x[first]), float(y[first] - tall / 2)


def _bar(bar: Bar, *, y: int, most: int) -> tuple[str, int]:
    """The markup and the height of one bar with its label."""
    lines = wrap(bar.label, size=BAR_TEXT, width=BAR_WIDTH - text_width(bar.text, BAR_TEXT) - 12)
    under = y + 4 + 20 * len(lines)
    length = max(BAR_WIDTH * bar.value / most, 2) if most and bar.value else 0
    texts = "".join(
        f'<text class="label" x="0" y="{y + 16 + 20 * index}">{escape(line)}</text>' for index, line in enumerate(lines)
    )
    body = (
        f"<title>{escape(bar.label)}: {escape(bar.text)}</title>{texts}"
        f'<text class="number" x="{BAR_WIDTH}" y="{y + 16}">{escape(bar.text)}</text>'
        f'<rect class="track" x="0" y="{under}" width="{BAR_WIDTH}" height="9" rx="2"/>'
        f'<rect class="bar" x="0" y="{under}" width="{_number(length)}" height="9" rx="2"/>'
    )
    return _linked(f"<g>{body}</g>", bar.href, label=f"{bar.label}: {bar.text}"), 20 * len(lines) + 26


def _column(column: Column, *, middle: float, step: float, most: int) -> str:
    height = max(COLUMN_AREA * column.value / most, 2) if most and column.value else 0
    width = min(step * 0.6, 72)
    base = 24 + COLUMN_AREA
    at = f'x="{_number(middle)}"'
    note = f'<text class="note" {at} y="{base + 38}">{escape(column.note)}</text>' if column.note else ""
    return (
        f"<g><title>{escape(column.label)}: {escape(column.text)}</title>"
        f'<rect class="bar" x="{_number(middle - width / 2)}" y="{_number(base - height)}" width="{_number(width)}"'
        f' height="{_number(height)}" rx="2"/>'
        f'<text class="number" {at} y="{_number(base - height - 7)}">{escape(column.text)}</text>'
        f'<text class="label" {at} y="{base + 19}">{escape(column.label)}</text>{note}</g>'
    )


def _linked(body: str, href: str, *, label: str) -> str:
    if not href:
        return body
    if not href.startswith(("/", "?", "#")) or href.startswith("//"):
        raise ValueError(f"a drawing links into the site only, not to {href!r}")
    return f'<a href="{escape(href)}" aria-label="{escape(label)}">{body}</a>'


def _slice_widths(values: Sequence[int]) -> list[float]:
    """Shares of `BUCKET_WIDTH`, none below `SMALLEST_SLICE`; what that takes comes off the larger ones."""
    whole = sum(values)
    widths = [max(BUCKET_WIDTH * value / whole, SMALLEST_SLICE) for value in values]
    over = sum(widths) - BUCKET_WIDTH
    spare = sum(width - SMALLEST_SLICE for width in widths)
    return [width - over * (width - SMALLEST_SLICE) / spare if spare else width for width in widths]


def _words(text: str) -> list[str]:
    """Broken at blanks and behind hyphens, which stay with the word before them."""
    words = []
    for word in text.split():
        parts = word.split("-")
        words += [f"{part}-" for part in parts[:-1]] + [parts[-1]]
    return [word for word in words if word]


def _hyphenate(word: str, *, size: float, width: float) -> list[str]:
    lines, rest = [], word
    while text_width(rest, size) > width:
        fitting = [cut for cut in _cuts(rest) if text_width(f"{rest[:cut]}-", size) <= width]
        if not fitting:
            break
        lines.append(f"{rest[: fitting[-1]]}-")
        rest = rest[fitting[-1] :]
    return [*lines, rest]


def _cuts(word: str) -> list[int]:
    """Where a syllable begins, roughly and for Latin and Cyrillic alike: at a consonant before a vowel ("st" and
    "ск" stay together), with two letters before it and three behind.
    """
    letters = word.lower()
    found = []
    for index in range(2, len(letters) - 2):
        together = letters[index - 1 : index + 1] in ("st", "ст", "ск") and index > 3
        cut = index - 1 if together else index
        opens = letters[index] not in _VOWELS and letters[index].isalpha() and letters[index + 1] in _VOWELS
        if opens and cut >= 2 and len(word.rstrip("-")) - cut >= 3 and not _VOWELS.isdisjoint(letters[:cut]):
            found.append(cut)
    return found


def _letter_width(letter: str) -> float:
    if letter in _NARROW or letter == "\N{NO-BREAK SPACE}":
        return 0.34
    if letter in _BROAD:
        return 0.88
    if letter in _SLIM:
        return 0.52
    return 0.7 if letter.isupper() or letter in _FULL else 0.59


def _number(value: float) -> str:
    """Without the reader's decimal comma, and no longer than a drawing needs."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
