"""A store that does not fail but hangs: what is known goes on, with Redis and without."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from clients.client import Client
from tests.faults.row import Row
from tests.faults.scene.changes import Changes
from tests.faults.scene.scene import Scene
from tests.faults.scene.trials import Fault, try_all
from tests.faults.scene.versions import TASKS
from tests.faults.sizes import Sizes

_PHASES: Final = 2
"""Longer than a pointer is trusted without a look."""


def _hang(scene: Scene) -> None:
    scene.hang_store(True)


def _hang_alone(scene: Scene) -> None:
    scene.proxy.swallows()
    scene.hang_store(True)


FAULTS: Final[Mapping[str, Callable[[Scene], None]]] = {
    "while Redis answers": _hang,
    "while Redis is black-holed": _hang_alone,
}


def run(scene: Scene, sizes: Sizes) -> Row:
    """Let it hang while all tasks are asked; after it, see a publish."""
    with scene.client() as client:
        mends = partial(_mend, scene, client)
        faults = {name: Fault(partial(hangs, scene), mends) for name, hangs in FAULTS.items()}
        noticed = try_all(scene, sizes, faults, phases=_PHASES)
    return noticed.row(scene, "a store that hangs under load")


def _mend(scene: Scene, client: Client) -> float:
    """Let everything answer again; return the seconds until a task's next version does."""
    scene.hang_store(False)
    scene.proxy.passes()
    return Changes(scene, client).change(TASKS[0])
