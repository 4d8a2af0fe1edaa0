"""A device process with the tiny backbone and two tasks, and fork after fork of it that dies."""

import threading
from pathlib import Path
from typing import Any

from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.decoding.decoder import DecoderSettings
from serving.device.device import Device
from serving.device.local import LocalDevice
from serving.device.server import DeviceServer
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine
from serving.inference.state import Trunk
from serving.runtime.device_client import DeviceClient
from serving.runtime.front_engine import FrontEngine
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone


class TinyDevice:
    """Serves fronts from a folder, in threads of this process."""

    def __init__(self, folder: Path) -> None:
        backbone = tiny_backbone()
        source = CachedStore(DirectoryStore(folder / "store"))
        for i in range(2):
            source.publish(encode(make_adapter(f"task{i}", seed=i, backbone=backbone.spec)))
        bank, trunk = AdapterBank(backbone, source, 1 << 20), Trunk("1", "tiny", "float32", "torch")
        self.core = Core(CpuBackend(backbone), source, bank, trunk=trunk)
        self.device = Device(self.core, max_batch=8, patience_s=60.0)
        self.server = DeviceServer(self.device, self.core, folder, self.core.probe)

    def begin(self) -> None:
        """Serve beside what else this process does."""
        threading.Thread(target=self.server.serve, daemon=True).start()

    def close(self) -> None:
        """Let fronts, threads and the store go."""
        self.server.close()
        self.device.close()
        self.core.close()


ALONE, HERE, ELSEWHERE = "in one process", "a device in this process", "a device elsewhere"
LAYOUTS = (ALONE, HERE, ELSEWHERE)
"""How an engine may have its device."""


def engine_in(layout: str, folder: Path, device: TinyDevice) -> Engine | FrontEngine[Any]:
    """Return an engine with this device; `folder` is where the device serves fronts."""
    if layout == ALONE:
        return Engine(device.core, patience_s=60.0)
    if layout == HERE:
        local = LocalDevice(device.device, device.core)
        return FrontEngine(local, DecoderSettings(threads=1), 60.0)
    device.begin()
    return FrontEngine(DeviceClient(folder, 60.0), DecoderSettings(threads=1), 60.0)
