"""The container file: read by hadolint. No image is built: its steps need a base image."""

from tests.operations.tools import FILES, python_tools, said

_FILE = FILES / "container" / "Containerfile"


def check() -> str:
    """Have hadolint read the file.

    Raises:
        Wrong: what it finds.
    """
    said(python_tools() / "bin" / "hadolint", _FILE)
    return "hadolint finds nothing"
