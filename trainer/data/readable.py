"""Which image files cannot be read, looked at in parallel."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from adapters.errors import BadImage
from adapters.vit.pixels import FORMATS, decode_image

Look = Callable[[Path], str | None]
"""Says why a file cannot be read; None when it can."""

_TOGETHER = 256
"""Files per piece of work: a million of them must not wait in a queue one by one."""


def unreadable(paths: Sequence[Path], look: Look) -> list[tuple[Path, str]]:
    """Return the files that cannot be read, each with the reason, in the order of `paths`."""
    pieces = [paths[i : i + _TOGETHER] for i in range(0, len(paths), _TOGETHER)]
    with ThreadPoolExecutor() as pool:
        return list(chain.from_iterable(pool.map(partial(_unreadable, look=look), pieces)))


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


def _unreadable(paths: Sequence[Path], look: Look) -> list[tuple[Path, str]]:
    return [(path, why) for path in paths if (why := look(path)) is not None]
