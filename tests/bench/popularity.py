"""Which tasks the rows of a batch ask for."""

import itertools
import random
from collections.abc import Callable

Draw = Callable[[], list[int]]
"""Returns the numbers of the tasks of the next batch."""

POPULARITIES = ("uniform", "zipf", "distinct")
ZIPF_EXPONENT = 1.1


def draws(popularity: str, tasks: int, rows: int) -> Draw:
    """Return where the tasks of batches come from; the same arguments give the same batches.

    Args:
        popularity: uniform; zipf, where the task of rank r is asked for in proportion to
            1 / r ** 1.1; or distinct, where all tasks take turns.
        tasks: to choose from.
        rows: of one batch.
    """
    if popularity == "distinct":
        turns = itertools.cycle(range(tasks))
        return lambda: list(itertools.islice(turns, rows))
    exponent = ZIPF_EXPONENT if popularity == "zipf" else 0.0
    cumulated = list(itertools.accumulate((rank + 1) ** -exponent for rank in range(tasks)))
    generator = random.Random(tasks)
    return lambda: generator.choices(range(tasks), cum_weights=cumulated, k=rows)
