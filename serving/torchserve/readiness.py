"""Whether a launch takes callers, for those who watch it on its own machine."""

import os
from pathlib import Path
from typing import Final

from serving.health.heartbeat import LIVE_S, READY_S, age_of
from serving.health.probes import serve_probes
from serving.health.vitals import Vitals
from serving.torchserve.management import is_ready
from serving.torchserve.running import is_recorded, read
from serving.torchserve.stop_mark import StopMark

HEALTH_VARIABLE: Final = "SPT_HEALTH_PORT"
"""Tells the worker on which port of loopback it answers probes."""

_STOPPING: Final = "it is stopping"
_LOST: Final = "its device is lost"


def why_not_ready(folder: Path) -> str | None:
    """Return why the service of a launch's folder should get no callers; None if it should."""
    if not is_recorded(folder):
        return f"nothing was started in {folder}"
    running = read(folder)
    if StopMark(folder).is_stopping():
        return _STOPPING
    if not is_ready(running.management_url, token_file=running.management_token_file):
        return "no worker is ready"
    age_s = age_of(folder)
    if age_s is None:
        return "its worker has not worked yet"
    return _why_old(age_s, READY_S)


def answer_probes(vitals: Vitals, mark: StopMark) -> None:
    """Answer `/livez` and `/readyz` of this process, the worker, if its launch names a port."""
    port = os.environ.get(HEALTH_VARIABLE)

    def why_not_alive() -> str | None:
        return _LOST if vitals.is_ending else _why_old(vitals.heartbeat.age_s, LIVE_S)

    def why_no_callers() -> str | None:
        if mark.is_stopping():
            return _STOPPING
        return _LOST if vitals.is_ending else _why_old(vitals.heartbeat.age_s, READY_S)

    if port:
        serve_probes(int(port), {"/livez": why_not_alive, "/readyz": why_no_callers})


def _why_old(age_s: float, most_s: float) -> str | None:
    """Return what is wrong with a last sign of life; None if it is young enough."""
    return f"its worker has done nothing for {age_s:.0f} s" if age_s > most_s else None
