"""A number for each image and each canary: which of them it answers, on every machine alike."""

from hashlib import blake2b, sha256
from typing import Final

_BYTES: Final = 6


class DigestWanted(Exception):
    """A canary may answer, and the image is in another process, which has not told its digest."""


def digest_of(image: bytes) -> bytes:
    """Return what a draw needs of an image; takes a millisecond for a megabyte."""
    return blake2b(image).digest()


def draw(digest: bytes, salt: str) -> float:
    """Return a number in [0, 1) that depends on an image and the salt alone.

    Args:
        digest: of the image.
        salt: differs from canary to canary, so that no image is every canary's.
    """
    return int.from_bytes(sha256(digest + salt.encode()).digest()[:_BYTES]) / 256**_BYTES
