"""The port on which a worker answers probes itself, for TorchServe's own knows no route of ours."""

import os
from collections.abc import Mapping
from typing import Final

from serving.health.probes import Page, serve_probes
from serving.health.reasons import why_no_callers, why_not_alive
from serving.health.stop_mark import StopMark
from serving.health.vitals import Vitals

HEALTH_VARIABLE: Final = "SPT_HEALTH_PORT"
"""Tells the worker on which port of loopback it answers probes."""


def answer_probes(vitals: Vitals, mark: StopMark, pages: Mapping[str, Page]) -> None:
    """Answer probes of this process, the worker, and other routes, if its launch names a port."""
    port = os.environ.get(HEALTH_VARIABLE)
    if port:
        why_not = {
            "/livez": lambda: why_not_alive(vitals),
            "/readyz": lambda: why_no_callers(vitals, is_stopping=mark.is_stopping()),
        }
        serve_probes(int(port), why_not, pages)
