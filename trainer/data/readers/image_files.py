"""The files of a class's folder by their names: images that we take, clutter, and all else.

Never opens a file.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from trainer.data.images.image_file import ImageFile
from trainer.errors import DataError

TAKEN = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".png", ".webp"})
"""Endings of JPEG, PNG and WebP, in lower case."""

_OTHER_IMAGES = frozenset(
    {".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".ico"}
    | {".ppm", ".pgm", ".tga", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw"}
)
_NOTES = frozenset(
    {".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml"}
    | {".html", ".htm", ".log", ".ini", ".db", ".lnk", ".url"}
)
_CLUTTER = frozenset({"icon\r", "readme", "license", "licence", "copying", "checksums"})
_CLUTTER_FOLDERS = frozenset(
    {"__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information"}
)


def is_image_like(name: str) -> bool:
    """Tell whether a file's name ends as that of an image, of whatever format."""
    ending = Path(name).suffix.lower()
    return not name.startswith(".") and (ending in TAKEN or ending in _OTHER_IMAGES)


def is_clutter_folder(name: str) -> bool:
    """Tell whether a folder is hidden or the system's own."""
    return name.startswith(".") or name.lower() in _CLUTTER_FOLDERS


def class_folders(folder: Path) -> list[Path]:
    """Return the visible folders inside, sorted by name."""
    inside = _entries(folder)
    return sorted(Path(e.path) for e in inside if not is_clutter_folder(e.name) and _is_folder(e))


def holds_images(folder: Path) -> bool:
    """Tell whether an image of whatever format lies directly inside."""
    return any(is_image_like(e.name) and not _is_folder(e) for e in _entries(folder))


def images_in(folder: Path) -> tuple[list[Path], dict[ImageFile, str]]:
    """Return what lies directly inside a class's folder.

    Returns:
        The images, sorted by name; and the files that are neither images which we take nor known
        clutter, each with the reason.
    """
    images: list[Path] = []
    strays: dict[ImageFile, str] = {}
    for entry in sorted(_entries(folder), key=lambda entry: entry.name):
        path = folder / entry.name
        if _is_folder(entry):
            strays.update(_inner_folder(path))
        elif (ending := path.suffix.lower()) in TAKEN and not entry.name.startswith("."):
            if _is_file(entry):
                images.append(path)
            else:
                strays[path] = "a link that leads nowhere, or no file at all"
        elif not _is_clutter(entry.name, ending):
            strays[path] = _why(ending)
    return images, strays


def unlabelled_in(folder: Path) -> Mapping[ImageFile, str]:
    """Return the images that lie next to the classes' folders, each with the reason."""
    lost = (e for e in _entries(folder) if is_image_like(e.name) and not _is_folder(e))
    names = sorted(entry.name for entry in lost)
    return {folder / name: "it lies in no class's folder" for name in names}


def _inner_folder(path: Path) -> dict[ImageFile, str]:
    if is_clutter_folder(path.name) or not any(_entries(path)):
        return {}
    return {path: "a folder inside a class's folder, whose images belong directly into the latter"}


def _is_clutter(name: str, ending: str) -> bool:
    return name.startswith(".") or ending in _NOTES or name.lower() in _CLUTTER


def _why(ending: str) -> str:
    found = f"its name ends in {ending}" if ending else "its name has no ending"
    return f"{found}, expected JPEG, PNG or WebP (.jpg, .jpeg, .jfif, .jpe, .png, .webp)"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link to itself
        return entry.is_dir()
    return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return entry.is_file()
    return False


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read ({error.strerror}); check its permissions"
        ) from error
