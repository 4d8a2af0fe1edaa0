"""A study's page as Markdown."""

from collections.abc import Iterator
from textwrap import indent

from trainer.reproduce.document import DASH, Entry, Page, Section, Table

MEANS = (
    "Ours is the mean over seeds ± standard deviation, with the number of seeds in brackets; "
    f"{DASH} is what has not been measured."
)
BESIDE = (
    f"The paper's {DASH} is what it does not print. Both numbers stand together only where "
    "backbone and task are the same."
)
SMOKE = (
    "A smoke run: one short training on a sliver of a built-in task. It shows that everything "
    "works; its numbers mean nothing."
)


def markdown_of(page: Page) -> str:
    """Return the page as Markdown; figures are linked by name."""
    return "\n".join(_lines(page))


def _lines(page: Page) -> Iterator[str]:
    yield f"# {page.title}{f' ({page.source})' if page.source else ''}"
    yield ""
    if page.is_smoke:
        yield f"**{SMOKE}**"
        yield ""
    for claim in page.claims:
        yield f"- {claim}"
    beside = f"Each entry: the paper's number / ours. {MEANS} {BESIDE}"
    yield from ("", beside if page.source else MEANS, "")
    for section in page.sections:
        yield from _section(section, is_alone=not page.source)
    yield "## Conditions"
    yield ""
    for condition in page.conditions:
        yield f"- {condition}"
    yield from ("", indent(page.command, "    "), "")


def _section(section: Section, *, is_alone: bool) -> Iterator[str]:
    yield from (f"## {section.title}", "", section.text, "")
    if section.table is not None:
        yield from _table(section.table, is_alone=is_alone)
        yield ""
    for picture in section.pictures:
        yield f"![{picture.caption}]({picture.path.name})"
        yield ""


def _table(table: Table, *, is_alone: bool) -> Iterator[str]:
    yield _row((table.corner, *table.columns))
    yield _row(("---", *("---:" for _ in table.columns)))
    for name, entries in table.rows:
        yield _row((name, *(_entry(entry, is_alone=is_alone) for entry in entries)))


def _entry(entry: Entry, *, is_alone: bool) -> str:
    ours = entry.ours or DASH
    return ours if is_alone else f"{entry.paper or DASH} / {ours}"


def _row(texts: tuple[str, ...]) -> str:
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |"
