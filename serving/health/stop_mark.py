"""What a service that stops tells its own worker, and anyone who asks whether it is ready.

One empty file in the launch's folder says it by its name, and is renamed when that changes: so
there is room for the news even on a full disk. Renamed by the process that ends the service, looked
for by the worker once per batch.
"""

import os
from pathlib import Path
from typing import Final

FOLDER_VARIABLE: Final = "SPT_RUN_FOLDER"
"""Names the launch's folder to the worker."""

_ACCEPTING, _STOPPING, _REFUSING = "accepting", "stopping", "refusing"


class StopMark:
    """The mark in a launch's folder.

    Args:
        folder: None for a TorchServe that was started without a launch, and is never marked.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def of_this_worker(cls) -> "StopMark":
        """Return the mark of the launch that this process belongs to."""
        folder = os.environ.get(FOLDER_VARIABLE)
        return cls(Path(folder) if folder else None)

    @property
    def folder(self) -> Path | None:
        """Of the launch; None where there was none."""
        return self._folder

    def begin(self) -> None:
        """Say that the service takes callers."""
        self._name(_ACCEPTING)

    def stop(self, *, refuse: bool) -> None:
        """Say that the service is stopping.

        Args:
            refuse: whether requests that the worker meets from now on are told to go elsewhere.
        """
        self._name(_REFUSING if refuse else _STOPPING)

    def clear(self) -> None:
        """Leave no mark behind a service that has ended."""
        for path in self._found():
            path.unlink(missing_ok=True)

    def is_stopping(self) -> bool:
        """Return whether the service should get no new callers."""
        return any(path.name != _ACCEPTING for path in self._found())

    def is_refusing(self) -> bool:
        """Return whether the worker should answer nothing more."""
        return self._folder is not None and (self._folder / _REFUSING).exists()

    def _found(self) -> list[Path]:
        if self._folder is None:
            return []
        paths = (self._folder / name for name in (_ACCEPTING, _STOPPING, _REFUSING))
        return [path for path in paths if path.exists()]

    def _name(self, name: str) -> None:
        if self._folder is None:
            return
        for path in self._found():
            path.rename(self._folder / name)
        (self._folder / name).touch()
