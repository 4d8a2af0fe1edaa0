"""`python -m tests.bench.paced_process STORE FOLDER SIDE BATCH`: a paced device's process.

It serves fronts from a folder, and crops images whose sides are no longer than SIDE pixels. It also
has an engine of its own, which answers one batch after the other.
Lines: `pace SECONDS`, of a row; `busy` and `idle`, told how many seconds the device was it in all;
`predict SECONDS`, told how many images the engine answered.
"""

import sys
import threading
from pathlib import Path

from serving.decoding.decoder import DecoderSettings
from serving.device.device import Device
from serving.device.server import DeviceServer
from serving.inference.engine import Engine
from serving.trunk.allocator import disable_malloc_trim
from tests.bench.front_load import Load
from tests.bench.line_process import answer_lines
from tests.bench.paced import Pace, paced_core

MAX_BATCH = 64
PATIENCE_S = 60.0


def main() -> None:
    """Serve, and do as told."""
    store, folder, side, batch = sys.argv[1:]
    disable_malloc_trim()
    pace = Pace()
    with paced_core(Path(store), pace) as core:
        device = Device(core, max_batch=MAX_BATCH, patience_s=PATIENCE_S)
        server = DeviceServer(device, core, Path(folder), core.probe, int(side))
        threading.Thread(target=server.serve, name="server", daemon=True).start()
        decoding = DecoderSettings(whole_side=int(side))
        engine = Engine(core, decoding=decoding, max_batch=MAX_BATCH)
        load = Load(engine.predict, threads=1, batch=int(batch))
        answer_lines(
            {
                "pace": pace.set,
                "busy": lambda: pace.busy_s,
                "idle": lambda: pace.idle_s,
                "predict": load.run,
            }
        )


if __name__ == "__main__":
    main()
