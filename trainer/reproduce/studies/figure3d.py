"""Backbones of growing size (Fig. 3d)."""

from pathlib import Path
from typing import Final

from trainer.figures.bars import BarSeries, draw_bars
from trainer.reproduce.document import Entry, Picture, Section, Table
from trainer.reproduce.grids import plain
from trainer.reproduce.measured import Measured, accuracy_of
from trainer.reproduce.results import Results
from trainer.reproduce.study import MAE, Asked, Study

_LARGER: Final = ("vit_large_patch16_224.mae", "vit_huge_patch14_224.mae")


def fig3d(asked: Asked) -> Study:
    """Return VPT and SPT on ViT-B, L and H."""
    return Study(
        name="fig3d",
        title="Model size",
        tasks=asked.tasks_or("cub200"),
        backbones=asked.backbones_or(MAE, *_LARGER),
        variants=plain("vpt-deep", "spt-deep"),
        layout=_layout,
        source="Figure 3d",
        claims=(
            "SPT grows with the backbone; VPT is worse on ViT-H than on ViT-L, and 15.5 points "
            "below SPT there. The figure prints no values.",
        ),
    )


def _layout(study: Study, results: Results, folder: Path) -> list[Section]:
    others = [b for b in results.backbones(study.variant_names) if b not in study.backbones]
    backbones = (*study.backbones, *others)
    measured = {task for b in backbones for task in results.tasks(b, study.variant_names)}
    return [_section(study, results, (backbones, task), folder)
            for task in sorted(measured) or study.tasks]  # fmt: skip


def _section(
    study: Study, results: Results, where: tuple[tuple[str, ...], str], folder: Path
) -> Section:
    backbones, task = where
    found: dict[str, list[Measured | None]] = {}
    for variant in study.variant_names:
        cells = [results.cell(backbone, task, variant) for backbone in backbones]
        found[variant] = [None if cell is None else accuracy_of([cell]) for cell in cells]
    rows = tuple(
        (variant, tuple(Entry(None, None if one is None else one.text()) for one in line))
        for variant, line in found.items()
    )
    section = Section(task, "Test accuracy in %.", Table("method", backbones, rows), ())
    if all(one is None for line in found.values() for one in line):
        return section
    series = [
        BarSeries(
            variant,
            [None if one is None else one.mean for one in line],
            [None if one is None else one.deviation for one in line],
        )
        for variant, line in found.items()
    ]
    path = folder / f"{study.name}-{task}.svg"
    draw_bars(path, backbones, series, x="test accuracy, %")
    picture = Picture(path, "Ours; whiskers are one standard deviation over seeds.")
    return Section(section.title, section.text, section.table, (picture,))
