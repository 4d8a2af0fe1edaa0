"""Backbones of growing size (Fig. 3d)."""

from dataclasses import replace
from typing import Final

from trainer.page.dots import Dot, DotChart, Row, draw_dots
from trainer.page.frame import Caption
from trainer.page.scale import around
from trainer.page.words import signed
from trainer.reproduce.document import Entry, Picture, Section, Table
from trainer.reproduce.grids import plain
from trainer.reproduce.measured import Measured, accuracy_of
from trainer.reproduce.pages.names import is_ours, kind_of, plain_name
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


def _layout(study: Study, results: Results) -> list[Section]:
    others = [b for b in results.backbones(study.variant_names) if b not in study.backbones]
    backbones = (*study.backbones, *others)
    measured = {task for b in backbones for task in results.tasks(b, study.variant_names)}
    return [_section(study, results, (backbones, task))
            for task in sorted(measured) or study.tasks]  # fmt: skip


def _section(study: Study, results: Results, where: tuple[tuple[str, ...], str]) -> Section:
    backbones, task = where
    found: dict[str, list[Measured | None]] = {}
    for variant in study.variant_names:
        cells = [results.cell(backbone, task, variant) for backbone in backbones]
        found[variant] = [None if cell is None else accuracy_of([cell]) for cell in cells]
    rows = tuple(
        (variant, tuple(Entry(None, None if one is None else one.text()) for one in line))
        for variant, line in found.items()
    )
    table = Table("method", backbones, rows)
    return Section(task, "Test accuracy in %.", table, _pictures(study, backbones, task, found))


def _pictures(
    study: Study, backbones: tuple[str, ...], task: str, found: dict[str, list[Measured | None]]
) -> tuple[Picture, ...]:
    rows = [
        Row(plain_name(variant), [_dots(one, variant) for one in line], not is_ours(variant))
        for variant, line in found.items()
        if any(line)
    ]
    ends = [end for row in rows for dots in row.cells for dot in dots for end in dot.ends]
    if not ends:
        return ()
    known = [i for i in range(len(backbones)) if any(row.cells[i] for row in rows)]
    rows = [replace(row, cells=[row.cells[i] for i in known]) for row in rows]
    caption = Caption(
        f"{task}: {_gaps(backbones, found)}",
        "test accuracy in %; whiskers are one standard deviation over seeds",
    )
    drawing = draw_dots(DotChart(caption, rows, around(ends), [backbones[i] for i in known]))
    return (Picture(f"{study.name}-{task}.svg", drawing, "Ours."),)


def _dots(one: Measured | None, variant: str) -> list[Dot]:
    if one is None:
        return []
    return [Dot(one.mean, one.spread, kind_of(variant), f"{one.mean:.1f}", one.text())]


def _gaps(backbones: tuple[str, ...], found: dict[str, list[Measured | None]]) -> str:
    """Say how far the first variant is from the last on every backbone that has both."""
    first, last = next(iter(found)), list(found)[-1]
    told = [
        f"{signed(ours.mean - theirs.mean)} points on {backbone}"
        for backbone, theirs, ours in zip(backbones, found[first], found[last], strict=True)
        if ours is not None and theirs is not None
    ]
    over = f"{plain_name(last)} over {plain_name(first)}"
    return f"{over}, {', '.join(told)}" if told else f"{over}, not both measured"
