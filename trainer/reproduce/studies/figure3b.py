"""Prompts constructed from another task's images (Fig. 3b)."""

from pathlib import Path

import torch

from trainer.figures.matrices import MatrixPanel, draw_matrices
from trainer.reproduce.document import Entry, Picture, Section, Table
from trainer.reproduce.grids import variant
from trainer.reproduce.measured import Measured, accuracy_of
from trainer.reproduce.results import Results
from trainer.reproduce.study import MAE, Asked, Study, tasks_of_group


def fig3b(asked: Asked) -> Study:
    """Return every task under the prompts of every task."""
    tasks = asked.tasks_or(*tasks_of_group("fgvc"), smoke=("shapes", "digits"))
    first = f"from-{tasks[0]}"
    variants = tuple(
        variant(
            f"from-{source}",
            "spt-deep",
            like=first if source != tasks[0] else None,
            prompt={"init_task": source, "init_data": _folder(asked.data, source)},
        )
        for source in tasks
    )
    return Study(
        name="fig3b",
        title="Prompts from another task",
        tasks=tasks,
        backbones=asked.backbones_or(MAE),
        variants=variants,
        layout=_layout,
        source="Figure 3b",
        claims=(
            "Prompts are best made from the task's own images. The figure prints shades, each "
            "column normalised by itself, and no values.",
        ),
    )


def _folder(data: Path | None, task: str) -> Path | None:
    return data / task if data is not None and (data / task).exists() else None


def _layout(study: Study, results: Results, folder: Path) -> list[Section]:
    shown = results.backbones(study.variant_names) or list(study.backbones)
    return [_section(study, results, backbone, folder) for backbone in shown]


def _section(study: Study, results: Results, backbone: str, folder: Path) -> Section:
    found = [[_reached(results, backbone, task, one.name) for task in study.tasks]
             for one in study.variants]  # fmt: skip
    rows = tuple(
        (one.name, tuple(Entry(None, None if m is None else m.text()) for m in line))
        for one, line in zip(study.variants, found, strict=True)
    )
    table = Table("prompts", tuple(f"on {task}" for task in study.tasks), rows)
    means = [[m.mean for m in line if m is not None] for line in found]
    pictures: tuple[Picture, ...] = ()
    if all(len(line) == len(study.tasks) for line in means):
        path = folder / f"{study.name}-{backbone}.svg"
        pictures = (_picture(study, backbone, means, path),)
    return Section(backbone, "Test accuracy in %.", table, pictures)


def _reached(results: Results, backbone: str, task: str, variant_name: str) -> Measured | None:
    cell = results.cell(backbone, task, variant_name)
    return None if cell is None else accuracy_of([cell])


def _picture(study: Study, backbone: str, means: list[list[float]], path: Path) -> Picture:
    """Shade each column from its lowest (0) to its highest value (1), as the paper does."""
    values = torch.tensor(means)
    low, high = values.amin(dim=0), values.amax(dim=0)
    shades = (values - low) / (high - low).clamp(min=1e-9)
    draw_matrices(
        path,
        [MatrixPanel(backbone, shades)],
        x="task",
        y="images of the prompts",
        value="column from its lowest to its highest",
    )
    names = ", ".join(f"{i} {task}" for i, task in enumerate(study.tasks, start=1))
    return Picture(path, f"Ours; {names}.")
