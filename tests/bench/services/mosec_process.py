"""`python -m tests.bench.services.mosec_process --address … --port …`: mosec, told by variables.

Its command line is its own, so the model comes in `BENCH_MODEL`, its checkpoint in `BENCH_WEIGHTS`,
and the rows of a batch in `BENCH_BATCH`.
"""

import os
from pathlib import Path

import mosec
import numpy as np

from adapters.vit.backbone import load_backbone
from tests.bench.services.plain_model import PlainModel, crop

NAME, WEIGHTS = os.environ["BENCH_MODEL"], Path(os.environ["BENCH_WEIGHTS"])
WAIT_MS = 5


class Decode(mosec.Worker):
    """Bytes to crops, in processes of their own."""

    def __init__(self) -> None:
        super().__init__()
        self._size = load_backbone(NAME, WEIGHTS).spec.image_size

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> np.ndarray:
        return crop(data, self._size)


class Classify(mosec.Worker):
    """Batches of crops to labels."""

    def __init__(self) -> None:
        super().__init__()
        self._model = PlainModel(NAME, WEIGHTS)

    def forward(self, data: list[np.ndarray]) -> list[dict[str, float]]:
        return self._model.classify(data)


def main() -> None:
    """Serve until ended."""
    server = mosec.Server()
    server.append_worker(Decode, num=len(os.sched_getaffinity(0)), timeout=120)
    server.append_worker(
        Classify, max_batch_size=int(os.environ["BENCH_BATCH"]), max_wait_time=WAIT_MS, timeout=120
    )
    server.run()


if __name__ == "__main__":
    main()
