"""What a launch needs of whatever takes its callers."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from serving.health.stop_mark import StopMark
from serving.launch.launch import Launch
from serving.launch.running import Running
from serving.launch.token_file import Kind


class Begun(NamedTuple):
    """A front that was begun.

    Attributes:
        running: what `stop` will end; not yet written down.
        check: raises LaunchError, with the reason, once it is in vain to wait until it is ready.
    """

    running: Running
    check: Callable[[], None]


@runtime_checkable
class Front(Protocol):
    """Takes a launch's callers, in processes of its own."""

    def ports(self, launch: Launch) -> list[int]:
        """Return the ports of loopback that must be free."""

    def configure(self, launch: Launch) -> None:
        """Write what the launch's processes read.

        Raises:
            ConfigError: one of the launch's settings is unknown or wrong.
            OSError: the folder cannot be written.
        """

    def begin(self, launch: Launch) -> Begun:
        """Start it, and wait for nothing.

        Raises:
            LaunchError: it ended at once.
        """

    def preloaded(self, launch: Launch) -> tuple[str, ...]:
        """Return what the launch's fork server imports; nothing if it needs none."""

    def why_not_ready(self, folder: Path, running: Running) -> str | None:
        """Return why nobody should ask the service of this folder; None if it answers."""

    def drain(self, running: Running, mark: StopMark) -> None:
        """Return when every request that was let in is answered.

        Raises:
            OSError: it does not answer; TimeoutError, not all was answered in `drain_s`.
        """

    def rotate(self, folder: Path, running: Running, kind: Kind) -> Path:
        """Replace a token; return the file that has the new one.

        Raises:
            LaunchError: there is no such token, or no new one can be made.
        """

    def forget(self, folder: Path) -> None:
        """Delete the tokens of one that has ended."""
