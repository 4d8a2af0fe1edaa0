"""Whoever must run for a launch beside its front, looked after by the launch's supervisor."""

from serving.launch.device import DeviceKeeper
from serving.launch.fork_server import ForkServerKeeper
from serving.launch.launch import Launch


class Keepers:
    """The keepers of one launch.

    Args:
        launch: whose.
        preloaded: what its fork server imports; nothing if it needs none.
    """

    def __init__(self, launch: Launch, preloaded: tuple[str, ...]) -> None:
        self._fork_server = ForkServerKeeper(launch, preloaded)
        self._device = DeviceKeeper(launch)

    def look(self) -> None:
        """Begin again what has ended."""
        self._fork_server.look()
        self._device.look()
