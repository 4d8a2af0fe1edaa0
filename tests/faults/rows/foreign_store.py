"""A developer's store on the same Redis, with tasks of the same names: no answer comes from it."""

from typing import Final

from adapters.artifact.codec import version_of
from tests.faults.row import Row
from tests.faults.scene.changes import Changes
from tests.faults.scene.scene import Scene
from tests.faults.scene.trials import Fault, another_process, try_all
from tests.faults.scene.versions import TASKS, artifact_of
from tests.faults.sizes import Sizes
from tests.faults.strangers.developer import develop

_RATE_PER_S: Final = 10.0
_NUMBERS: Final = (100_001, 100_002)
"""Of versions that are nobody else's."""


def run(scene: Scene, sizes: Sizes) -> Row:
    """Publish there while all tasks are asked; then see a publish of the service's own store."""
    theirs = [artifact_of(task, number, scene.spec) for number in _NUMBERS for task in TASKS]
    folder, url = scene.service.folder.parent / "developer", scene.running.redis_url or ""
    published = list[int]()
    with another_process(develop) as pool, scene.client() as client:

        def publish() -> None:
            job = pool.submit(develop, folder, url, theirs, _RATE_PER_S, sizes.phase_s)
            published.append(job.result())

        fault = Fault(publish, lambda: Changes(scene, client).change(TASKS[0]))
        noticed = try_all(scene, sizes, {"during it": fault})
    versions = set(map(version_of, theirs))
    return noticed.row(
        scene,
        f"{sum(published):,} publishes to another store on the same Redis, to tasks of the same "
        "names",
        must_be_0={
            "answers of the other store's versions": sum(
                one.answer.version in versions for one in noticed.load.said()
            )
        },
        conditions={"publishes_per_s": _RATE_PER_S},
    )
