"""What a document holds: its code blocks, its sentences, its links. Knows no command of ours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"^(?:<!-- not run: ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)")
_LINK_TEXT = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]+\)")
_NO_PROSE = ("#", "|", "<!--", "![", "[![")
_ITEM = re.compile(r"^(?:[-*>]|\d+\.) +")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: behind the fence.
        text: between the fences.
        line: of the document where it begins.
        not_run: why no test runs it, from the comment above it; empty for one that is run.
    """

    language: str
    text: str
    line: int
    not_run: str = ""


def blocks(path: Path) -> list[Block]:
    """Return a document's code blocks from top to bottom."""
    text = path.read_text()
    return [
        Block(match[2], match[3], text.count("\n", 0, match.start(2)) + 1, match[1] or "")
        for match in _FENCE.finditer(text)
    ]


def links(path: Path) -> list[str]:
    """Return where a document's links and pictures point to, without the part behind `#`."""
    found = _LINK.findall(_FENCE.sub("", path.read_text()))
    return [target.partition("#")[0] for target in found]


def inline_code(path: Path) -> list[str]:
    """Return what stands between single backticks in a document."""
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", path.read_text()))


def sentences(path: Path) -> list[str]:
    """Return a document's sentences: no headings, no tables, no code blocks."""
    return [
        sentence
        for paragraph in _paragraphs(_FENCE.sub("\n", path.read_text()))
        for sentence in re.split(r"(?<=[.!?])\s+", _LINK_TEXT.sub(r"\1", paragraph))
        if sentence
    ]


def _paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs and list items, each as one line."""
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        begins_anew = not line.strip() or _ITEM.match(line) or line.startswith(_NO_PROSE)
        if begins_anew and lines:
            yield " ".join(lines)
            lines = []
        if line.strip() and not line.startswith(_NO_PROSE):
            lines.append(_ITEM.sub("", line.strip()))
