"""glibc's allocator, told to keep what is freed, so that a forward needs no new pages.

By default every buffer above 32 MiB, and most above 128 KiB, is returned to the system and faulted
in again, page by page, at the next layer: a quarter of a forward's time on a CPU. For a process
that decodes it is a sixth of an image's.
"""

import ctypes
import sys
from typing import Any, Final

_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_MAX: Final = -4


def disable_malloc_trim() -> bool:
    """Change the allocator of this process for good; return whether it is one that we know.

    The process then keeps the memory of its largest forward, and reuses it.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
    return all(mallopt(option, value) == 1 for option, value in settings.items())


def trim_malloc() -> bool:
    """Return to the system what is free now, after a peak; return whether anything was."""
    trim = _of_glibc("malloc_trim")
    return trim is not None and trim(0) == 1


def _of_glibc(name: str) -> Any:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
