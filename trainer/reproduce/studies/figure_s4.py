"""CKA of prompts and patch tokens before and after training (Fig. S4)."""

import json
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float64
from torch import Tensor

from adapters.artifact.codec import decode
from adapters.store import durable
from trainer.figures.matrices import MatrixPanel, draw_matrices
from trainer.inits.first_prompts import first_prompts
from trainer.measures.cka import cka_of_layers
from trainer.reproduce.document import Entry, Picture, Section, Table
from trainer.reproduce.grids import plain
from trainer.reproduce.measure import Bench, first_run
from trainer.reproduce.results import Results
from trainer.reproduce.study import MAE, MOCO, SUPERVISED, Asked, Study
from trainer.reproduce.variant import Variant
from trainer.training.images import ImageSet, batches

_FILE: Final = "cka.json"
_IMAGES: Final = 32
_WHEN: Final = ("before", "after")

Matrices = dict[str, list[list[float]]]
"""By `before` and `after`: prompts of each block by patch tokens of each block."""


def fig_s4(asked: Asked) -> Study:
    """Return VPT and SPT on the three kinds of backbone."""
    return Study(
        name="figS4",
        title="Alignment of prompts and patch tokens",
        tasks=asked.tasks_or("cub200"),
        backbones=asked.backbones_or(MAE, MOCO, SUPERVISED),
        variants=plain("vpt-deep", "spt-deep"),
        layout=_layout,
        source="Figure S4",
        claims=(
            "Prompts of SPT are most alike the patch tokens of their own layer under every "
            "pre-training; those of VPT are in disorder under self-supervised ones. The figure "
            "prints shades, names neither task nor formula; the task and linear CKA are ours.",
        ),
        extra=_measure,
    )


def _measure(study: Study, bench: Bench) -> None:
    for task in study.tasks:
        for variant in study.variants:
            path = bench.folder / task / variant.name / _FILE
            if not path.exists():
                durable.write(path, json.dumps(_matrices(bench, task, variant)).encode())


def _matrices(bench: Bench, task: str, variant: Variant) -> Matrices:
    run = first_run(bench, task, variant)
    recipe = variant.recipe(bench.common, task, 0)
    materials = bench.materials(recipe)
    images = ImageSet(materials.validation.samples[:_IMAGES], materials.preprocessing)
    pixels = [pixels for pixels, _ in batches(images, recipe.optim.batch_size)]
    first = first_prompts(recipe, materials.backbone, materials.training).prompts
    trained = decode((run / f"{task}.safetensors").read_bytes()).prompts
    assert first is not None
    assert trained is not None
    return {
        when: cka_of_layers(materials.backbone, prompts, pixels).tolist()
        for when, prompts in zip(_WHEN, (first, trained), strict=True)
    }


def _layout(study: Study, results: Results, folder: Path) -> list[Section]:
    pairs = [
        (backbone, task)
        for backbone in results.backbones(study.variant_names)
        for task in results.tasks(backbone, study.variant_names)
    ]
    pairs = pairs or [(backbone, study.tasks[0]) for backbone in study.backbones]
    return [_section(study, results.folder, where, folder) for where in pairs]


def _section(study: Study, measured: Path, where: tuple[str, str], folder: Path) -> Section:
    backbone, task = where
    rows, panels = [], []
    for variant in study.variant_names:
        content = durable.bytes_or_none(measured / backbone / task / variant / _FILE)
        found: Matrices = {} if content is None else json.loads(content)
        entries: tuple[Entry, ...] = ()
        for when in _WHEN:
            values = torch.tensor(found[when], dtype=torch.float64) if found else None
            entries += _entries(values)
            if values is not None:
                panels.append(MatrixPanel(f"{variant}, {when}", values))
        rows.append((variant, entries))
    headings = ("own layer", "other layers", "best with its own")
    columns = tuple(f"{heading}, {when}" for when in _WHEN for heading in headings)
    text = (
        "Linear CKA in [0, 1], mean over layers; and of how many layers the prompts are most alike "
        "the patch tokens of their own."
    )
    table = Table("prompts", columns, tuple(rows))
    pictures: tuple[Picture, ...] = ()
    if panels:
        pictures = (_picture(panels, folder / f"{study.name}-{backbone}-{task}.svg"),)
    return Section(f"{backbone}, {task}", text, table, pictures)


def _entries(values: Float64[Tensor, "K K"] | None) -> tuple[Entry, ...]:
    if values is None:
        return (Entry(), Entry(), Entry())
    depth = len(values)
    own = values.diagonal()
    others = (values.sum() - own.sum()) / max(1, depth * (depth - 1))
    best = int((values.argmax(dim=1) == torch.arange(depth)).sum())
    texts = f"{own.mean():.3f}", f"{others:.3f}", f"{best} of {depth}"
    return tuple(Entry(None, text) for text in texts)


def _picture(panels: list[MatrixPanel], path: Path) -> Picture:
    draw_matrices(
        path,
        panels,
        x="patch tokens entering block",
        y="prompts of block",
        value="CKA",
        columns=2,
    )
    return Picture(path, "Ours.")
