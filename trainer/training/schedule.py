"""Learning rate over the steps of a run."""

import math

FLOOR = 1e-8
"""Where the cosine ends (paper 4.1)."""


def learning_rate(step: int, *, peak: float, warmup_steps: int, total_steps: int) -> float:
    """Linear warm-up from 0 to `peak`, then half a cosine down to `FLOOR`.

    Args:
        step: index of the step about to be made, from 0.
        peak: the highest rate, reached at `warmup_steps`.
        warmup_steps: steps of linear growth; 0 starts at the peak.
        total_steps: steps of the whole run; the last one is made at about `FLOOR`.
    """
    if step < warmup_steps:
        return peak * step / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - 1 - warmup_steps)
    return FLOOR + (peak - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
