"""Weights & Biases. Account, server and whether it is asked at all are its own settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.recipe import Recipe
from trainer.tracking.kept_ids import keep_id, kept_id
from trainer.tracking.tracker import Tracker, run_name

_SERVICE = "wandb"


class _Wandb:
    def __init__(self, wandb: Any, project: str) -> None:
        self._wandb, self._project = wandb, project
        self._run: Any = None

    def started(self, recipe: Recipe, folder: Path) -> None:
        self._run = self._wandb.init(
            project=self._project,
            name=run_name(recipe),
            id=kept_id(folder, _SERVICE),
            resume="allow",
            config=recipe.provenance(),
            dir=str(folder),
        )
        keep_id(folder, _SERVICE, self._run.id)

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=number)

    def finished(self, metrics: Mapping[str, float] | None) -> None:
        if self._run is None:
            return
        self._run.summary.update(dict(metrics or {}))
        self._run.finish(exit_code=1 if metrics is None else 0)


def make(wandb: Any, project: str) -> Tracker:
    """Return what tells a project of a run."""
    return _Wandb(wandb, project)
