"""Work that lets others go first: a publisher next to a service takes only what is left.

Linux shares a processor between sessions before it looks at processes (`sched(7)`, autogroup), so a
process that leads its session lowers that as well. One that a shell started leads none, and leaves
the shell's alone.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NICENESS: Final = 10
"""A tenth of the share of a process at 0, where both want one core."""

_AUTOGROUP: Final = Path("/proc/self/autogroup")


def give_way() -> None:
    """Let every process at the usual priority go before this one, from now on."""
    with suppress(OSError):
        os.nice(max(0, NICENESS - os.nice(0)))
    if os.getsid(0) == os.getpid() and _AUTOGROUP.exists():
        with suppress(OSError):
            _AUTOGROUP.write_text(str(NICENESS), encoding="utf-8")
