"""One picture per result, drawn from what was saved."""

import json
from pathlib import Path

from tests.bench.pictures.cold import cold
from tests.bench.pictures.decode import decode
from tests.bench.pictures.engine import engine
from tests.bench.pictures.http import http
from tests.bench.pictures.kmeans import kmeans
from tests.bench.pictures.tasks import tasks
from tests.bench.pictures.training import training

_PICTURES = {
    "engine": engine,
    "tasks": tasks,
    "cold": cold,
    "http": http,
    "decode": decode,
    "training": training,
    "kmeans": kmeans,
}


def draw(saved: Path) -> Path:
    """Draw a saved result as `<name>.svg` next to it; return the picture's path.

    Args:
        saved: what `Result.save` wrote, on this machine or another.

    Raises:
        KeyError: nobody knows how to draw this result.
    """
    record = json.loads(saved.read_text())
    path = saved.with_suffix(".svg")
    path.write_text(_PICTURES[record["name"]](record).file(), encoding="utf-8")
    return path
