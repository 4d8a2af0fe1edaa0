"""SVG as text: elements, words of known width, and a drawing that stands alone or in a page.

Equal drawings give equal bytes. No script, no font file, no outline: text stays text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from trainer.page.palette import chart_style
from trainer.page.scale import Number, Point

Anchor = Literal["start", "middle", "end"]
TEXT: Final = 11
TITLE: Final = 14
"""Sizes of letters, in pixels."""

MARGIN: Final = 16.0
"""Around a drawing that stands alone."""

_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_NARROW: Final = frozenset("iljtfrI.,:;|!'()[] ")
_WIDE: Final = frozenset("mwMW%@—→")


@dataclass(frozen=True)
class Drawing:
    """A finished picture; sizes are in pixels.

    Attributes:
        width: from 0 on the left.
        height: from 0 at the top.
        description: what it says, for those who cannot see it.
        body: elements.
    """

    width: Number
    height: Number
    description: str
    body: str

    def __html__(self) -> str:
        """Return it as part of a page that has the page's style."""
        return self._svg(0.0, self.body)

    def file(self) -> str:
        """Return it as a file that stands alone, on paper with a margin."""
        place = {"x": -MARGIN, "y": -MARGIN, "rx": 6.0}
        size = {"width": self.width + 2 * MARGIN, "height": self.height + 2 * MARGIN}
        style = element("style", f"\n{chart_style()}\n")
        paper = element("rect", class_="paper", **place, **size)
        return self._svg(MARGIN, style + paper + self.body, xmlns=_NAMESPACE) + "\n"

    def _svg(self, margin: float, body: str, **attributes: str) -> str:
        width, height = self.width + 2 * margin, self.height + 2 * margin
        box = " ".join(map(written, (-margin, -margin, width, height)))
        words = {"class_": "chart", "role": "img", "aria_label": self.description}
        size = {"width": width, "height": height}
        return element("svg", body, **attributes, **size, viewBox=box, **words)


def element(name: str, content: str = "", /, **attributes: str | Number | None) -> str:
    """Return an element; `class_` is written `class`, other underscores become hyphens.

    Args:
        name: of the element.
        content: elements, or text that is escaped already.
        attributes: numbers are written to a tenth; None is left out.
    """
    told = "".join(
        f' {_attribute(key)}="{escape(written(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{told}>{content}</{name}>" if content else f"<{name}{told}/>"


def text(
    at: Point,
    words: str,
    kind: str | None = None,
    anchor: Anchor = "start",
) -> str:
    """Return a line of text whose foot stands at a point; of no words nothing."""
    if not words:
        return ""
    end = None if anchor == "start" else anchor
    return element("text", escape(words), class_=kind, x=at[0], y=at[1], text_anchor=end)


def rule(start: Point, end: Point, kind: str) -> str:
    """Return a straight line."""
    return element("line", class_=kind, x1=start[0], y1=start[1], x2=end[0], y2=end[1])


def titled(words: str) -> str:
    """Return what a mark says when pointed at."""
    return element("title", escape(words)) if words else ""


def path(points: Sequence[Point], *, is_closed: bool = False) -> str:
    """Return the `d` of straight pieces; a single point is as wide as its stroke."""
    ends = "Z" if is_closed else "h0" if len(points) == 1 else ""
    return "M" + " ".join(f"{written(x)} {written(y)}" for x, y in points) + ends


def written(value: str | Number) -> str:
    """Return an attribute's text: numbers to a tenth of a pixel."""
    return value if isinstance(value, str) else f"{round(value, 1) + 0.0:.6g}"


def width_of(words: str, size: Number = TEXT) -> Number:
    """Return about how wide a text is, whichever sans-serif the reader has."""
    units = sum(
        0.38 if c in _NARROW else 0.95 if c in _WIDE else 0.7 if c.isupper() else 0.61
        for c in words
    )
    return units * size


def wrapped(words: str, width: Number, size: Number = TEXT) -> Iterator[str]:
    """Yield lines of at most a width; a word that is longer has a line for itself."""
    line = ""
    for word in words.split(" "):
        longer = f"{line} {word}".strip()
        if line and width_of(longer, size) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
