"""MLflow. The address of its server is its own setting, MLFLOW_TRACKING_URI."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.recipe import Recipe, flat_settings
from trainer.tracking.kept_ids import keep_id, kept_id
from trainer.tracking.tracker import Tracker, run_name

_SERVICE = "mlflow"


class _Mlflow:
    def __init__(self, mlflow: Any, experiment: str) -> None:
        self._mlflow, self._experiment = mlflow, experiment
        self._is_running = False

    def started(self, recipe: Recipe, folder: Path) -> None:
        self._mlflow.set_experiment(self._experiment)
        known = kept_id(folder, _SERVICE)
        name = None if known else run_name(recipe)
        run = self._mlflow.start_run(run_id=known, run_name=name)
        self._is_running = True
        keep_id(folder, _SERVICE, run.info.run_id)
        self._mlflow.log_params(dict(flat_settings(recipe.provenance())))

    def epoch(self, number: int, values: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(values), step=number)

    def finished(self, metrics: Mapping[str, float] | None) -> None:
        if not self._is_running:
            return
        if metrics is not None:
            self._mlflow.log_metrics(dict(metrics))
        self._mlflow.end_run(status="FAILED" if metrics is None else "FINISHED")


def make(mlflow: Any, experiment: str) -> Tracker:
    """Return what tells an experiment of a run."""
    return _Mlflow(mlflow, experiment)
