"""Services whose device can be lost and whose store can hang: real ones, but for that."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from serving.launch.launch import Launch
from serving.torchserve import launch as launch_module
from serving.torchserve.configure import write_configuration

HANDLER = "tests.fakes.fragile_handler"
PROJECT = Path(__file__).parents[2]


@contextmanager
def fragile_services() -> Iterator[None]:
    """Have each TorchServe that is started in this block run the fragile handler instead of ours.

    What it does on demand is in `fragile_handler`, which needs torch.
    """

    def write(launch: Launch) -> Path:
        written = write_configuration(launch)
        manifest = written.parent / "model_store" / "spt" / "MAR-INF" / "MANIFEST.json"
        document = json.loads(manifest.read_text())
        document["model"]["handler"] = HANDLER
        manifest.write_text(json.dumps(document))
        return written

    with (
        patch.object(launch_module, "write_configuration", write),
        patch.dict(os.environ, PYTHONPATH=str(PROJECT)),
    ):
        yield
