"""The same image in two splits, found by the bytes: what was trained on must not score.

An image that was encoded anew has other bytes, and is not found.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trainer.data.images.image_file import ImageFile

_NAMED = 3
"""Copies that a message names."""


class Copy(NamedTuple):
    """An image with the bytes of one of an earlier split, by their names."""

    image: str
    split: str
    original: str
    original_split: str


def copies_between(
    splits: Mapping[str, Sequence[ImageFile]], digests: Mapping[str, Sequence[str]]
) -> list[Copy]:
    """Return every image whose bytes an earlier split has, too.

    Args:
        splits: the images of each, in the order train, val, test.
        digests: of each image's bytes, likewise.
    """
    seen: dict[str, tuple[ImageFile, str]] = {}
    copies = []
    for split, images in splits.items():
        own: dict[str, tuple[ImageFile, str]] = {}
        for image, digest in zip(images, digests[split], strict=True):
            if digest in seen:
                original, home = seen[digest]
                copies.append(Copy(str(image), split, str(original), home))
            own.setdefault(digest, (image, split))
        seen = own | seen
    return copies


def copies_told(copies: Sequence[Copy]) -> str:
    """Return a warning in one line; empty where there is nothing to warn of."""
    if not copies:
        return ""
    named = "; ".join(
        f"{copy.image} ({copy.split}) is {copy.original} ({copy.original_split})"
        for copy in copies[:_NAMED]
    )
    more = f"; and {len(copies) - _NAMED:,} more" if len(copies) > _NAMED else ""
    return (
        f"warning: {len(copies):,} images are in two splits, byte for byte, so that scores may be "
        f"too good: {named}{more}"
    )
