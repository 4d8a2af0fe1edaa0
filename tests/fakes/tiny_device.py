"""A device process with the tiny backbone and two tasks, and fork after fork of it that dies."""

import threading
from pathlib import Path

from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.device.device import Device
from serving.device.server import DeviceServer
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.state import Trunk
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
