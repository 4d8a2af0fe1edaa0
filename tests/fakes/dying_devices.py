"""`python -m tests.fakes.dying_devices FOLDER STEPS`: a front, and device processes that die.

Each is a fork that kills itself at another one of its messages, and the next one follows. Prints
one line for each step: what became of the rows that the front had asked for, by kind.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import torch

from serving.decoding.decoder import DecoderSettings
from serving.rows.query import Query
from serving.runtime.device_client import DeviceClient
from serving.runtime.front_engine import FrontEngine
from tests.fakes.dying import die_at
from tests.fakes.tiny import image_bytes
from tests.fakes.tiny_device import TinyDevice


def fork_device(folder: Path, step: int) -> int:
    """Return the process id of a device process that dies at a step; it has no other threads."""
    child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        tiny = TinyDevice(folder)
        die_at(step)
        tiny.server.serve()
    finally:
        os._exit(1)


if __name__ == "__main__":
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    front = None
    for step in range(1, steps + 1):
        child = fork_device(folder, step)
        if front is None:  # its threads begin after the first fork, and touch no torch
            front = FrontEngine(DeviceClient(folder, 1.0), DecoderSettings(threads=1), 60.0)
        seen: Counter[str] = Counter()
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            outcomes = front.predict(
                [Query(image_bytes(0), "task0"), Query(image_bytes(1), "task1")]
            )
            seen.update(type(one).__name__ for one in outcomes)
        print(step, *(f"{name}={count}" for name, count in sorted(seen.items())), flush=True)
