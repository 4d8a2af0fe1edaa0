"""Changes whose publishers do not hear of their success and ask again: each is made once."""

from collections import Counter
from itertools import count, islice
from typing import Final

from adapters.store.log import Change
from tests.faults.row import Row
from tests.faults.scene.changes import Changes
from tests.faults.scene.scene import Scene
from tests.faults.scene.trials import Fault, another_process, try_all
from tests.faults.scene.versions import TASKS, artifact_of
from tests.faults.sizes import Sizes
from tests.faults.strangers.retrying import Asked, Told, What, ask_twice

_PUBLISHERS: Final = 2
_RATE_PER_S: Final = 10.0
_CHANGED: Final = TASKS[:4]
_KINDS: Final[tuple[What, ...]] = (
    *("publish", "canary", "promote", "rollback", "canary", "end canary"),
)
_NUMBERS: Final = count(200_000)
"""Of versions that are nobody else's."""


def run(scene: Scene, sizes: Sizes) -> Row:
    """Have publishers ask for the same changes side by side, while all tasks are asked."""
    in_a_phase = round(_RATE_PER_S * sizes.phase_s)
    asked = _changes(scene, sizes.pairs * in_a_phase)
    left = iter(asked)
    told = list[tuple[Asked, Told]]()
    store, url = scene.source.store, scene.running.redis_url or ""
    with another_process(ask_twice, _PUBLISHERS) as pool, scene.client() as client:

        def ask() -> None:
            some = list(islice(left, in_a_phase))
            jobs = [
                pool.submit(ask_twice, store.root, url, some, _RATE_PER_S)
                for _ in range(_PUBLISHERS)
            ]
            for job in jobs:
                for one, words in zip(some, job.result(), strict=True):
                    told.extend((one, word) for word in words)

        fault = Fault(ask, lambda: Changes(scene, client).change(TASKS[-1]))
        noticed = try_all(scene, sizes, {"during it": fault})
    logged = Counter(entry.change for task in _CHANGED for entry in store.log(task))
    return noticed.row(
        scene,
        f"{len(asked)} changes, each asked for by {_PUBLISHERS} publishers, and by both again "
        "after the next one",
        seen=f"{sum(logged[one.change.id] for one in asked)} made; ",
        must_be_0={
            "changes that were not made once": sum(logged[one.change.id] != 1 for one in asked),
            "publishers who were told otherwise": sum(
                word != (one.change.expected_sequence or 0) + 1 for one, word in told
            ),
        },
        conditions={"changes_per_s": _RATE_PER_S},
    )


def _changes(scene: Scene, number: int) -> list[Asked]:
    """Return so many changes of some tasks in turn, each expecting the one before it."""
    asked = []
    for i in range(number):
        task, place = _CHANGED[i % len(_CHANGED)], i // len(_CHANGED)
        version = next(_NUMBERS)
        sequence = scene.source.store.current(task).sequence + place
        change = Change(id=f"change {version}", expected_sequence=sequence)
        what = _KINDS[place % len(_KINDS)]
        asked.append(Asked(what, task, artifact_of(task, version, scene.spec), change))
    return asked
