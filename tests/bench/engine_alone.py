"""The engine without HTTP, in a process like TorchServe's worker: built by the same handler from
the same file, with the same environment. It works only while it is asked to.
"""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from adapters.store.directory import DirectoryStore
from serving.handler import Handler
from serving.inference.engine import Engine, Query
from serving.launch.launch import Launch
from serving.protocol import Answer
from serving.torchserve.configure import torchserve_environment
from tests.bench.photos import photos
from tests.fakes.context import FakeContext


class EngineAlone:
    """Such a process, until it is closed.

    Args:
        launch: of a service whose configuration is written.
        num_photos: different images to ask about.
    """

    def __init__(self, launch: Launch, num_photos: int) -> None:
        model = launch.folder / "model_store" / "spt"
        command = [str(model), str(launch.store), str(launch.batch_size), str(num_photos)]
        scratch = launch.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.engine_alone", *command],
            env=torchserve_environment(launch, scratch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def images_per_s(self, seconds: float) -> float:
        """Let it work so long; return its throughput. The first call waits until it is ready."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(seconds, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process of the engine alone has ended; it said why above")
        return float(line)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Build the engine, then measure once per line of the standard input."""
    model, store = Path(sys.argv[1]), Path(sys.argv[2])
    batch_size, num_photos = int(sys.argv[3]), int(sys.argv[4])
    settings = yaml.safe_load((model / "model-config.yaml").read_text())["spt"]
    handler = Handler()
    handler.initialize(FakeContext(settings=settings, model_dir=str(model)))
    tasks = DirectoryStore(store).tasks()
    pairs = zip(itertools.cycle(photos(num_photos)), itertools.cycle(tasks), strict=False)
    queries = (Query(image, task) for image, task in pairs)
    for line in sys.stdin:
        print(_measure(handler._engine, queries, batch_size, float(line)), flush=True)


def _measure(engine: Engine, queries: Iterator[Query], batch_size: int, seconds: float) -> float:
    start, answered = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        outcomes = engine.predict(list(itertools.islice(queries, batch_size)))
        wrong = [outcome for outcome in outcomes if not isinstance(outcome, Answer)]
        if wrong:
            raise RuntimeError(f"the engine refused {len(wrong)} queries, first: {wrong[0]!r}")
        answered += len(outcomes)
    return answered / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
