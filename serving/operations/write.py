"""Writes the files of operations into a folder, for whoever has the package and no checkout."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from serving.errors import LaunchError

_CODE = (".py", ".pyc")


def contents() -> dict[str, str]:
    """Return the text of each file by its path within the folder, with `/` between names."""
    return dict(_texts(files(__package__), ""))


def write(folder: Path, *, force: bool = False) -> list[Path]:
    """Write all files, and make the folders that are missing.

    Args:
        folder: where.
        force: whether files that are there and differ are replaced.

    Returns:
        What was written, or was there already.

    Raises:
        LaunchError: a file is there that differs; then nothing is written.
        OSError: the folder cannot be written.
    """
    texts = {folder / name: text for name, text in contents().items()}
    if not force:
        for path, text in texts.items():
            if path.exists() and not _holds(path, text):
                raise LaunchError(
                    f"{path} is there and differs from ours; choose another folder, or replace all "
                    "by --force"
                )
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _texts(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            found += _texts(one, f"{prefix}{one.name}/") if one.name != "__pycache__" else []
        elif not one.name.endswith(_CODE):
            found.append((prefix + one.name, one.read_text(encoding="utf-8")))
    return found


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()
