"""The report is one file that needs nothing else, and says what the demo found out."""

import re
from html.parser import HTMLParser

import pytest

from clients.demo.report import render
from tests.unit.clients.demo.demo_evidence import NEW, evidence

_VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Remembers tags and attributes, and whether what was opened was closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def page(tmp_path):
    return Page(render(evidence(tmp_path)))


def test_every_tag_is_closed(page):
    assert page.open == []


def test_it_asks_nothing_of_the_network_and_runs_no_script(page):
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")
    styles = re.findall(r"url\(|@import", page.text)
    assert styles == []


def test_images_and_charts_say_what_they_show(page):
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    charts = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert images
    assert charts
    assert all(attributes["alt"] for attributes in images)
    assert all(attributes["aria-label"] for attributes in charts)


def test_it_tells_the_numbers(page):
    for text in ("100%", "75% ".strip(), NEW[:12], "A processor", "torch 2.0", "1,000,000"):
        assert text in page.text


def test_a_mistake_is_marked_with_the_truth(page):
    assert any(attributes.get("class") == "wrong" for _, attributes in page.tags)
    assert "is a" in page.text


def test_a_class_name_is_text_and_never_markup(tmp_path):
    page = Page(render(evidence(tmp_path, labels=("<b>a</b>", "b"))))
    assert "<b>a</b>" in page.text


def test_a_broken_promise_stands_at_the_top(tmp_path):
    found = evidence(tmp_path)
    served = found.summary.served.model_copy(update={"failed": 3})
    summary = found.summary.model_copy(update={"served": served})
    broken = type(found)(summary, found.runs, found.records)
    assert "3 of 4 requests failed, expected 0" in Page(render(broken)).text
