"""A thread of the worker that asks its own TorchServe for a sign of life when nobody else asks.

The question comes in through the management API and waits in the queue of predictions, as callers'
rows do: so the heart beats only while the front, the queue, the worker and the device all work.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from serving.errors import LaunchError
from serving.health.heartbeat import IDLE_S, Heartbeat
from serving.health.probes import Page
from serving.health.stop_mark import StopMark
from serving.health.vitals import Vitals
from serving.launch.running import is_recorded, read
from serving.torchserve.management import ask_for_pulse, management_url_of
from serving.torchserve.probes import answer_probes

_LOOK_S: Final = 1.0
_PATIENCE_S: Final = 30.0

_log = logging.getLogger(__name__)


def watched(probe: Callable[[], None], mark: StopMark, pages: Mapping[str, Page] = {}) -> Vitals:
    """Return this worker's vitals, asked for and told from now on where a launch has begun it.

    Args:
        probe: computes one row of nothing.
        mark: of the launch that this worker belongs to.
        pages: that it shows next to what it tells of its health.
    """
    heartbeat = Heartbeat(mark.folder)
    heartbeat.beat()  # the backbone has just been warmed up
    vitals = Vitals(heartbeat, probe)
    if mark.folder is not None:
        asking = (heartbeat, mark.folder)
        threading.Thread(target=_ask_again, args=asking, name="pulse", daemon=True).start()
        answer_probes(vitals, mark, pages)
    return vitals


def _ask_again(heartbeat: Heartbeat, folder: Path) -> None:
    while True:
        time.sleep(_LOOK_S)
        if heartbeat.age_s > IDLE_S and is_recorded(folder):
            try:
                running = read(folder)
                ask_for_pulse(
                    management_url_of(running),
                    token_file=running.management_token_file,
                    timeout_s=_PATIENCE_S,
                )
            except (OSError, LaunchError) as error:
                _log.info("no pulse: %s", error)  # the heartbeat's age tells it to the world
