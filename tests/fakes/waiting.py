"""Wait for what must happen, and say what did not."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(what: str, condition: Callable[[], T], *, timeout_s: float = 300.0) -> T:
    """Return the condition's value once it is true; fail naming `what` if it never is.

    Args:
        what: is waited for.
        condition: asked fifty times a second, and ten times once that took a second: a question
            to a service that begins takes the processor that it begins on.
        timeout_s: patient with the busiest machine; less only where `what` must come so soon.
    """
    began = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - began
        if waited > timeout_s:
            raise AssertionError(f"waited {timeout_s:g} s in vain until {what}")
        time.sleep(0.02 if waited < 1 else 0.1)
    return found
