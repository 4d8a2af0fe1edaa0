"""What TorchServe's log says of a worker that dies while it loads."""

from pathlib import Path
from typing import Final

_DEATH: Final = "Backend worker process died."
"""What TorchServe's worker logs, above the traceback, when loading failed."""

_FROM_WORKER: Final = " MODEL_LOG - "


class ServiceLog:
    """A launch's log, from now on.

    Args:
        folder: of the launch; beside the log, its `console` has what Java said before it began.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "logs" / "torchserve.log"
        self.console = folder / "console.log"
        self._begin = self.path.stat().st_size if self.path.exists() else 0

    def deaths(self) -> list[str]:
        """Return the error that each worker died of while it loaded, the oldest first."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(self._begin)
            lines = log.read().decode(errors="replace").splitlines()
        said = [line.partition(_FROM_WORKER)[2] for line in lines if _FROM_WORKER in line]
        starts = [i for i, line in enumerate(said) if line.endswith(_DEATH)]
        ends = [*starts[1:], len(said)]
        return [_error(said[i + 1 : end]) for i, end in zip(starts, ends, strict=False)]


def _error(said: list[str]) -> str:
    """Return the line that names the error of a traceback, of the last if several are chained."""
    error, in_traceback = _DEATH, False
    for line in said:
        if line.startswith("Traceback "):
            in_traceback = True
        elif in_traceback and line and not line.startswith(" "):
            error, in_traceback = line, False
    return error
