"""glibc's allocator, told to keep what is freed, so that a forward needs no new pages.

By default every buffer above 32 MiB, and most above 128 KiB, is returned to the system and faulted
in again, page by page, at the next layer: a quarter of a forward's time on a CPU.
"""

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_MAX: Final = -4


def disable_malloc_trim() -> bool:
    """Change the allocator of this process for good; return whether it is one that we know.

    The process then keeps the memory of its largest forward, and reuses it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
    return all(mallopt(option, value) == 1 for option, value in settings.items())
