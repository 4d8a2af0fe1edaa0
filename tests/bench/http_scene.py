"""What the benchmark of HTTP runs: weights, stores of tasks, photos, and two services on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.ports import free_ports
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from adapters.vit.backbone import load_backbone
from clients.load.closed import Ask
from serving.launch.launch import Launch
from serving.service import start, stop
from tests.bench.http_load import Target
from tests.bench.models import TINY, random_adapter, random_weights
from tests.bench.one_model_per_task import one_model_per_task
from tests.bench.photos import photos

NUM_TASKS, NUM_PEERS, NUM_PHOTOS = 16, 4, 64


class Scene:
    """One store of all tasks for our service, one store per task for the other.

    Args:
        folder: for all of it.
        weights: checkpoint of the model; None takes random weights.
        model: timm's name of a plain ViT.
    """

    def __init__(self, folder: Path, weights: Path | None, model: str = TINY) -> None:
        self._folder = folder
        self._model = model
        self._weights = weights or random_weights(model, folder)
        self.launch = self.launch_of("ours")
        spec = load_backbone(model, self._weights).spec
        self._photos = photos(NUM_PHOTOS)
        self._tasks: list[str] = []
        for number in range(NUM_TASKS):
            adapter = random_adapter(spec, number)
            self._tasks.append(adapter.meta.task.id)
            DirectoryStore(folder / "store").publish(encode(adapter))
            if number < NUM_PEERS:
                DirectoryStore(folder / f"store-{number}").publish(encode(adapter))

    def asks(self, num_tasks: int) -> list[Ask]:
        """Return one request per photo, over the first tasks in turn."""
        return [Ask(photo, self._tasks[i % num_tasks]) for i, photo in enumerate(self._photos)]

    @contextmanager
    def ours(self) -> Iterator[Target]:
        """Run our service, with all tasks."""
        self.launch.folder.mkdir()
        process = start(self.launch)
        try:
            yield Target(f"shared, {NUM_TASKS} tasks", process, self.asks(NUM_TASKS))
        finally:
            stop(self.launch.folder)

    @contextmanager
    def peers(self) -> Iterator[Target]:
        """Run one model for each of the first tasks."""
        models = {task: f"spt{i}" for i, task in enumerate(self._tasks[:NUM_PEERS])}
        stores = {model: self._folder / f"store-{i}" for i, model in enumerate(models.values())}
        with one_model_per_task(self.launch_of("peers"), stores) as process:
            name = f"one model per task, {NUM_PEERS}"
            yield Target(name, process, self.asks(NUM_PEERS), models.__getitem__)

    def launch_of(self, name: str) -> Launch:
        """Return how a service of all tasks is started in a folder of that name."""
        api, management, metrics = free_ports(3)
        return Launch(
            folder=self._folder / name,
            store=self._folder / "store",
            backbone=self._model,
            weights=self._weights,
            ports=(api, management, metrics),
        )
