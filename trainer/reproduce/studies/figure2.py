"""NMI of prompts and patch tokens while training (Fig. 2)."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Final, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.store import durable
from trainer.experiment.materials import Materials
from trainer.figures.curves import CurvePanel, Line, draw_curves
from trainer.measures.nmi import Reading, nmi_of_layers
from trainer.measures.prompted_inputs import prompted_inputs
from trainer.recipe import Recipe
from trainer.reproduce.document import Entry, Picture, Section, Table
from trainer.reproduce.grids import plain
from trainer.reproduce.measure import Bench
from trainer.reproduce.results import Results
from trainer.reproduce.study import MAE, Asked, Study
from trainer.reproduce.variant import Cell
from trainer.training.images import ImageSet, batches

_FILE: Final = "noise.json"
_NOISE: Final = "noise as long as tokens"
_READINGS: Final[tuple[Reading, ...]] = get_args(Reading)

Layers = dict[str, list[float]]
"""By reading, one value per block."""


def fig2(asked: Asked) -> Study:
    """Return NMI by epoch for VPT and SPT, and of noise for comparison."""
    return Study(
        name="fig2",
        title="Mutual information of prompts and patch tokens",
        tasks=asked.tasks_or("cub200"),
        backbones=asked.backbones_or(MAE),
        variants=plain("vpt-deep", "spt-deep"),
        layout=_layout,
        source="Figure 2",
        claims=(
            "NMI rises while VPT trains, and is high for SPT from the start. The figure prints no "
            "values that could be read off.",
            "Eq. 7 as printed (dots) and scaled depend on how long vectors are, so that noise as "
            "long as tokens can have more NMI than tokens have. The reading attention depends on "
            "directions alone.",
        ),
        common={"report": {"nmi_images": 8 if asked.smoke else 64}},
        extra=_measure_noise,
    )


def _measure_noise(study: Study, bench: Bench) -> None:
    """Leave the NMI of normal noise whose prompts are as long as each block's patch tokens."""
    for task in study.tasks:
        path = bench.folder / task / _FILE
        if not path.exists():
            recipe = Recipe.model_validate(bench.common | {"task": task, "method": "spt-deep"})
            found = noise_nmi(recipe, bench.materials(recipe))
            durable.write(path, json.dumps(found).encode())


def noise_nmi(recipe: Recipe, materials: Materials) -> Layers:
    """Return the NMI that directions at random have, by reading and block.

    Args:
        recipe: decides P, the seed and how many validation images there are.
        materials: the frozen backbone and the images.
    """
    images = ImageSet(
        materials.validation.samples[: recipe.report.nmi_images], materials.preprocessing
    )
    pixels = [pixels for pixels, _ in batches(images, recipe.optim.batch_size)]
    noise = _noise(recipe, materials, pixels[0])
    return {
        reading: nmi_of_layers(materials.backbone, noise, pixels, reading) for reading in _READINGS
    }


def _noise(
    recipe: Recipe, materials: Materials, pixels: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, "L P D"]:
    lengths = [
        entering.patches.norm(dim=-1).mean().cpu()
        for entering in prompted_inputs(materials.backbone, None, pixels)
    ]
    generator = torch.Generator().manual_seed(recipe.seed)
    shape = len(lengths), recipe.num_prompts, materials.backbone.spec.width
    noise = torch.randn(*shape, generator=generator)
    return noise / noise.norm(dim=-1, keepdim=True) * torch.stack(lengths)[:, None, None]


def _layout(study: Study, results: Results, folder: Path) -> list[Section]:
    sections = []
    for backbone in results.backbones(study.variant_names):
        for task in results.tasks(backbone, study.variant_names):
            found = [results.cell(backbone, task, variant) for variant in study.variant_names]
            cells = [cell for cell in found if cell is not None and "nmi" in cell.observed]
            noise = durable.bytes_or_none(results.folder / backbone / task / _FILE)
            control = None if noise is None else json.loads(noise)
            sections.append(_section(f"{backbone}, {task}", cells, control, folder))
    return sections or [_section(f"{study.backbones[0]}, {study.tasks[0]}", [], None, folder)]


def _section(title: str, cells: Sequence[Cell], noise: Layers | None, folder: Path) -> Section:
    columns = tuple(f"{reading}, {when}" for reading in _READINGS for when in ("start", "end"))
    rows = [(cell.variant, tuple(_entries(cell.observed["nmi"]))) for cell in cells]
    if noise is not None:
        rows.append((_NOISE, tuple(_entries([noise]))))
    text = (
        "NMI in [0, 1], mean over blocks and validation images, before the first epoch and after "
        "the last; three readings of eq. 7: p·e as printed, p·e/√D, and the block's own q(p)·k(e)."
    )
    stem = "fig2-" + title.replace(", ", "-")
    pictures = _pictures(folder / stem, cells, noise) if cells else ()
    return Section(title, text, Table("prompts", columns, tuple(rows)), pictures)


def _entries(epochs: Sequence[Layers]) -> list[Entry]:
    return [
        Entry(None, f"{fmean(layers[reading]):.3g}")
        for reading in _READINGS
        for layers in (epochs[0], epochs[-1])
    ]


def _pictures(stem: Path, cells: Sequence[Cell], noise: Layers | None) -> tuple[Picture, ...]:
    blocks = range(len(cells[0].observed["nmi"][0][_READINGS[0]]))
    drawn = [_draw(stem, [_panel(cells, noise, reading, blocks, reading) for reading in _READINGS])]
    captions = ["Mean over blocks, by reading of eq. 7."]
    for reading in _READINGS:
        panels = [_panel(cells, noise, reading, [b], f"block {b + 1}") for b in blocks]
        drawn.append(_draw(stem.with_name(f"{stem.name}-{reading}"), panels))
        captions.append(f"Block by block, as in the paper's figure; reading: {reading}.")
    return tuple(Picture(*both) for both in zip(drawn, captions, strict=True))


def _draw(stem: Path, panels: Sequence[CurvePanel]) -> Path:
    path = stem.with_name(f"{stem.name}.svg")
    return draw_curves(path, panels, x="epoch", y="NMI", columns=3)


def _panel(
    cells: Sequence[Cell],
    noise: Layers | None,
    reading: Reading,
    blocks: Sequence[int],
    title: str,
) -> CurvePanel:
    """Return a line per variant, the mean over some blocks, and the level of noise."""

    def mean(layers: Layers) -> float:
        return fmean(layers[reading][block] for block in blocks)

    lines = [
        _line(cell.variant, [mean(layers) for layers in cell.observed["nmi"]]) for cell in cells
    ]
    if noise is not None:
        lines.append(_line("noise", [mean(noise)] * len(lines[0].x)))
    return CurvePanel(title, lines)


def _line(name: str, values: Sequence[float]) -> Line:
    return Line(name, list(range(len(values))), values)
