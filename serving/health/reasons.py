"""Why a process of the service should get no callers, in words for whoever watches it."""

from typing import Final

from serving.health.heartbeat import LIVE_S, READY_S
from serving.health.vitals import Vitals

STOPPING: Final = "it is stopping"
_LOST: Final = "its device is lost"


def why_not_alive(vitals: Vitals) -> str | None:
    """Return why this process will not come back by itself; None if all is well."""
    return _LOST if vitals.is_ending else why_old(vitals.heartbeat.age_s, LIVE_S)


def why_no_callers(vitals: Vitals, *, is_stopping: bool) -> str | None:
    """Return why this process should get no callers now; None if it should."""
    if is_stopping:
        return STOPPING
    return _LOST if vitals.is_ending else why_old(vitals.heartbeat.age_s, READY_S)


def why_old(age_s: float, most_s: float) -> str | None:
    """Return what is wrong with a last sign of life; None if it is young enough."""
    return f"its worker has done nothing for {age_s:.0f} s" if age_s > most_s else None
