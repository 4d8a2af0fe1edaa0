"""Write a built-in task as real PNG files in the VTAB-1k layout, once.

The folder appears whole or not at all: it is written next to its place and renamed.
"""

import shutil
import tempfile
from pathlib import Path

from trainer.data.builtin.catalogue import BUILTIN
from trainer.data.builtin.rendering import Builtin, Sizes
from trainer.data.readers.vtab import CLASSES, FOLDERS, LISTS
from trainer.errors import DataError

STAMP = "drawn.txt"


def materialise(name: str, root: Path, sizes: Sizes | None = None) -> Path:
    """Return the folder of a built-in task, drawing it when it is absent or out of date.

    Args:
        name: a key of `BUILTIN`.
        root: the folder is `root/<name>`.
        sizes: number of images per split; None means the task's own.

    Raises:
        DataError: the folder is somebody else's, or cannot be written.
    """
    task = BUILTIN[name]
    sizes = sizes or task.sizes
    folder = root / name
    stamp = f"{name} version {task.version}: {sizes.train}, {sizes.val}, {sizes.test} images\n"
    try:
        if not _is_current(folder, stamp):
            _draw(folder, task, sizes, stamp)
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: {error.strerror or error}; {name}'s images are "
            f"drawn into {folder} once: run the command in a folder that this user may write to"
        ) from error
    return folder


def _draw(folder: Path, task: Builtin, sizes: Sizes, stamp: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        draft.chmod(0o755)
        _write(draft, task, sizes)
        (draft / STAMP).write_text(stamp, encoding="utf-8")
        _move_into_place(draft, folder, stamp)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_current(folder: Path, stamp: str) -> bool:
    path = folder / STAMP
    return path.is_file() and path.read_text(encoding="utf-8") == stamp


def _write(folder: Path, task: Builtin, sizes: Sizes) -> None:
    for images in FOLDERS.values():
        (folder / "images" / images).mkdir(parents=True)
    lines: dict[str, list[str]] = {split: [] for split in LISTS}
    for split, label, image in task.render(sizes):
        path = f"images/{FOLDERS[split]}/{len(lines[split]):06d}.png"
        image.save(folder / path)
        lines[split].append(f"{path} {label}\n")
    for split, rows in lines.items():
        (folder / LISTS[split]).write_text("".join(rows), encoding="utf-8")
    (folder / CLASSES).write_text("".join(f"{n}\n" for n in task.class_names), encoding="utf-8")


def _move_into_place(draft: Path, folder: Path, stamp: str) -> None:
    """Rename; when another process was faster with the same images, keep what it made."""
    if folder.exists():
        _remove_outdated(folder, draft.with_name(f"{draft.name}-outdated"))
    try:
        draft.rename(folder)
    except OSError:
        if not _is_current(folder, stamp):
            raise


def _remove_outdated(folder: Path, aside: Path) -> None:
    if not (folder / STAMP).is_file():
        raise DataError(
            f"{folder}: expected a built-in task's images with {STAMP}, found something else; "
            "move it away, this folder is written by the program"
        )
    folder.rename(aside)
    shutil.rmtree(aside)
