"""Publishers that race: every one expects the version that all of them saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from adapters.errors import PublishConflict
from adapters.store.objects.opened import store_at
from adapters.store.record import Pointer
from tests.fakes.artifacts import make_artifact
from tests.fakes.crashes import PROCESSES

_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Round:
    """What became of one round.

    Attributes:
        seen: the pointer that every publisher expected.
        wins: the pointers of those that were told they had published; one is right.
    """

    seen: Pointer
    wins: Sequence[Pointer]


def race(root: Path, rounds: int, *, publishers: int = 2) -> list[Round]:
    """Have processes publish to one task of a store at once, again and again.

    Args:
        root: of the store, where the task "pets" is published.
        rounds: in each one every publisher brings a version of its own.
        publishers: how many processes.
    """
    start = PROCESSES.Barrier(publishers)
    pipes = [PROCESSES.Pipe(duplex=False) for _ in range(publishers)]
    processes = []
    for i, (_, told) in enumerate(pipes, start=1):
        seeds = range(i, i + rounds * publishers, publishers)
        processes.append(PROCESSES.Process(target=_publish, args=(root, seeds, start, told)))
    for process in processes:
        process.start()
    for _, told in pipes:
        told.close()
    told_by_each = [heard.recv() for heard, _ in pipes]
    for process in processes:
        process.join()
    return [
        Round(answers[0][0], [pointer for _, pointer in answers if pointer is not None])
        for answers in zip(*told_by_each, strict=True)
    ]


def lost_updates(rounds: Sequence[Round]) -> list[Round]:
    """Return the rounds in which not exactly one publisher took the place of what all saw."""
    return [one for one in rounds if [won.sequence for won in one.wins] != [one.seen.sequence + 1]]


def _publish(root: Path, seeds: Sequence[int], start: Barrier, told: Connection) -> None:
    store = store_at(root)
    answers: list[tuple[Pointer, Pointer | None]] = []
    for seed in seeds:
        data = make_artifact(seed=seed)
        start.wait(_PATIENCE_S)
        seen = store.current("pets")
        start.wait(_PATIENCE_S)
        try:
            answers.append((seen, store.publish(data, expected=seen.version)))
        except PublishConflict:
            answers.append((seen, None))
    told.send(answers)
