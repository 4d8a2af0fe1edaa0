"""`python -m tests.bench.front_process FOLDER SIDE CALLERS BATCH`: a front, told by lines.

Images whose sides are no longer than SIDE pixels are left to the device to crop.
Lines: `predict SECONDS` and `decode SECONDS`, told how many images were answered, or decoded alone.
"""

import sys
import time
from pathlib import Path

from adapters.artifact.preprocessing import Preprocessing
from serving.deadline import Deadline
from serving.decoding.decoder import Decoder, DecoderSettings
from serving.runtime.device_client import DeviceClient
from serving.runtime.front_engine import FrontEngine
from serving.trunk.allocator import disable_malloc_trim
from tests.bench.front_load import SIZE, Load
from tests.bench.line_process import answer_lines
from tests.bench.photos import photos

PATIENCE_S = 120.0
_HALF = (0.5, 0.5, 0.5)
RULE = Preprocessing(resize="squash", resize_size=224, crop=224, mean=_HALF, std=_HALF)


def main() -> None:
    """Reach the device process, then do as told."""
    folder, side, callers, batch = sys.argv[1:]
    disable_malloc_trim()
    device = DeviceClient(Path(folder), PATIENCE_S)
    device.wait_until_ready(PATIENCE_S)
    settings = DecoderSettings(threads=1, whole_side=int(side))
    front = FrontEngine(device, settings, PATIENCE_S)
    load = Load(front.predict, int(callers), int(batch))
    decoder = Decoder(settings)
    images = photos(int(batch), [SIZE])
    answer_lines({"predict": load.run, "decode": lambda seconds: _decode(decoder, images, seconds)})


def _decode(decoder: Decoder, images: list[bytes], seconds: str) -> float:
    """Decode batches as a front does, and nothing else."""
    ends, done = time.perf_counter() + float(seconds), 0
    while time.perf_counter() < ends:
        started = [decoder.start(image, {RULE}) for image in images]
        decoder.finish(started, Deadline.after(PATIENCE_S))
        done += len(started)
    return done


if __name__ == "__main__":
    main()
