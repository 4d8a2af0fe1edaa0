"""Wait for what must happen, and say what did not."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(what: str, condition: Callable[[], T], *, timeout_s: float = 300.0) -> T:
    """Return the condition's value once it is true; fail naming `what` if it never is.

    Args:
        what: is waited for.
        condition: asked fifty times a second.
        timeout_s: patient with the busiest machine; less only where `what` must come so soon.
    """
    give_up_at = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {timeout_s:g} s in vain until {what}")
        time.sleep(0.02)
    return found
