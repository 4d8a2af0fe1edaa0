"""Forwards of the same pixels, timed in turns, and what a result keeps of the times."""

import statistics
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import torch

from tests.bench.device_time import IN_FLIGHT, REPEATS, device_in_turns
from tests.bench.measure import Seconds, in_turns, speed_ratio
from tests.bench.peers import Forward

SOON_S = 5.0
"""Settings that take longer, all together, are chosen by one run of each."""


@torch.inference_mode()
def timed(
    candidates: Mapping[str, Forward],
    pixels: torch.Tensor,
    rounds: tuple[int, int],
    budget_s: float,
) -> Seconds:
    """Time every candidate on the same resident pixels: the device's time, by events on CUDA.

    Args:
        candidates: by name.
        pixels: normalised images on the CPU.
        rounds: at least and at most.
        budget_s: decides how many in between.
    """
    on_cuda = torch.cuda.is_available()
    calls = _calls(candidates, pixels.cuda() if on_cuda else pixels)
    in_turn = partial(device_in_turns if on_cuda else in_turns, calls, warm_up=0)
    round_s = sum(first[0] for first in in_turn(rounds=1).values()) * (REPEATS if on_cuda else 1)
    least, most = rounds
    return in_turn(rounds=min(max(int(budget_s / round_s), least), most))


@torch.inference_mode()
def fastest(settings: Mapping[str, Forward], pixels: torch.Tensor) -> str:
    """Return the name of the setting that computes these pixels soonest."""
    if len(settings) == 1:
        return next(iter(settings))
    calls = _calls(settings, pixels)
    seconds = in_turns(calls, rounds=1, warm_up=0)
    if sum(taken[0] for taken in seconds.values()) < SOON_S:
        seconds = in_turns(calls, rounds=5, warm_up=0)
    return best_of(seconds, settings)


@torch.inference_mode()
def pipelined(
    candidates: Mapping[str, Forward], pixels: torch.Tensor, batches: int, rounds: int
) -> Seconds:
    """Return seconds per batch, on the CPU, where `IN_FLIGHT` batches are asked at the same time.

    Args:
        candidates: by name; threads call them.
        pixels: of every batch.
        batches: of one turn.
        rounds: of turns.
    """
    with ThreadPoolExecutor(IN_FLIGHT) as pool:

        def whole(forward: Forward) -> None:
            list(pool.map(partial(_without_gradients, forward), [pixels] * batches))

        calls = {name: partial(whole, forward) for name, forward in candidates.items()}
        seconds = in_turns(calls, rounds, warm_up=1)
    return {name: [taken / batches for taken in times] for name, times in seconds.items()}


@torch.inference_mode()
def _without_gradients(forward: Forward, pixels: torch.Tensor) -> torch.Tensor:
    return forward(pixels)


def _calls(
    candidates: Mapping[str, Forward], pixels: torch.Tensor
) -> dict[str, Callable[[], object]]:
    return {name: partial(forward, pixels) for name, forward in candidates.items()}


def best_of(seconds: Seconds, names: Collection[str]) -> str:
    """Return which of the candidates has the shortest median."""
    return min(names, key=lambda name: statistics.median(seconds[name]))


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
