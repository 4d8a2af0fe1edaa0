"""`python -m tests.fakes.counting FOLDER ROWS`: counts rows, then waits to be killed.

It owns the device of its launch.
"""

import sys
import time
from pathlib import Path

from serving.inference.state import State, Trunk
from serving.metrics.begin import begin_metrics
from serving.observing.observers import OBSERVERS
from serving.protocol import Answer
from serving.rows.query import Query

TRUNK = Trunk("1", "tiny", "float32", "torch")


def state() -> State:
    """Return what a device with two adapters would tell."""
    return State(100, 1000, 2, 2, 7, 3, 1, 0, None, store_is_up=True, memory=None, trunk=TRUNK)


if __name__ == "__main__":
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    metrics = begin_metrics(folder)
    metrics.own_device(state)
    queries = [Query(b"", "pets")] * rows
    answer = Answer(task="pets", version="0" * 64, predictions=())
    OBSERVERS.answered(time.monotonic(), queries, [answer] * rows)
    OBSERVERS.waiting(rows)
    assert "torch" not in sys.modules
    print("counted", flush=True)
    sys.stdin.read()
