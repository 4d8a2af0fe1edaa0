"""`python -m serving.device.process FOLDER`: the one process that owns a launch's device.

Fronts reach it as soon as it is warm. It ends when the device is lost; its keeper begins another.
"""

import logging
import sys
from pathlib import Path

import yaml

from serving.build import build_core
from serving.config import load_config
from serving.device.device import Device
from serving.device.server import DeviceServer
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.trunk.allocator import disable_malloc_trim


def main(folder: Path) -> None:
    """Load, warm up, and serve fronts for ever.

    Args:
        folder: of the launch, with its configuration and its socket.

    Raises:
        SptError: configuration, backbone or weights are wrong.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    model = folder.resolve() / "model_store" / "spt"
    settings = yaml.safe_load((model / "model-config.yaml").read_text()).get("spt", {})
    config = load_config(settings, model)
    disable_malloc_trim()
    core = build_core(config)
    vitals = Vitals(Heartbeat(None), core.probe)
    device = Device(
        core,
        max_batch=config.max_batch,
        patience_s=config.load_patience_s,
        judge=vitals.judge,
    )
    DeviceServer(device, core, folder, vitals.examine).serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
