"""Whoever must run for a launch beside TorchServe, looked after by the launch's supervisor."""

from serving.torchserve.configure import Launch
from serving.torchserve.workers.device import DeviceKeeper
from serving.torchserve.workers.fork_server import ForkServerKeeper


class Keepers:
    """The keepers of one launch."""

    def __init__(self, launch: Launch) -> None:
        self._fork_server = ForkServerKeeper(launch)
        self._device = DeviceKeeper(launch)

    def look(self) -> None:
        """Begin again what has ended."""
        self._fork_server.look()
        self._device.look()
