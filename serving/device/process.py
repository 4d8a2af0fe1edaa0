"""`python -m serving.device.process FOLDER`: the one process that owns a launch's device.

Fronts reach it as soon as it is warm. It ends when the device is lost; its keeper begins another.
"""

import sys
from pathlib import Path

from adapters.errors import SptError
from serving.build import build_core
from serving.build_front import read_config, trace
from serving.config import ServingConfig
from serving.device.device import Device
from serving.device.server import DeviceServer
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.launch.processes import log_decisions
from serving.launch.running import METRICS
from serving.metrics.begin import begin_metrics
from serving.trunk.allocator import disable_malloc_trim


def run() -> None:
    """Serve the launch whose folder is this process' last argument.

    Load, warm up, and serve fronts for ever; a configuration, backbone or weights that are wrong
    end the process with one line.
    """
    folder = Path(sys.argv[-1]).resolve()
    try:
        config = read_config(folder)
        log_decisions(config.log_format)
        server = build(config, folder)
    except SptError as error:
        sys.exit(f"error: {error}")
    server.serve()


def build(config: ServingConfig, folder: Path) -> DeviceServer:
    """Return a warm device that fronts may reach.

    Args:
        config: of the launch.
        folder: of the launch, with its socket.

    Raises:
        SptError: configuration, backbone or weights are wrong.
    """
    trace(config, "device")
    disable_malloc_trim()
    core = build_core(config)
    begin_metrics(folder / METRICS).own_device(core.state)
    vitals = Vitals(Heartbeat(None), core.probe)
    device = Device(
        core,
        max_batch=config.max_batch,
        patience_s=config.load_patience_s,
        judge=vitals.judge,
    )
    return DeviceServer(device, core, folder, vitals.examine, config.device_crop_side)


if __name__ == "__main__":
    run()
