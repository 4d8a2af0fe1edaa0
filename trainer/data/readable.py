"""Many image files looked at in parallel: which cannot be read, and what their bytes are."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from adapters.errors import BadImage
from adapters.images.decode import FORMATS, decode_image

_Found = TypeVar("_Found")
Look = Callable[[Path], str | None]
"""Says why a file cannot be read; None when it can."""

_TOGETHER = 256
"""Files per piece of work: a million of them must not wait in a queue one by one."""


def unreadable(paths: Sequence[Path], look: Look) -> list[tuple[Path, str]]:
    """Return the files that cannot be read, each with the reason, in the order of `paths`."""
    faults = zip(paths, _look_at_all(paths, look), strict=True)
    return [(path, why) for path, why in faults if why is not None]


def content_digests(paths: Sequence[Path]) -> list[str]:
    """Return the sha256 of each file's bytes, in hex."""
    return _look_at_all(paths, lambda path: hashlib.sha256(path.read_bytes()).hexdigest())


def decoding_fault(path: Path) -> str | None:
    """Decode the whole image, as training and serving will."""
    try:
        decode_image(path.read_bytes())
    except (BadImage, OSError) as error:
        return str(error)
    return None


def header_fault(path: Path) -> str | None:
    """Read the header only: much faster, and blind to what is damaged behind it."""
    try:
        if path.stat().st_size == 0:
            return "the file is empty"
        with Image.open(path, formats=FORMATS):
            return None
    except UnidentifiedImageError:
        return "the header is not that of a JPEG, PNG or WebP"
    except Exception as error:  # Pillow raises nearly anything on damaged headers
        return f"the header cannot be read ({error})"


def _look_at_all(paths: Sequence[Path], look: Callable[[Path], _Found]) -> list[_Found]:
    pieces = [paths[i : i + _TOGETHER] for i in range(0, len(paths), _TOGETHER)]
    with ThreadPoolExecutor() as pool:
        return list(chain.from_iterable(pool.map(lambda piece: [*map(look, piece)], pieces)))
