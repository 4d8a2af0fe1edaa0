"""The files from which callers of a launch read their tokens."""

from pathlib import Path
from typing import Literal

Kind = Literal["inference", "management"]


def token_file(folder: Path, kind: Kind = "inference") -> Path:
    """Return the file from which callers of one API read their token."""
    return folder.resolve() / f"{kind}.token"
