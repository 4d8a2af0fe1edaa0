"""The third figure beside the forwards: what the whole service answers, over HTTP."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.http_load import CALLERS, saturate
from tests.bench.http_scene import Scene
from tests.bench.models import TINY
from tests.bench.result import Result, Settings

SECONDS = 6.0


def add_service(result: Result, settings: Settings) -> None:
    """Start our service on ViT-Ti/16, ask it from many callers, and add a row."""
    with TemporaryDirectory(prefix="bench-engine-") as name:
        scene = Scene(Path(name), settings.weights)
        with scene.ours() as ours:
            saturate(ours, SECONDS)
            load = saturate(ours, SECONDS)
    row = {"figure": "whole service", "busy_neighbours": 0, "model": TINY}
    callers = {"candidate": f"service, {CALLERS} callers", "batch": scene.launch.batch_size}
    result.rows.append(row | callers | {"images_per_s": load.answered_per_s})
