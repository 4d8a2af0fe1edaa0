"""Where an export goes: a folder of its own, in which nothing is written over."""

import errno
from pathlib import Path

from adapters.artifact.codec import version_of
from adapters.artifact.meta import AdapterMeta


def empty_folder(folder: Path) -> Path:
    """Return the folder, made if it is not there.

    Raises:
        OSError: it cannot be made, or holds files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(
            errno.EEXIST, "the folder is not empty; choose another --out", str(folder)
        )
    return folder


def read_me(meta: AdapterMeta, data: bytes, usage: str) -> str:
    """Return the adapter's card, or a few true words in its place, and how to use the export."""
    card = meta.card or (
        f"# {meta.task.id}\n\nAn adapter of {len(meta.task.class_names):,} classes, method "
        f"{meta.method}. It carries no card, so nothing is said of its data and licence.\n"
    )
    return (
        f"{card}\n## How to use it\n\n{usage}\n\n"
        f"Exported from version `{version_of(data)}` for backbone {meta.backbone.name}, whose "
        f"tensors have the digest `{meta.backbone.weights_sha256}`.\n"
    )
