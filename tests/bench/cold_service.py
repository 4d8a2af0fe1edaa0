"""An engine over a store in a folder, without Redis and HTTP, and tasks that it never saw."""

import time
from collections.abc import Sequence
from pathlib import Path

from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.backbone import Backbone
from serving.inference.bank import AdapterBank, AdapterKey
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.protocol import Answer
from serving.trunk.choose import torch_backend
from tests.bench.models import RandomSource
from tests.fakes.tiny import image_bytes

WARM_ROWS = 8


class ColdService:
    """An engine without its HTTP, and the tasks of its store: first the warm ones, then cold."""

    def __init__(self, backbone: Backbone, folder: Path, tasks: int) -> None:
        artifacts, store = RandomSource(backbone.spec), DirectoryStore(folder)
        names = [f"task-{number}" for number in range(tasks)]
        for name in names:
            store.publish(artifacts.read(name, ""))
        self.source = CachedStore(store)
        self.warm, self._cold = names[: WARM_ROWS + 1], iter(names[WARM_ROWS + 1 :])
        self.bank = AdapterBank(backbone, self.source, 1 << 30)
        self.engine = Engine(Core(torch_backend(backbone), self.source, self.bank))
        self.engine.warm_up(self.warm)
        self._images = [image_bytes(i, (224, 224), "JPEG") for i in range(WARM_ROWS + 1)]

    def next_cold(self) -> str:
        """Return a task that was never asked for."""
        return next(self._cold)

    def prefetch(self, task: str) -> None:
        """Begin to load a task in the background."""
        self.bank.prefetch([AdapterKey(task, self.source.current(task).version)])

    def ask(self, tasks: Sequence[str]) -> float:
        """Return the seconds until all rows of one batch are answered."""
        queries = [Query(*row) for row in zip(self._images, tasks, strict=False)]
        start = time.perf_counter()
        outcomes = self.engine.predict(queries)
        taken = time.perf_counter() - start
        failed = [outcome for outcome in outcomes if not isinstance(outcome, Answer)]
        if failed:
            raise failed[0]
        return taken
