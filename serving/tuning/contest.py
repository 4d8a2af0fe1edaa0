"""Backends of one trunk, timed in turns on mixed rows, and which of them is worth choosing.

Prompts are zeros: what they are does not change how long a forward takes.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from pydantic import ValidationError

from adapters.errors import SptError
from adapters.vit.backbone import Backbone
from serving.build_backend import build_backend
from serving.config import ServingConfig
from serving.inference.core import usual_example
from serving.trunk.backend import Backend
from serving.trunk.graphs import blank_rows
from serving.tuning.choice import Measured

ROWS: Final = 16
LEAST_ROUNDS: Final = 3
WORTH: Final = 1.03
"""Times the throughput of a simpler backend, or the simpler one is kept."""

_TOLD_EVERY_S: Final = 10.0

LONGEST_START_S: Final = 300.0
"""Half of what `spt serve` waits for a service."""


class Ready(NamedTuple):
    """A backend that is warm, and what that took."""

    backend: Backend
    start_s: float


def candidates(export: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of every backend by a name, the simplest first."""
    return {
        "eager": {"backend": "torch", "compile": False, "onnx": None},
        "openvino": {"backend": "openvino", "compile": False, "onnx": export},
        "onnx": {"backend": "onnx", "compile": False, "onnx": export},
        "compiled": {"backend": "torch", "compile": True, "onnx": None},
    }


def prepare(
    backbone: Backbone, precision: str, export: Path, told: Callable[[str], None]
) -> Iterator[tuple[str, Ready]]:
    """Yield every backend that can run here, warm.

    Args:
        backbone: float32, on the CPU.
        precision: to compute in, float32 or bfloat16.
        export: folder that `spt export` wrote; it may be missing.
        told: gets a line about each one.
    """
    for name, settings in candidates(export).items():
        start = time.perf_counter()
        try:
            config = ServingConfig(precision=precision, max_batch=ROWS, **settings)
            backend = build_backend(config, backbone)
        except (SptError, ValidationError) as error:
            told(f"{name}: left out: {_first_words(error)}")
            continue
        told(f"{name}: warming up")
        backend.warm_up([usual_example(backbone.spec)])
        yield name, Ready(backend, time.perf_counter() - start)


def measure(
    ready: Mapping[str, Ready], seconds: float, told: Callable[[str], None]
) -> dict[str, Measured]:
    """Time forwards of 16 rows of as many tasks.

    Args:
        ready: by name, `eager` among them.
        seconds: of all turns together; three rounds at least.
        told: gets a line now and then.
    """
    calls = {name: _forward(one.backend) for name, one in ready.items()}
    times = _in_turns(calls, seconds, told)
    found = {}
    for name, own in times.items():
        ratios = [theirs / ours for theirs, ours in zip(times["eager"], own, strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
        found[name] = Measured(
            images_per_s=ROWS / statistics.median(own),
            ratio=ratio,
            low=low,
            high=high,
            start_s=ready[name].start_s,
        )
    return found


def choose(measured: Mapping[str, Measured]) -> tuple[str, str]:
    """Return the name of the backend to serve with, and why it is that one.

    Args:
        measured: by name, the simplest first.
    """
    best = next(iter(measured))
    slow = ""
    for name, found in measured.items():
        if found.ratio < WORTH * measured[best].ratio:
            continue
        if found.start_s > LONGEST_START_S:
            slow = f"; {name} takes {found.start_s:.0f} s to start, which is too long to wait for"
        elif name != best:
            best = name
    found = measured[best]
    return best, (
        f"{best} has {found.ratio:.2f} times the throughput of eager "
        f"({found.low:.2f} to {found.high:.2f}) and takes {found.start_s:.0f} s to start{slow}"
    )


def _forward(backend: Backend) -> Callable[[], object]:
    form, num_prompts = usual_example(backend.backbone.spec)
    rows = blank_rows(backend.backbone, form, ROWS, num_prompts, backend.key_alignment)
    return lambda: backend.features(form, *rows)


@torch.inference_mode()
def _in_turns(
    calls: Mapping[str, Callable[[], object]], seconds: float, told: Callable[[str], None]
) -> dict[str, list[float]]:
    """Return the durations of each call, once per round, after one that is not counted."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    begin, rounds, tell_at_s = time.monotonic(), 0, 0.0
    while (age_s := time.monotonic() - begin) < seconds or rounds < LEAST_ROUNDS:
        if age_s >= tell_at_s:
            told(f"timing {', '.join(calls)} in turns: {age_s:.0f} of {seconds:.0f} s")
            tell_at_s = age_s + _TOLD_EVERY_S
        for name in _order(list(calls), rounds):
            start = time.perf_counter()
            calls[name]()
            times[name].append(time.perf_counter() - start)
        rounds += 1
    return times


def _order(names: Sequence[str], number: int) -> Sequence[str]:
    """Return who goes first in a round: each other round the other way around."""
    return names if number % 2 else names[::-1]


def _first_words(error: Exception) -> str:
    """Return what an error says, in one line."""
    if isinstance(error, ValidationError):
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return str(error).splitlines()[0]
