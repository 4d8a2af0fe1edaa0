"""Drawings are text: escaped, with real words, without anything from elsewhere."""

import re
from xml.etree import ElementTree

import pytest

from trainer.page.palette import DARK, LIGHT, chart_style, page_style
from trainer.page.svg import Drawing, element, path, text, width_of, wrapped


def test_words_are_text_and_never_markup():
    assert text((1, 2), "<b> & 'c'") == '<text x="1" y="2">&lt;b&gt; &amp; &#x27;c&#x27;</text>'
    assert element("g", name='"><x') == '<g name="&quot;&gt;&lt;x"/>'


def test_numbers_are_written_to_a_tenth_and_what_is_none_is_left_out():
    assert element("rect", x=1.26, y=-0.01, class_=None) == '<rect x="1.3" y="0"/>'


def test_a_path_of_one_point_is_a_dot():
    assert path([(1, 2)]) == "M1 2h0"
    assert path([(0, 0), (1.5, 2)], is_closed=True) == "M0 0 1.5 2Z"


def test_a_file_has_its_margin_its_paper_and_both_sets_of_colours():
    file = Drawing(100, 50, "what it says", text((0, 10), "words")).file()
    root = ElementTree.fromstring(file)
    assert root.get("viewBox") == "-16 -16 132 82"
    assert root.get("aria-label") == "what it says"
    assert "words" in "".join(root.itertext())
    assert f"fill: {LIGHT['paper']}" in file
    assert f"fill: {DARK['paper']}" in file.split("prefers-color-scheme: dark")[1]


def test_a_drawing_in_a_page_takes_the_pages_style_and_no_namespace():
    inline = Drawing(10, 10, "", "").__html__()
    assert "<style" not in inline
    assert "http" not in inline


def test_no_style_asks_for_anything_from_elsewhere():
    for style in (chart_style(), page_style()):
        assert not re.search(r"url\(|@import|http", style)
    assert "var(" not in chart_style()


def test_every_colour_is_there_in_the_light_and_in_the_dark():
    assert LIGHT.keys() == DARK.keys()
    for name in re.findall(r"var\(--(\w+)\)", page_style()):
        assert name in LIGHT


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "soft", "ours", "wrong"])
def test_text_stands_out_from_the_paper(colours: dict[str, str], name: str):
    high, low = sorted((_luminance(colours[name]), _luminance(colours["paper"])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_text_is_wrapped_and_no_word_is_lost():
    words = "a sentence of some length that says what a chart shows"
    lines = list(wrapped(words, 120))
    assert len(lines) > 1
    assert " ".join(lines) == words
    assert all(width_of(line) <= 120 for line in lines)
