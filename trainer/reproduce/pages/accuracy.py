"""Tables of methods by tasks, and bars of the same (Tables 2, 3, 4, S2, S3, S4)."""

from collections.abc import Callable
from pathlib import Path

from trainer.reproduce.document import Section, Table
from trainer.reproduce.pages.accuracy_bars import pictures_of
from trainer.reproduce.pages.backbone_table import BackboneTable, Panel, heading
from trainer.reproduce.results import Results
from trainer.reproduce.study import Study


def by_task(*panels: Panel) -> Callable[[Study, Results, Path], list[Section]]:
    """Return the layout of methods by tasks, with the panels given or one of all variants.

    Backbones of the paper's table come first, then others that were measured.
    """

    def layout(study: Study, results: Results, folder: Path) -> list[Section]:
        whole = Panel("", {name: name for name in study.variant_names})
        known = list(study.paper.values)
        others = [b for b in results.backbones(study.variant_names) if b not in known]
        shown = known + (others or [b for b in study.backbones if b not in known])
        return [
            _section(BackboneTable(study, results, backbone, panel), folder)
            for backbone in shown
            for panel in panels or (whole,)
        ]

    return layout


def _section(part: BackboneTable, folder: Path) -> Section:
    columns = part.columns
    rows = tuple(
        (row, tuple(part.entry(row, column) for column in columns)) for row in part.panel.rows
    )
    table = Table("method", tuple(map(heading, columns)), rows)
    title = f"{part.backbone}, {part.panel.title}" if part.panel.title else part.backbone
    return Section(title, _text(part), table, pictures_of(part, folder))


def _text(part: BackboneTable) -> str:
    if part.is_published or not part.study.source:
        return "Test accuracy in %."
    return f"Test accuracy in %. {part.study.source} has no numbers of this backbone."
