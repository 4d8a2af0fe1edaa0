"""`python -m serving.asgi FOLDER`: the front of a launch, as `spt serve --front asgi` begins it.

With `front_workers` each of them has its rows computed by the launch's device process; without,
there is one, which owns the device itself.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette

from adapters.errors import SptError
from serving.build_front import (
    build_admission,
    build_front_engine,
    decoder_settings,
    read_config,
    trace,
)
from serving.config import ServingConfig
from serving.front.app import build_app, page_route
from serving.front.predict import Bounds
from serving.front.processes import Service, serve
from serving.front.token import TokenFile
from serving.health.heartbeat import Heartbeat
from serving.health.stop_mark import StopMark
from serving.health.vitals import Vitals
from serving.inference.state import State
from serving.java.memory import usual_front_memory
from serving.launch.processes import log_decisions
from serving.launch.running import METRICS
from serving.metrics.begin import begin_metrics
from serving.metrics.table import ROUTE
from serving.runtime.front_engine import FrontEngine

_STARTUP_FAILURE: Final = 3
"""By which uvicorn knows that another process would fail as well."""

_BATCHES_AT_ONCE: Final = 2
"""Calls of the engine at the same time, in batches: one that is computed, and the next."""


def main() -> None:
    """Serve the launch whose folder the command line names, until told to end."""
    parser = argparse.ArgumentParser(prog="python -m serving.asgi", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the launch, with its configuration")
    parser.add_argument("--port", type=int, required=True, help="of loopback")
    parser.add_argument("--token-file", type=Path, help="holds what callers must send")
    parser.add_argument("--drain-s", type=float, default=30.0, help="wait for open requests")
    args = parser.parse_args()
    folder = args.folder.resolve()
    try:
        config = read_config(folder)
        log_decisions(config.log_format)
        processes = max(1, config.front_workers)
        app = partial(create_app, folder, args.token_file)
        serve(Service(app, args.port, processes, args.drain_s))
    except SptError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: port {args.port}: {error.strerror}; choose another one")


def create_app(folder: Path, token_file: Path | None) -> Starlette:
    """Return the app of one process; takes seconds to minutes where it owns the device."""
    try:
        config = read_config(folder)
        log_decisions(config.log_format)
        trace(config, "front")
        (engine, state), admission = _engine(config, folder), build_admission(config)
    except SptError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(_STARTUP_FAILURE)
    heartbeat = Heartbeat(folder)
    heartbeat.beat()  # the device is warm
    vitals, mark = Vitals(heartbeat, engine.probe), StopMark(folder)
    app = build_app(
        engine,
        admission,
        vitals,
        _bounds(config),
        token=None if token_file is None else TokenFile(token_file),
        is_stopping=mark.is_stopping,
    )
    metrics = begin_metrics(folder / METRICS if config.front_workers else None)
    metrics.tell_health(vitals, mark.is_stopping)
    if state is not None:
        metrics.own_device(state)
    app.routes.append(page_route(ROUTE, metrics.page))
    return app


def _engine(
    config: ServingConfig, folder: Path
) -> tuple[FrontEngine[Any], Callable[[], State] | None]:
    """Return an engine, and the state of the device if this process is to own it."""
    if config.front_workers:
        return build_front_engine(config, folder), None
    from serving.build import build_core  # noqa: PLC0415 (loads torch and timm)
    from serving.device.device import Device  # noqa: PLC0415
    from serving.device.local import LocalDevice  # noqa: PLC0415
    from serving.trunk.allocator import disable_malloc_trim  # noqa: PLC0415

    disable_malloc_trim()
    core = build_core(config)
    device = Device(core, max_batch=config.max_batch, patience_s=config.load_patience_s)
    local = LocalDevice(device, core)
    engine = FrontEngine(local, decoder_settings(config), config.load_patience_s)
    return engine, core.state


def _bounds(config: ServingConfig) -> Bounds:
    memory = config.front_memory_bytes or usual_front_memory()
    return Bounds(
        body_bytes=config.image_limits.max_bytes,
        memory_bytes=memory // max(1, config.front_workers),
        threads=_BATCHES_AT_ONCE * config.max_batch,
    )


if __name__ == "__main__":
    main()
