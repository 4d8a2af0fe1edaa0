"""The beginning of a process's metrics: where they are counted must be said before all else."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from serving.observing.observers import OBSERVERS

if TYPE_CHECKING:
    from serving.metrics.metrics import Metrics

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""By which the library is told, as it is imported."""


def begin_metrics(folder: Path | None) -> "Metrics":
    """Count from now on what happens in this process.

    Args:
        folder: where all processes of a launch count together; None for one that is alone.

    Raises:
        OSError: the folder cannot be made.
    """
    os.environ.pop(_VARIABLE, None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[_VARIABLE] = str(folder)
    from serving.metrics.metrics import Metrics  # noqa: PLC0415 (the library reads the variable)

    metrics = Metrics(folder)
    OBSERVERS.add(metrics.observer)
    return metrics
