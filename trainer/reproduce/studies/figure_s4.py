"""CKA of prompts and patch tokens before and after training (Fig. S4)."""

import json
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float64
from torch import Tensor

from adapters.store import durable
from adapters.vit.adapter import decode
from trainer.inits.first_prompts import first_prompts
from trainer.measures.cka import cka_of_layers
from trainer.page.frame import Caption
from trainer.page.matrix import Axes, Cell, Matrix, Name, draw_matrices
from trainer.reproduce.document import Entry, Picture, Section, Table
from trainer.reproduce.grids import plain
from trainer.reproduce.measure import Bench, first_run
from trainer.reproduce.pages.names import plain_name
from trainer.reproduce.results import Results
from trainer.reproduce.study import MAE, MOCO, SUPERVISED, Asked, Study
from trainer.reproduce.variant import Variant
from trainer.training.images import ImageSet, batches

_FILE: Final = "cka.json"
_IMAGES: Final = 32
_WHEN: Final = ("before", "after")
_FEW: Final = 8

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


def _layout(study: Study, results: Results) -> list[Section]:
    pairs = [
        (backbone, task)
        for backbone in results.backbones(study.variant_names)
        for task in results.tasks(backbone, study.variant_names)
    ]
    pairs = pairs or [(backbone, study.tasks[0]) for backbone in study.backbones]
    return [_section(study, results.folder, where) for where in pairs]


def _section(study: Study, measured: Path, where: tuple[str, str]) -> Section:
    backbone, task = where
    rows: list[tuple[str, tuple[Entry, ...]]] = []
    panels: list[Matrix] = []
    for variant in study.variant_names:
        content = durable.bytes_or_none(measured / backbone / task / variant / _FILE)
        found: Matrices = {} if content is None else json.loads(content)
        entries: tuple[Entry, ...] = ()
        for when in _WHEN:
            values = torch.tensor(found[when], dtype=torch.float64) if found else None
            entries += _entries(values)
            if values is not None:
                panels.append(_matrix(f"{plain_name(variant)}, {when}", found[when]))
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
        pictures = (_picture(panels, rows, f"{study.name}-{backbone}-{task}.svg"),)
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


def _matrix(title: str, values: list[list[float]]) -> Matrix:
    names = [Name(str(i + 1)) for i in range(len(values))]
    cells = [
        Cell(i, k, min(1.0, max(0.0, value)), f"{value:.2f}", f"{i + 1}, {k + 1}: {value:.3f}")
        for i, line in enumerate(values)
        for k, value in enumerate(line)
    ]
    return Matrix(names, names, cells, title, side=34.0 if len(values) <= _FEW else 20.0)


def _picture(panels: list[Matrix], rows: list[tuple[str, tuple[Entry, ...]]], name: str) -> Picture:
    told = [
        f"{plain_name(variant)} {entries[-1].ours}" for variant, entries in rows if entries[-1].ours
    ]
    caption = Caption(
        f"Layers whose prompts are most alike their own tokens after training: {', '.join(told)}",
        "linear CKA, from 0 to 1: the deeper, the more alike",
    )
    axes = Axes("prompts", "tokens of block")
    return Picture(name, draw_matrices(caption, panels, axes), "Ours.")
