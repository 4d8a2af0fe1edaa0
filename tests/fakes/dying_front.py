"""`python -m tests.fakes.dying_front FOLDER STEP`: a front that kills itself at a message.

Says how many rows were answered where it outlives that step.
"""

import sys
from pathlib import Path

from serving.decoding.decoder import DecoderSettings
from serving.protocol import Answer
from serving.rows.query import Query
from serving.runtime.device_client import DeviceClient
from serving.runtime.front_engine import FrontEngine
from tests.fakes.dying import die_at

if __name__ == "__main__":
    folder, step = Path(sys.argv[1]), int(sys.argv[2])
    die_at(step)
    front = FrontEngine(DeviceClient(folder, 60.0), DecoderSettings(threads=1), 60.0)
    image = sys.stdin.buffer.read()
    outcomes = [front.predict([Query(image, "task0"), Query(image, "task1")]) for _ in range(2)]
    print(sum(isinstance(one, Answer) for found in outcomes for one in found))
    assert "torch" not in sys.modules
