"""The page's files, as they are in the package: read once, each with its type."""

from collections.abc import Mapping
from importlib import resources
from typing import Final

from clients.playground.messages import Reply

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FIRST: Final = "index.html"


def page_files() -> Mapping[str, Reply]:
    """Return path to reply, for each file of the page."""
    folder = resources.files("clients.playground") / "page"
    found = {
        f"/{file.name}": Reply(200, file.read_bytes(), _TYPES[_ending(file.name)])
        for file in folder.iterdir()
        if _ending(file.name) in _TYPES
    }
    return {"/": found[f"/{_FIRST}"], **found}


def _ending(name: str) -> str:
    return name[name.rfind(".") :]
