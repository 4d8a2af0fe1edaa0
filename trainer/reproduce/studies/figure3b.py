"""Prompts constructed from another task's images (Fig. 3b)."""

from pathlib import Path

from trainer.page.frame import Caption
from trainer.page.matrix import Axes, Cell, Matrix, Name, draw_matrices
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


def _layout(study: Study, results: Results) -> list[Section]:
    shown = results.backbones(study.variant_names) or list(study.backbones)
    return [_section(study, results, backbone) for backbone in shown]


def _section(study: Study, results: Results, backbone: str) -> Section:
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
        pictures = (_picture(study, backbone, means),)
    return Section(backbone, "Test accuracy in %.", table, pictures)


def _reached(results: Results, backbone: str, task: str, variant_name: str) -> Measured | None:
    cell = results.cell(backbone, task, variant_name)
    return None if cell is None else accuracy_of([cell])


def _picture(study: Study, backbone: str, means: list[list[float]]) -> Picture:
    """Shade each column from its lowest (0) to its highest value (1), as the paper does."""
    columns = list(zip(*means, strict=True))
    best = sum(max(column) == column[i] for i, column in enumerate(columns))
    cells = [
        Cell(i, k, _share(value, columns[k]), f"{value:.1f}")
        for i, line in enumerate(means)
        for k, value in enumerate(line)
    ]
    names = [Name(task) for task in study.tasks]
    caption = Caption(
        f"{backbone}: prompts from the task's own images are best on {best} of {len(names)} tasks",
        "test accuracy in %; each column is shaded from its lowest to its highest value",
    )
    axes = Axes("images of the prompts", "task")
    drawing = draw_matrices(caption, [Matrix(names, names, cells, side=40.0)], axes)
    return Picture(f"{study.name}-{backbone}.svg", drawing, "Ours.")


def _share(value: float, column: tuple[float, ...]) -> float:
    low, high = min(column), max(column)
    return (value - low) / (high - low) if high > low else 0.0
