"""How long it takes to construct the first prompts (Table 1)."""

import json
import time
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.store import durable
from trainer.experiment.materials import Materials
from trainer.figures.curves import CurvePanel, Line, draw_curves
from trainer.inits.block_inputs import feed
from trainer.inits.first_prompts import first_prompts
from trainer.recipe import Recipe, overlay
from trainer.reproduce.document import Entry, Picture, Section, Table
from trainer.reproduce.measure import Bench
from trainer.reproduce.published import published
from trainer.reproduce.results import Results
from trainer.reproduce.study import MAE, Asked, Study
from trainer.training.images import batches

_FILE: Final = "construct.json"
_STRATEGIES: Final = ("kmeans", "mean", "max", "random")
_FORWARD: Final = "forward pass alone"
_PERCENTS: Final = (10, 30, 50, 70, 100)

Seconds = dict[str, dict[str, float]]
"""By strategy and share, such as `10%`."""


def table1(asked: Asked) -> Study:
    """Return the four strategies on growing shares of the data."""
    return Study(
        name="table1",
        title="Time of constructing prompts",
        tasks=asked.tasks_or("cub200"),
        backbones=asked.backbones_or(MAE),
        variants=(),
        layout=_layout,
        paper=published("table1"),
        source="Table 1",
        claims=(
            "Clustering all tokens takes days, sampling and pooling them seconds.",
            "Ours includes reading the images and the forward pass, which is also given alone: "
            "k-means is what its row is above that.",
        ),
        extra=_measure,
    )


class _Discard:
    """Takes tokens in and keeps nothing."""

    def add(self, tokens: Float[Tensor, "B N D"]) -> None:
        """Drop the tokens."""

    def finish(self) -> Float[Tensor, "P D"]:
        """Return no prompts."""
        return torch.empty(0, 0)

    def facts(self) -> dict[str, object]:
        """Return nothing."""
        return {}


def _measure(study: Study, bench: Bench) -> None:
    """Time what has not been timed; every number is written as soon as it is known."""
    for task in study.tasks:
        path = bench.folder / task / _FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = _read(path)
        for percent in _PERCENTS:
            for strategy in (_FORWARD, *_STRATEGIES):
                line = seconds.setdefault(strategy, {})
                if f"{percent}%" not in line:
                    bench.announce(f"{task} {strategy} {percent}%", 1)
                    line[f"{percent}%"] = _timed(bench, task, strategy, percent)
                    durable.write(path, json.dumps(seconds, indent=1).encode())


def _timed(bench: Bench, task: str, strategy: str, percent: int) -> float:
    init = "random" if strategy == _FORWARD else strategy
    prompt = {"init": init, "init_proportion": percent / 100}
    recipe = Recipe.model_validate(overlay(bench.common, {"task": task, "prompt": prompt}))
    materials = bench.materials(recipe)
    if strategy == _FORWARD:
        return _forward_seconds(recipe, materials, percent)
    facts = first_prompts(recipe, materials.backbone, materials.training).facts
    return float(str(facts["seconds"]))


def _forward_seconds(recipe: Recipe, materials: Materials, percent: int) -> float:
    images, backbone = materials.training, materials.backbone
    count = max(1, round(percent / 100 * len(images)))
    chosen = torch.utils.data.Subset(images, range(count))
    pixels = (pixels for pixels, _ in batches(chosen, recipe.optim.batch_size))
    began = time.monotonic()
    feed(backbone, pixels, {backbone.spec.depth - 1: _Discard()}, layer0_position=True)
    return round(time.monotonic() - began, 2)


def _read(path: Path) -> Seconds:
    content = durable.bytes_or_none(path)
    return {} if content is None else json.loads(content)


def _layout(study: Study, results: Results, folder: Path) -> list[Section]:
    paths = sorted(results.folder.glob(f"*/*/{_FILE}"))
    measured = {path.relative_to(results.folder).parts[:2]: _read(path) for path in paths}
    printed = [(backbone, "cub200") for backbone in study.paper.values]
    return [
        _section(study, where, measured.get(where, {}), folder)
        for where in (*printed, *(where for where in measured if where not in printed))
    ]


def _section(study: Study, where: tuple[str, ...], ours: Seconds, folder: Path) -> Section:
    columns = study.paper.columns
    rows = []
    for row in (*_STRATEGIES, _FORWARD):
        entries = []
        for column in columns:
            found = ours.get(row, {}).get(column)
            paper = study.paper.text(where[0], row, column) if where[1] == "cub200" else None
            entries.append(Entry(paper, None if found is None else f"{found:.2f}s"))
        rows.append((row, tuple(entries)))
    table = Table("strategy", columns, tuple(rows))
    text = "Seconds (s) or days (d), by share of the training images; ours is one measurement."
    return Section(", ".join(where), text, table, _pictures(study, where, ours, folder))


def _pictures(
    study: Study, where: tuple[str, ...], ours: Seconds, folder: Path
) -> tuple[Picture, ...]:
    lines = [
        Line(name, [int(share.removesuffix("%")) for share in line], list(line.values()))
        for name, line in ours.items()
        if line
    ]
    if not lines:
        return ()
    panel = CurvePanel(", ".join(where), lines)
    path = folder / f"{study.name}-{'-'.join(where)}.svg"
    draw_curves(path, [panel], x="training images, %", y="seconds")
    return (Picture(path, "Ours."),)
