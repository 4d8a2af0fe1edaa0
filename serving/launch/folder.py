"""A launch's folder: whether it can be written, and in our words why not."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.errors import LaunchError


def check_folder(folder: Path) -> None:
    """Make a launch's folder where it is missing, and write to it, before anything is started.

    Raises:
        LaunchError: that cannot be; with the reason.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Say in our words what the file system refused."""
    try:
        yield
    except OSError as error:
        raise LaunchError(
            f"{error.filename or folder}: {_reason(error)}; the launch's folder must be writable "
            "and its disk have room: make some, or choose another --folder"
        ) from error


def _reason(error: OSError) -> str:
    """Return what the file system said; of many files that could not be copied, of the first."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return error.strerror or str(error)
