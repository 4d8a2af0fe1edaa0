"""Which images are meant by files, folders, patterns and whatever else a caller has in hand."""

import glob
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Any, Final, NamedTuple

from clients.images.content import Image, is_url, name_of

SUFFIXES: Final = (".jpeg", ".jpg", ".png", ".webp")
"""Of the files that are taken from folders, in any case."""


class Source(NamedTuple):
    """One image, and what people call it."""

    name: str
    image: Image


class Sources(NamedTuple):
    """Images in their order, each made when it is its turn; `total` is None where nobody knows."""

    images: Iterator[Source]
    total: int | None


def sources_of(images: Image | Iterable[Image]) -> Sources:
    """Return all images that are meant.

    Args:
        images: one, or some, such as an array `[N, H, W, 3]`; a folder means its images, sorted,
            with those of folders inside, and a pattern such as `photos/*.jpg` or
            `photos/**/*.png` the files that it fits.

    Raises:
        ValueError: a folder or a pattern means no image.
    """
    given: Iterable[Any] = images if _are_many(images) else [images]  # type: ignore[assignment]
    if not isinstance(given, Sized):
        return Sources(_named(_meant_by(given)), None)
    found = list(_meant_by(given))
    return Sources(_named(found), len(found))


def images_in(folder: Path) -> list[Path]:
    """Return the images of a folder and of those inside it, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _are_many(images: object) -> bool:
    """Return whether it is a list of images, and not one: pixels and files can be iterated, too."""
    if isinstance(images, str | bytes | bytearray | memoryview | Path):
        return False
    if len(getattr(images, "shape", ())) == 4:
        return True
    is_one = hasattr(images, "tobytes") or hasattr(images, "read")
    return isinstance(images, Iterable) and not is_one


def _named(images: Iterable[Image]) -> Iterator[Source]:
    return (Source(name_of(image, index), image) for index, image in enumerate(images))


def _meant_by(given: Iterable[Image]) -> Iterator[Image]:
    for one in given:
        if isinstance(one, str | Path) and not is_url(one):
            yield from _paths_of(str(one))
        else:
            yield one


def _paths_of(text: str) -> list[Image]:
    path, found = Path(text), list[Path]()
    if path.is_dir():
        found = images_in(path)
    elif path.exists() or not glob.has_magic(text):
        return [path]  # one that is not there is told when its turn comes
    else:
        # Path's own glob takes no absolute pattern
        found = sorted(map(Path, glob.iglob(text, recursive=True)))  # noqa: PTH207
    if not found:
        raise ValueError(f"{text}: expected JPEG, PNG or WebP images, found none")
    return [one for one in found if one.is_file()]
