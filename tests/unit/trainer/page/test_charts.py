"""Every kind of chart keeps its values inside, says its finding, and is the same each time."""

import math
import re
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from trainer.page.bars import draw_counts, draw_histogram
from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption, apart
from trainer.page.lines import Line, LineChart, Panel, draw_lines
from trainer.page.matrix import Axes, Cell, Matrix, Name, draw_matrices
from trainer.page.scale import Scale
from trainer.page.svg import Drawing, width_of
from trainer.page.timeline import MOMENT_S, Answers, draw_timeline

CAPTION = Caption(
    "The finding is a sentence that may be longer than a line " * 2, "unit", ["a note"]
)


def lines() -> Drawing:
    panel = Panel(
        [
            Line("SPT", [(1, 0.5), (2, 0.75), (3, 1.0)], band=[(0.4, 0.6), (0.7, 0.8), (0.9, 1.1)]),
            Line("VPT", [(1, 0.0), (2, math.nan), (3, 0.5)], "reference"),
        ],
        title="shapes",
        level=(0.6, "linear probe"),
        mark=(3, 1.0),
    )
    return draw_lines(LineChart(CAPTION, [panel] * 3, "epoch", columns=2))


def dots() -> Drawing:
    rows = [
        Row("ours", [[Dot(1.2, (1.1, 1.3), text="1.20")], []]),
        Row("theirs", [[Dot(0.9, None, "reference")], [Dot(0.5, text="0.50")]], is_rival=True),
    ]
    return draw_dots(DotChart(CAPTION, rows, Scale(0, 2), ("a", "b"), (1.0, "plain")))


def counts() -> Drawing:
    return draw_counts(CAPTION, {"1": 3, "2": 0}, "tasks")


def histogram() -> Drawing:
    return draw_histogram(CAPTION, [3.0, 5.0, 500.0], [(3.0, "p50 3 ms"), (9.0, "p99 9 ms")], "ms")


def timeline() -> Drawing:
    answers = [Answers("old", "before", [(0, 20), (0.5, 40)]), Answers("new", "ours", [(1.0, 30)])]
    return draw_timeline(CAPTION, answers, [(0.4, "begins"), (0.8, "returns")])


def matrices() -> Drawing:
    names = [Name("a long name", "a long name, whole"), Name("b")]
    cells = [Cell(0, 0, 0.5, "1", "a for a"), Cell(1, 0, 1.0, "2", is_miss=True)]
    return draw_matrices(CAPTION, [Matrix(names, names, cells, "one")] * 3, Axes("true", "said"))


CHARTS = {one.__name__: one for one in (lines, dots, counts, histogram, timeline, matrices)}


@pytest.fixture(params=CHARTS)
def draw(request: pytest.FixtureRequest) -> Callable[[], Drawing]:
    return CHARTS[request.param]


def elements(drawing: Drawing, name: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(drawing.__html__())
    return [one for one in root.iter() if one.tag == name]


def texts(drawing: Drawing) -> list[str]:
    return [written(one) for one in elements(drawing, "text")]


def written(one: ElementTree.Element) -> str:
    """Return an element's own words, without what it says when pointed at."""
    return "".join([one.text or "", *(child.tail or "" for child in one)])


def test_the_same_numbers_give_the_same_bytes(draw: Callable[[], Drawing]):
    assert draw().file() == draw().file()


def test_the_finding_stands_above_and_the_conditions_below(draw: Callable[[], Drawing]):
    drawing = draw()
    shown = texts(drawing)
    assert " ".join(shown).startswith("The finding is a sentence")
    assert drawing.description == CAPTION.title
    note = next(one for one in elements(drawing, "text") if one.text == "a note")
    assert drawing.height - 20 < float(note.get("y", "")) <= drawing.height


def test_nothing_is_drawn_outside(draw: Callable[[], Drawing]):
    drawing = draw()
    for name, x, y in (("circle", "cx", "cy"), ("rect", "x", "y"), ("text", "x", "y")):
        for one in elements(drawing, name):
            if "transform" not in one.attrib and one.get("x") != "0":
                assert -0.1 <= float(one.attrib[x]) <= drawing.width + 0.1
                assert -0.1 <= float(one.attrib[y]) <= drawing.height + 0.1
    for one in elements(drawing, "path"):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", one.attrib["d"].replace("h0", ""))]
        assert all(-0.1 <= n <= max(drawing.width, drawing.height) + 0.1 for n in numbers)


def test_words_have_room_on_either_side(draw: Callable[[], Drawing]):
    drawing = draw()
    for one in elements(drawing, "text"):
        words, at = written(one), float(one.attrib["x"])
        anchor = one.get("text-anchor", "start")
        reach = {"start": (0, 1), "middle": (0.5, 0.5), "end": (1, 0)}[anchor]
        assert at - reach[0] * width_of(words) >= -6
        if one.get("class") != "title":
            assert at + reach[1] * width_of(words) <= drawing.width + 6


def test_lines_begin_at_the_first_epoch_and_have_a_top_tick():
    shown = texts(lines())
    assert shown.count("1") >= 3
    assert {"0", "0.5", "1", "1.5"} & set(shown) >= {"0", "1", "1.5"}


def test_a_line_breaks_where_a_value_is_missing():
    line = Line("", [(1, 1.0), (2, 2.0), (3, math.nan), (4, 3.0)])
    drawing = draw_lines(LineChart(Caption(), [Panel([line])], "epoch"))
    pieces = [one for one in elements(drawing, "path") if one.get("class") == "line"]
    assert len(pieces) == 2
    assert pieces[1].attrib["d"].endswith("h0")


def test_a_level_is_named_at_its_end_and_never_on_a_line():
    drawing = lines()
    named = [one for one in elements(drawing, "text") if one.text == "linear probe"]
    levels = [one for one in elements(drawing, "line") if one.get("class") == "rule"]
    assert len(named) == len(levels) == 3
    for name, level in zip(named, levels, strict=True):
        assert float(name.attrib["x"]) > float(level.attrib["x2"])


def test_panels_share_one_scale():
    quiet, loud = Line("", [(1, 1.0), (2, 1.0)]), Line("", [(1, 1.0), (2, 9.0)])
    chart = LineChart(Caption(), [Panel([quiet]), Panel([loud])], "epoch", columns=2)
    heights = [one.attrib["d"] for one in elements(draw_lines(chart), "path")]
    first = [re.findall(r"[\d.]+", d)[1] for d in heights]
    assert first[0] == first[1]


def test_no_values_at_all_are_a_clear_error():
    with pytest.raises(ValueError, match="at least one finite value, found none"):
        draw_lines(LineChart(Caption(), [Panel([Line("", [(1, math.nan)])])], "epoch"))


def test_a_row_with_missing_cells_is_refused():
    with pytest.raises(ValueError, match="expected rows of 2 cells"):
        draw_dots(DotChart(Caption(), [Row("a", [[]])], Scale(0, 1), ("a", "b")))


def test_what_was_not_measured_is_not_printed():
    drawing = dots()
    assert len(elements(drawing, "circle")) == 3
    assert "none" not in " ".join(texts(drawing))


def test_the_same_value_has_the_same_place_in_every_column():
    rows = [Row("a", [[Dot(1.0, text="1.000000")], [Dot(1.0, text="1")]])]
    drawing = draw_dots(DotChart(Caption(), rows, Scale(0, 2), ("a", "b")))
    circles = [float(one.attrib["cx"]) for one in elements(drawing, "circle")]
    ends = sorted({float(one.attrib["x1"]) for one in elements(drawing, "line")})
    assert circles[0] - ends[0] == pytest.approx(circles[1] - ends[1], abs=0.2)


def test_names_at_line_ends_keep_their_order_and_do_not_overlap():
    heights = [50, 49, 99, 100, 0]
    placed = apart(heights, 0, 100)
    assert sorted(range(5), key=lambda i: placed[i]) == [4, 1, 0, 2, 3]
    ordered = sorted(placed)
    assert all(b - a >= 13 for a, b in pairwise(ordered))
    assert max(placed) <= 100


def test_bars_stand_on_the_ground():
    bars = elements(counts(), "rect")
    feet = {round(float(one.attrib["y"]) + float(one.attrib["height"]), 1) for one in bars}
    assert len(feet) == 1


def test_charts_of_nothing_are_charts():
    assert draw_timeline(Caption(), [Answers("new", "ours", [])], []).body
    assert draw_histogram(Caption(), [], [], "ms").body
    assert draw_counts(Caption(), {"1": 0}, "tasks").body


def test_answers_a_second_are_counted_in_whole_spans():
    points = [(i * MOMENT_S / 10, 1.0) for i in range(41)]
    shown = texts(draw_timeline(Caption(), [Answers("a", "ours", points)], []))
    assert "answers a second" in shown
    assert "40" in shown


def test_a_square_without_room_for_its_number_has_none():
    names = [Name("a")]
    cells = [Cell(0, 0, 1.0, "123456")]
    drawing = draw_matrices(Caption(), [Matrix(names, names, cells, side=14)])
    assert "123456" not in texts(drawing)


def test_a_greater_share_is_deeper():
    depths = [Cell(0, 0, share).opacity for share in (0.0, 0.01, 0.5, 1.0)]
    assert depths == sorted(set(depths))
