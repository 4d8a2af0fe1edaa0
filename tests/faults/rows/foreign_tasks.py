"""Calls that name many tasks of another backbone, each with a long history: their batches end."""

import os
from typing import Final
from unittest.mock import patch

from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.protocol import MAX_TASKS_PER_CALL
from tests.fakes.artifacts import make_adapter
from tests.faults.row import Row
from tests.faults.scene.scene import Scene
from tests.faults.scene.trials import another_process, flood_of, try_all
from tests.faults.scene.versions import IMAGES
from tests.faults.sizes import Sizes
from tests.faults.strangers.flood import flood
from tests.faults.strangers.raw import post

TASKS: Final = tuple(f"foreign-{number:02}" for number in range(MAX_TASKS_PER_CALL))
_RATE_PER_S: Final = 5.0


def run(scene: Scene, sizes: Sizes) -> Row:
    """Publish them, then ask for all of them at once, again and again, beside the others."""
    _publish(scene.source.store, sizes.foreign)
    request = post(f"task={','.join(TASKS)}", IMAGES[0])
    with another_process(flood) as pool:
        calls = flood_of(request, _RATE_PER_S, scene, sizes, pool)
        noticed = try_all(scene, sizes, {"during it": calls.fault})
    return noticed.row(
        scene,
        f"{len(calls.answers)} calls, each for {len(TASKS)} tasks of another backbone that have "
        f"{sizes.foreign} versions each",
        must_be_0={"calls answered with another status than 409": calls.otherwise(409)},
        conditions={"calls_per_s": _RATE_PER_S},
    )


def _publish(store: DirectoryStore, versions: int) -> None:
    with patch.object(os, "fsync"):  # the disk's time is no matter here
        for task in TASKS:
            for seed in range(versions):
                store.publish(encode(make_adapter(task, seed=seed)))
