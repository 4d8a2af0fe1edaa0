"""Whether a launch takes callers, for those who watch it on its own machine."""

import os
from pathlib import Path
from typing import Final

from serving.health.heartbeat import READY_S, age_of
from serving.health.probes import serve_probes
from serving.health.reasons import STOPPING, why_no_callers, why_not_alive, why_old
from serving.health.stop_mark import StopMark
from serving.health.vitals import Vitals
from serving.torchserve.management import is_ready
from serving.torchserve.running import is_recorded, read

HEALTH_VARIABLE: Final = "SPT_HEALTH_PORT"
"""Tells the worker on which port of loopback it answers probes."""


def why_not_ready(folder: Path) -> str | None:
    """Return why the service of a launch's folder should get no callers; None if it should."""
    if not is_recorded(folder):
        return f"nothing was started in {folder}"
    running = read(folder)
    if StopMark(folder).is_stopping():
        return STOPPING
    if not is_ready(running.management_url, token_file=running.management_token_file):
        return "no worker is ready"
    age_s = age_of(folder)
    if age_s is None:
        return "its worker has not worked yet"
    return why_old(age_s, READY_S)


def answer_probes(vitals: Vitals, mark: StopMark) -> None:
    """Answer `/livez` and `/readyz` of this process, the worker, if its launch names a port."""
    port = os.environ.get(HEALTH_VARIABLE)
    if port:
        why_not = {
            "/livez": lambda: why_not_alive(vitals),
            "/readyz": lambda: why_no_callers(vitals, is_stopping=mark.is_stopping()),
        }
        serve_probes(int(port), why_not)
