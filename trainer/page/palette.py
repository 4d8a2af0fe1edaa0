"""The colours and the two style sheets that use them: of pages and of charts.

Light and dark have the same names; `var(--name)` in a style sheet is one of them.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, Literal

Kind = Literal["ours", "reference", "before", "wrong"]
"""Whose value it is: measured here, a rival's or a yardstick, what was before, a mistake."""

LIGHT: Final = {
    "paper": "#fbfaf8", "card": "#ffffff", "ink": "#1c1b19", "soft": "#67635c", "hair": "#e2dfd8",
    "ours": "#2b62b8", "reference": "#b9b4aa", "before": "#c26a12", "wrong": "#b3261e",
    "cell": "#2b62b8", "miss": "#c0392b",
}  # fmt: skip
DARK: Final = {
    "paper": "#161615", "card": "#1e1e1c", "ink": "#eceae5", "soft": "#a09b91", "hair": "#34332f",
    "ours": "#7fb0f5", "reference": "#77736a", "before": "#e59a4c", "wrong": "#ff8a80",
    "cell": "#3f74c4", "miss": "#b23c3c",
}  # fmt: skip
"""`cell` and `miss` fill squares that carry ink, which must stay legible in the dark too."""

_IN_THE_DARK: Final = "@media screen and (prefers-color-scheme: dark)"


@cache
def sheet(name: str) -> str:
    """Return a style sheet of this folder, such as `chart.css`."""
    return (resources.files("trainer") / "page" / name).read_text(encoding="utf-8").strip()


def page_style() -> str:
    """Return the style of a page: the colours as variables, then both sheets."""
    light, dark = (_variables(colours) for colours in (LIGHT, DARK))
    root = f":root {{ color-scheme: light; {light} }}"
    night = f"{_IN_THE_DARK} {{ :root {{ color-scheme: dark; {dark} }} }}"
    return "\n".join((root, night, sheet("style.css"), sheet("chart.css")))


@cache
def chart_style() -> str:
    """Return the style of a chart that stands alone, for viewers that know no variables too."""
    light, dark = (_literal(sheet("chart.css"), colours) for colours in (LIGHT, DARK))
    return f"{light}\n{_IN_THE_DARK} {{\n{_coloured(dark)}\n}}"


def _variables(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def _literal(css: str, colours: Mapping[str, str]) -> str:
    return re.sub(r"var\(--(\w+)\)", lambda match: colours[match[1]], css)


def _coloured(css: str) -> str:
    return "\n".join(line for line in css.splitlines() if "#" in line)
