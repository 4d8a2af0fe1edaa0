"""Forwards of the same pixels, timed in turns, and what a result keeps of the times."""

import statistics
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from tests.bench.measure import Seconds, in_turns, speed_ratio
from tests.bench.peers import Forward


@torch.inference_mode()
def timed(
    candidates: Mapping[str, Forward],
    pixels: torch.Tensor,
    rounds: tuple[int, int],
    budget_s: float,
) -> Seconds:
    """Time every candidate on the same pixels.

    Args:
        candidates: by name.
        pixels: normalised images on the CPU.
        rounds: at least and at most.
        budget_s: decides how many in between.
    """

    def whole(forward: Forward) -> None:
        forward(pixels)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    calls = {name: partial(whole, forward) for name, forward in candidates.items()}
    round_s = sum(first[0] for first in in_turns(calls, rounds=1, warm_up=0).values())
    least, most = rounds
    return in_turns(calls, min(max(int(budget_s / round_s), least), most), warm_up=0)


def rows_of(conditions: Mapping[str, Any], batch: int, seconds: Seconds) -> list[dict[str, Any]]:
    """Return one row of a result per candidate, compared with the candidate `plain`."""
    rows = []
    for candidate, times in seconds.items():
        over_plain = speed_ratio(seconds, candidate, "plain")
        rows.append(
            {
                **conditions,
                "batch": batch,
                "candidate": candidate,
                "images_per_s": batch / statistics.median(times),
                "over_plain": over_plain.median,
                "low": over_plain.low,
                "high": over_plain.high,
                "rounds": len(times),
            }
        )
    return rows
