"""`python -m serving.runtime.keeper FOLDER`: keeps a device process for a launch until told to end.

One that has ended is followed by another, at once if it had worked for a while. If the first one
does not become warm, the keeper ends, too: its settings are wrong. Loads no torch.
"""

import logging
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from serving.runtime.link import Link

_PAUSES_S: Final = (0.0, 1.0, 5.0, 30.0)
"""Before a process is begun again that did not live for `_SOUND_S`; the last one stays."""

_SOUND_S: Final = 60.0
_LOOK_S: Final = 0.1

_log = logging.getLogger("serving.runtime.keeper")


def main(folder: Path) -> int:
    """Keep a device process; return 1 if the first one ends before it is warm."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    was_warm, deaths = False, 0
    while True:
        began = time.monotonic()
        process = _begin(folder)
        try:
            was_warm = was_warm or _becomes_warm(folder, process)
            status = process.wait()
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            return 0
        if not was_warm:
            return 1
        deaths = 0 if time.monotonic() - began > _SOUND_S else deaths + 1
        pause_s = _PAUSES_S[min(deaths, len(_PAUSES_S)) - 1] if deaths else 0.0
        _log.error("the device process has ended (%d); another begins in %g s", status, pause_s)
        time.sleep(pause_s)


def _begin(folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "serving.runtime.device_process", str(folder)]
    return subprocess.Popen(command)


def _becomes_warm(folder: Path, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until the process takes fronts, or has ended; return which."""
    while process.poll() is None:
        try:
            Link.to(folder).close()
        except OSError:
            time.sleep(_LOOK_S)
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
