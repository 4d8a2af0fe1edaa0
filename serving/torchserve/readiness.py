"""Whether a launch takes callers, for those who watch it on its own machine."""

from pathlib import Path

from serving.torchserve.management import is_ready
from serving.torchserve.running import is_recorded, read
from serving.torchserve.stop_mark import StopMark


def why_not_ready(folder: Path) -> str | None:
    """Return why the service of a launch's folder should get no callers; None if it should."""
    if not is_recorded(folder):
        return f"nothing was started in {folder}"
    running = read(folder)
    if StopMark(folder).is_stopping():
        return "it is stopping"
    if not is_ready(running.management_url, token_file=running.management_token_file):
        return "no worker is ready"
    return None
