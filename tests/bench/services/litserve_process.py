"""`python -m tests.bench.services.litserve_process MODEL WEIGHTS PORT BATCH`: LitServe."""

import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litserve
import numpy as np

from tests.bench.services.plain_model import PlainModel, crop


class Classifier(litserve.LitAPI):
    """Images come as JSON, which is what LitServe's front reads."""

    def __init__(self, name: str, weights: Path, batch: int) -> None:
        super().__init__(max_batch_size=batch, batch_timeout=0.005)
        self._given = name, weights

    def setup(self, device: str) -> None:
        self._model = PlainModel(*self._given)

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        return crop(base64.b64decode(request["image"]), self._model.size)

    def batch(self, inputs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return inputs

    def predict(self, x: Sequence[np.ndarray]) -> list[dict[str, float]]:
        return self._model.classify(x)

    def unbatch(self, output: list[dict[str, float]]) -> list[dict[str, float]]:
        return output


def main() -> None:
    """Serve until ended."""
    name, weights, port, batch = sys.argv[1:]
    api = Classifier(name, Path(weights), int(batch))
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=120)
    server.run(
        host="127.0.0.1", port=int(port), num_api_servers=1, log_level="warning",
        generate_client_file=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
