"""A page is one file in one look; text is escaped, drawings are not."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from trainer.page.svg import Drawing
from trainer.page.template import render_page


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(
        "{% extends 'base.html' %}{% block title %}t{% endblock %}"
        "{% block main %}{{ name }} {{ share | percent }} {{ drawing }}{% endblock %}"
    )
    return path


def test_text_is_escaped_and_a_drawing_is_not(template: Path):
    page = render_page(template, name="<b>", share=0.5, drawing=Drawing(1, 1, "d", "<g/>"))
    assert "&lt;b&gt; 50.0% <svg" in page
    assert page.startswith("<!doctype html>")


def test_a_page_needs_nothing_else(template: Path):
    page = render_page(template, name="", share=0, drawing="")
    assert not [word for word in ("http", "<script", "<link", "@import", "url(") if word in page]


def test_a_missing_value_is_an_error(template: Path):
    with pytest.raises(UndefinedError, match="drawing"):
        render_page(template, name="", share=0)
