"""What TorchServe does without a shared backbone: one model per task, each with its own ViT.

The same handler and settings as ours; every model has a worker of its own and a store with its
one task.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from serving.health.stop_mark import StopMark
from serving.launch.launch import Launch
from serving.launch.running import Running, write
from serving.service import stop
from serving.torchserve.configure import write_configuration
from serving.torchserve.launch import spawn
from serving.torchserve.management import is_ready
from tests.fakes.waiting import wait_until

READY_TIMEOUT_S = 600


@contextmanager
def one_model_per_task(launch: Launch, stores: Mapping[str, Path]) -> Iterator[Running]:
    """Run a TorchServe with a model per entry of `stores` until the block ends.

    Args:
        launch: what all models have in common; its store is not used.
        stores: model name to the store of its task.
    """
    launch.folder.mkdir(parents=True, exist_ok=True)
    for model, store in stores.items():
        config = write_configuration(launch.model_copy(update={"store": store}))
        _rename(config.parent / "model_store", model)
    config.write_text(
        config.read_text().replace("load_models=spt", f"load_models={','.join(stores)}")
    )
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    with torchserve_of(launch, config, stores, threads) as running:
        yield running


@contextmanager
def torchserve_of(
    launch: Launch, config: Path, models: Collection[str], changes: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run a TorchServe with models of one's own until the block ends.

    Args:
        launch: whose folder and ports it gets.
        config: its config.properties.
        models: by name; all have a worker when the block begins.
        changes: of its environment.
    """
    StopMark(launch.folder).begin()
    running = spawn(launch, config, changes)
    write(launch.folder, running)
    try:
        wait_until(
            "every model has a worker",
            lambda: all(is_ready(running.management_url, model) for model in models),
            timeout_s=READY_TIMEOUT_S,
        )
        yield running
    finally:
        stop(launch.folder)


def _rename(model_store: Path, model: str) -> None:
    folder = (model_store / "spt").rename(model_store / model)
    manifest_path = folder / "MAR-INF" / "MANIFEST.json"
    manifest = json.loads(manifest_path.read_text())
    manifest["model"]["modelName"] = model
    manifest_path.write_text(json.dumps(manifest))
