"""A real service under load, scraped by a real Prometheus: data, movement, and alerts of faults."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.parse import urlencode

import psutil
import torch

from serving.launch.loopback import ask
from serving.launch.running import read
from serving.metrics.table import METRICS
from serving.service import stop
from tests.e2e.service import TASKS
from tests.fakes.waiting import wait_until
from tests.operations.expressions import Expression, panels, scaling
from tests.operations.scene import BROKEN, Scene, scene
from tests.operations.tools import Wrong

_NEEDS_CUDA = {"spt_device_memory_bytes"}
_CONSTANT = {"spt_bank_limit_bytes", "spt_info", "spt_bank_adapters", "spt_versions_served"}
"""Gauges that need not move: settings, and a bank that is always full."""

_PATIENCE_S = 120.0
_LOADING = 503


def check() -> str:
    """Have every panel show something, break what can be broken, and see every metric move.

    Raises:
        Wrong: what has no data, does not move, or raises no alert.
    """
    with TemporaryDirectory() as folder, scene(Path(folder)) as found:
        shown = _with_data(found)
        fired = [name for name, fault in _FAULTS if _raises(found, name, fault)]
        moved = _all_move(found)
        _raises(found, "SptNotReady", _stop)
    return (
        f"{shown} expressions have data; {moved} of {len(METRICS)} metrics move; "
        f"faults raised {', '.join([*fired, 'SptNotReady'])}"
    )


def _with_data(found: Scene) -> int:
    asked = [one for one in panels() if torch.cuda.is_available() or not _reads(one, _NEEDS_CUDA)]
    asked += scaling()
    for one in asked:
        _await(f"'{one.name}' has data: {one.text}", lambda one=one: bool(_values(found, one.text)))
    return len(asked)


def _reads(one: Expression, names: set[str]) -> bool:
    return any(name in one.text for name in names)


def _raises(found: Scene, alert: str, fault: Callable[[Scene], None]) -> bool:
    fault(found)
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    _await(f"{alert} fires", lambda: bool(_values(found, firing)))
    return True


def _nothing(found: Scene) -> None:
    """The load alone is the fault: callers without a key, and a bank that is too small."""


def _hang(found: Scene) -> None:
    """Let the device process stand still until it looks dead, then let it go on."""
    # what is recorded as the device is a launcher that stands for it: it is a fork
    (device,) = psutil.Process(read(found.folder).fork_server).children()
    device.suspend()
    try:
        firing = 'ALERTS{alertname="SptHeartbeatOld", alertstate="firing"}'
        _await("SptHeartbeatOld fires", lambda: bool(_values(found, firing)))
        _await("it is not ready", lambda: _values(found, "spt_ready") == [0.0])
    finally:
        device.resume()
    _await("it is ready again", lambda: _values(found, "spt_ready") == [1.0])


def _stop(found: Scene) -> None:
    stop(found.folder, draining=False)


_FAULTS: list[tuple[str, Callable[[Scene], None]]] = [
    ("SptRefusals", _nothing),
    ("SptBankThrashing", _nothing),
    ("SptErrors", partial(Scene.damage, task=BROKEN)),
    ("SptStandIns", partial(Scene.damage, task=TASKS[3])),
    ("SptHeartbeatOld", _hang),
    ("SptRedisAway", lambda found: found.redis.stop()),
    ("SptStoreAway", Scene.take_store_away),
]


def _all_move(found: Scene) -> int:
    still = _CONSTANT if torch.cuda.is_available() else _CONSTANT | _NEEDS_CUDA
    names = [name for name in METRICS if name not in still]
    for name in names:
        one = f"{name}_count" if METRICS[name].kind == "histogram" else name
        moved = f"max_over_time({one}[10m]) - min_over_time({one}[10m]) > 0"
        _await(f"{name} moves", lambda moved=moved: bool(_values(found, moved)))
    return len(names)


def _await(what: str, condition: Callable[[], bool]) -> None:
    try:
        wait_until(what, condition, timeout_s=_PATIENCE_S)
    except AssertionError as error:
        raise Wrong(str(error)) from error


def _values(found: Scene, expression: str) -> list[float]:
    """Return what an expression is now, without what is no number; empty if nothing answers yet."""
    url = f"{found.prometheus}/api/v1/query?{urlencode({'query': expression})}"
    try:
        told = json.loads(ask(url, {}, 10.0))
    except HTTPError as error:
        if error.code == _LOADING:
            return []
        raise Wrong(f"Prometheus refuses {expression}: {error.read().decode()}") from error
    except OSError:
        return []
    values = (float(one["value"][1]) for one in told["data"]["result"])
    return [value for value in values if math.isfinite(value)]
