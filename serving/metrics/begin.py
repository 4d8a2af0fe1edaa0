"""The beginning of a process's metrics: where it counts is decided before anything is counted."""

import logging
import os
from pathlib import Path
from typing import Final

from prometheus_client import values

from serving.metrics.files import begin_files
from serving.metrics.metrics import Metrics
from serving.observing.observers import OBSERVERS

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""By which the library is told where files are."""

_log = logging.getLogger(__name__)


def begin_metrics(folder: Path | None) -> Metrics:
    """Count from now on what happens in this process, once in its life.

    Where the folder has no room for files, the process counts alone, and says so in the log.

    Args:
        folder: where all processes of a launch count together; None for one that is alone.
    """
    os.environ.pop(_VARIABLE, None)
    if folder is not None:
        try:
            begin_files(folder)
        except OSError as error:
            _log.warning("%s: no metrics are counted there (%s); make room", folder, error)
            folder = None
        else:
            os.environ[_VARIABLE] = str(folder)
    values.ValueClass = values.get_value_class()  # the library has looked as it was imported
    metrics = Metrics(folder)
    OBSERVERS.add(metrics.observer)
    return metrics
