"""One picture and one page per result, made from what was saved."""

import json
from pathlib import Path
from typing import Any

from tests.bench.pictures.cold import cold
from tests.bench.pictures.decode import decode
from tests.bench.pictures.engine import engine
from tests.bench.pictures.front import front
from tests.bench.pictures.gpu import gpu
from tests.bench.pictures.http import http
from tests.bench.pictures.image_tasks import image_tasks
from tests.bench.pictures.kmeans import kmeans
from tests.bench.pictures.lookups import lookups
from tests.bench.pictures.per_row import per_row
from tests.bench.pictures.services import services
from tests.bench.pictures.tasks import tasks
from tests.bench.pictures.training import training
from tests.bench.table import columns_of, told_ratio, written
from trainer.page.svg import Drawing
from trainer.page.template import render_page

_PICTURES = {
    "engine": engine,
    "gpu": gpu,
    "tasks": tasks,
    "cold": cold,
    "http": http,
    "services": services,
    "decode": decode,
    "training": training,
    "kmeans": kmeans,
    "lookups": lookups,
    "front": front,
    "image-tasks": image_tasks,
    "per-row": per_row,
}
_TEMPLATE = Path(__file__).parent / "page.html"


def draw(saved: Path) -> Path:
    """Draw a saved result as `<name>.svg` next to it; return the picture's path.

    Args:
        saved: what `Result.save` wrote, on this machine or another.

    Raises:
        KeyError: nobody knows how to draw this result.
    """
    path = saved.with_suffix(".svg")
    path.write_text(_picture(_read(saved)).file(), encoding="utf-8")
    return path


def write_page(saved: Path) -> Path:
    """Write a saved result as `<name>.html` next to it, its picture within; return its path."""
    record = _read(saved)
    columns = columns_of(record["rows"])
    page = render_page(
        _TEMPLATE,
        record=record,
        conditions=record["conditions"],
        picture=_picture(record),
        ratios={
            name: told_ratio(value, record["spreads"].get(name))
            for name, value in record["ratios"].items()
        },
        columns=columns,
        rows=[[written(row.get(column)) for column in columns] for row in record["rows"]],
    )
    path = saved.with_suffix(".html")
    path.write_text(page, encoding="utf-8")
    return path


def _read(saved: Path) -> dict[str, Any]:
    return json.loads(saved.read_text())


def _picture(record: dict[str, Any]) -> Drawing:
    return _PICTURES[record["name"]](record)
