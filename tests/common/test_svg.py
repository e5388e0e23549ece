"""Drawings: well-formed, escaped, without styles, scaling; and the contrast of their colours."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from dtm_ops.common.svg import (
    Bar,
    Column,
    Shape,
    Slice,
    Tile,
    bar_chart,
    bucket_bar,
    column_chart,
    polygon_map,
    text_width,
    tile_map,
    wrap,
)

CSS = Path(__file__).parents[2] / "dtm_ops" / "static" / "dtm_ops" / "charts.css"
NASTY = "<script>alert(1)</script> & \"quoted\" 'single'"
SVG = "{http://www.w3.org/2000/svg}"


def drawings(text):
    yield tile_map([Tile(0, 0, text, text, text, 3, "/a?x=1&y=2")], title=text, description=text)
    yield polygon_map([Shape(shapely.box(70, 50, 71, 51), text, text, text, 3, "/a?x=1")], title=text, description=text)
    yield bar_chart([Bar(text, 3, text, "/a")], title=text, description=text)
    yield column_chart([Column(text, 3, text, text)], title=text, description=text)
    yield bucket_bar([Slice(text, text, 3)], title=text, description=text)


def parse(drawing):
    return ElementTree.fromstring(drawing)  # noqa: S314  our own markup


def test_drawings_escape_every_text_and_use_classes_only():
    for drawing in drawings(NASTY):
        root = parse(drawing)
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert tags <= {"svg", "title", "desc", "g", "a", "rect", "text", "line", "path", "circle"}
        assert not any(name == "style" or name.startswith("on") for element in root.iter() for name in element.attrib)
        assert root.find(f"{SVG}title").text == NASTY
        assert root.get("viewBox").startswith("0 0 ")


def test_drawing_is_an_image_unless_it_can_be_walked_through():
    plain = parse(tile_map([Tile(0, 0, "Almaty")], title="Map"))
    linked = parse(tile_map([Tile(0, 0, "Almaty", href="/x/")], title="Map"))

    assert (plain.get("role"), plain.get("aria-label")) == ("img", "Map")
    assert (linked.get("role"), linked.find(f".//{SVG}a").get("aria-label")) == ("group", "Almaty")


@pytest.mark.parametrize("href", ["javascript:alert(1)", "https://example.org/", "//example.org/", "data:text/html,x"])
def test_drawing_links_nowhere_but_into_the_site(href):
    with pytest.raises(ValueError, match="into the site only"):
        bar_chart([Bar("a", 1, "1", href)], title="t")


@pytest.mark.parametrize("draw", [tile_map, polygon_map, bar_chart, column_chart])
def test_drawing_of_nothing_is_empty(draw):
    assert draw([], title="t") == ""


def test_tile_map_starts_at_the_first_tile_and_marks_levels():
    root = parse(
        tile_map([Tile(4, 2, "Almaty", "40.0 %", "2/5", 2), Tile(3, 1, "Astana"), Tile(3, 2, "X", level=9)], title="t")
    )
    groups = root.findall(f"{SVG}g")

    assert [(group.get("class"), group.get("transform")) for group in groups] == [
        ("map-tile faint", "translate(0 0)"),
        ("map-tile level-5", "translate(0 144)"),
        ("map-tile level-2", "translate(100 144)"),
    ]
    assert root.get("viewBox") == "0 0 196 284"
    assert [text.text for text in groups[2].iter(f"{SVG}text")] == ["Almaty", "40.0 %", "2/5"]


def test_bar_chart_draws_the_longest_over_the_whole_width_and_zero_not_at_all():
    root = parse(bar_chart([Bar("a", 200, "200"), Bar("b", 50, "50"), Bar("c", 0, "0")], title="t"))

    assert [rect.get("width") for rect in root.iter(f"{SVG}rect") if rect.get("class") == "bar"] == ["400", "100", "0"]


def test_bar_chart_of_zeros_draws_no_bars():
    root = parse(bar_chart([Bar("a", 0, "0")], title="t"))

    assert [rect.get("width") for rect in root.iter(f"{SVG}rect") if rect.get("class") == "bar"] == ["0"]


def test_column_chart_scales_to_the_largest():
    root = parse(column_chart([Column("2021", 50, "50"), Column("2022", 100, "100", "+100.0 %")], title="t"))

    assert [rect.get("height") for rect in root.iter(f"{SVG}rect")] == ["75", "150"]
    assert [text.text for text in root.iter(f"{SVG}text")] == ["50", "2021", "100", "2022", "+100.0 %"]


def test_bucket_bar_leaves_out_what_is_empty():
    root = parse(
        bucket_bar([Slice("covered", "c", 3), Slice("overdue", "o", 0), Slice("unassigned", "u", 1)], title="t")
    )
    slices = [rect for rect in root.iter(f"{SVG}rect") if "slice" in rect.get("class")]

    assert [(rect.get("class"), rect.get("x"), rect.get("width")) for rect in slices] == [
        ("slice bucket-covered", "0", "750"),
        ("slice bucket-unassigned", "750", "250"),
    ]


@given(st.lists(st.integers(0, 100_000), max_size=11))
def test_bucket_bar_fills_its_width_and_shows_every_part(values):
    root = parse(bucket_bar([Slice("covered", "c", value) for value in values], title="t"))
    widths = [float(rect.get("width")) for rect in root.iter(f"{SVG}rect") if "slice" in rect.get("class")]

    assert len(widths) == sum(value > 0 for value in values)
    assert all(width >= 5.99 for width in widths)
    assert not widths or abs(sum(widths) - 1000) < 0.1


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Almaty", ["Almaty"]),
        ("Almaty city", ["Almaty", "city"]),
        ("West Kazakhstan", ["West", "Kazakh-", "stan"]),
        ("Западно-Казахстанская", ["Западно-", "Казах-", "станская"]),
        ("Солтүстік Қазақстан", ["Солтү-", "стік", "Қазақ-", "стан"]),
    ],
)
def test_wrap_breaks_names_where_they_are_read(name, lines):
    assert wrap(name, size=20, width=92) == lines


@given(st.text(alphabet="abcdeoуяктсрн -", max_size=60))
def test_wrap_loses_no_letter(text):
    joined = "".join(wrap(text, size=20, width=90))

    assert joined.replace("-", "").replace(" ", "") == text.replace("-", "").replace(" ", "")


def test_wrap_ends_what_does_not_fit_the_limit():
    assert wrap("one two three four five six", size=20, width=90, limit=2)[-1].endswith("…")
    assert all(text_width(line, 20) <= 90 for line in wrap("one two three", size=20, width=90))


def luminance(colour):
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def themes():
    """The variables of both stylesheets, light and dark."""
    text = CSS.read_text() + CSS.with_name("site.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    found = [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6}|#[0-9a-f]{3})\b", block)) for block in blocks]
    full = [
        {name: value if len(value) == 7 else "#" + "".join(c * 2 for c in value[1:]) for name, value in one.items()}
        for one in found
    ]
    light = full[0] | full[2]
    return {"light": light, "dark": light | full[1] | full[3]}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_of_drawings_can_be_read(theme):
    colours = themes()[theme]
    pairs = [(f"tile-{level}-text", f"tile-{level}") for level in (*range(6), "faint")]
    pairs += [("chart-text", "card"), ("chart-muted", "card")]

    assert [(pair, theme) for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 4.5] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_and_slices_stand_out_from_their_ground(theme):
    colours = themes()[theme]
    shapes = ["chart-bar", *(name for name in colours if name.startswith("bucket-"))]

    assert len(shapes) == 12
    assert [(name, theme) for name in shapes if contrast(colours[name], colours["card"]) < 3] == []


# --- polygons


def groups(drawing):
    return parse(drawing).findall(f"{SVG}g")


def test_polygon_map_is_as_wide_as_it_lies_and_the_large_comes_first():
    """At 60 degrees north a degree of longitude is half as long as one of latitude."""
    drawing = polygon_map(
        [
            Shape(shapely.box(70, 59.5, 71, 60.5), "Small", "40.0 %", "2/5", 2, "/small/"),
            Shape(shapely.box(71, 59.5, 74, 60.5), "Large", level=9),
        ],
        title="Map",
    )
    root = parse(drawing)
    width, height = map(float, root.get("viewBox").split()[2:])

    # Four degrees by one, half as wide, with an edge of 14 on every side.
    assert (width, round(height)) == (700, 28 + 672 // 2)
    assert [group.get("class") for group in groups(drawing)] == ["map-shape level-5", "map-shape level-2"]
    assert [link.get("aria-label") for link in root.iter(f"{SVG}a")] == ["Small: 40.0 % (2/5)"]
    assert [path.get("d") for path in root.iter(f"{SVG}path")] == [
        "M1820 3500l0-3360 5040 0 0 3360z",
        "M1820 3500l0-3360-1680 0 0 3360z",
    ]
    assert [text.text for text in root.iter(f"{SVG}text")] == ["Large", "Small", "40.0 %"]


def test_polygon_map_draws_holes_parts_and_rings_of_either_turn():
    ring = [(70, 50), (72, 50), (72, 52), (70, 52)]
    hole = [(70.5, 50.5), (71, 50.5), (71, 51), (70.5, 51)]
    far = shapely.box(73, 50, 74, 51)
    for turn in (1, -1):
        whole = shapely.MultiPolygon([shapely.Polygon(ring[::turn], [hole[::-turn]]), far])
        path = parse(polygon_map([Shape(whole, "X")], title="t")).find(f".//{SVG}path")
        assert (path.get("fill-rule"), path.get("d").count("M")) == ("evenodd", 3)


def test_polygon_too_small_to_see_has_a_disc_upon_it_and_no_label():
    city = Shape(shapely.box(71, 50.5, 71.1, 50.6), "City", "1 %", href="/city/")
    around = Shape(shapely.box(65, 48, 75, 54).difference(city.outline), "Region", "2 %")
    large, small = groups(polygon_map([city, around], title="t"))

    assert [circle.get("r") for circle in large.iter(f"{SVG}circle")] == []
    assert [circle.get("r") for circle in small.iter(f"{SVG}circle")] == ["13"]
    assert [text.text for text in large.iter(f"{SVG}text")] == ["Region", "2 %"]
    assert [text.text for text in small.iter(f"{SVG}text")] == []


def test_neighbours_on_a_map_keep_one_border():
    """A ragged border of a thousand corners is drawn by a few dozen, and by the same for both."""
    ragged = [(71 + (number % 7) / 5000, 50 + number / 1000) for number in range(1001)]
    left = shapely.Polygon([(70, 50), *ragged, (70, 51)])
    right = shapely.Polygon([*ragged, (72, 51), (72, 50)])
    paths = [
        group.find(f"{SVG}path").get("d")
        for group in groups(polygon_map([Shape(left, "L"), Shape(right, "R")], title="t"))
    ]

    first, second = (corners(path) for path in paths)
    # Two more corners each, at the outer side.
    assert len(first & second) == len(first) - 2 == len(second) - 2 < 100


def corners(path):
    x, y = map(int, re.match(r"M(-?\d+) ?(-?\d+)", path).groups())
    steps = [int(step) for step in re.findall(r"-?\d+", path.partition("l")[2])]
    found = {(x, y)}
    for across, down in zip(steps[::2], steps[1::2], strict=True):
        x, y = x + across, y + down
        found.add((x, y))
    return found


@given(
    west=st.floats(-179, 170),
    south=st.floats(-85, 80),
    wide=st.floats(0.001, 9),
    tall=st.floats(0.001, 5),
    name=st.text(max_size=30),
)
def test_polygon_map_stays_inside_its_box(west, south, wide, tall, name):
    drawing = polygon_map([Shape(shapely.box(west, south, west + wide, south + tall), name, "50 %")], title="t")
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing).groups())
    path = re.search(r' d="([^"]+)"', drawing)[1]

    assert width <= 700.01
    assert height <= 900.01
    for x, y in corners(path):
        assert 0 <= x <= width * 10
        assert 0 <= y <= height * 10
