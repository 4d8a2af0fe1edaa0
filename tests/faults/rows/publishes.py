"""Publishes, canaries, promotions and rollbacks under load: nothing fails, nothing is mixed."""

from typing import Final

from tests.faults.row import Row
from tests.faults.scene.changes import Changes
from tests.faults.scene.load import steady
from tests.faults.scene.percentile import percentile
from tests.faults.scene.scene import Scene
from tests.faults.scene.versions import TASKS
from tests.faults.sizes import Sizes

VISIBLE_S: Final = 1.0
"""The goal for 99 of 100 changes."""


def run(scene: Scene, sizes: Sizes) -> Row:
    """Change tasks in turn while all are asked; compare every answer with what it must be."""
    before = scene.processes()
    with scene.client() as client, steady(scene, sizes.rate_per_s) as load:
        load.wait_for_more(len(TASKS))
        changes = Changes(scene, client)
        tasks = TASKS[: sizes.changes // Changes.KINDS]
        visible_s = [changes.change(tasks[i % len(tasks)]) for i in range(sizes.changes)]
        load.wait_for_more(len(TASKS))
    said = [*load.said(), *changes.probes]
    wrong_version = sum(
        not changes.may_say(one, load.sent_at(outcome), load.done_at(outcome))
        for one, outcome in zip(load.said(), load.answered(), strict=True)
    )
    wrong = len(scene.truth.wrong(said))
    after = scene.processes()
    must_be_0 = {
        "failed": len(load.failed()),
        "processes started again": sum(before[name] != after[name] for name in before),
        "answers that are not their version's": wrong,
        "answers of a version whose time was over or had not come": wrong_version,
    }
    p50, p99 = (percentile(visible_s, fraction) for fraction in (0.5, 0.99))
    return Row(
        fault=f"{sizes.changes:,} publishes, canaries, promotions and rollbacks over "
        f"{len(tasks)} tasks under load",
        goal="0 failed, 0 mixed or wrong answers, visible within 1 s at p99",
        figure=f"{len(load.outcomes):,} requests and {len(changes.probes):,} probes: "
        f"{must_be_0['failed']} failed, {wrong + wrong_version} mixed or wrong; "
        f"visible after {p50:.3f} s at p50, {p99:.3f} s at p99, {max(visible_s):.3f} s "
        "at most",
        must_be_0=must_be_0,
        in_bounds=p99 <= VISIBLE_S,
        conditions={
            "changes": sizes.changes,
            "requests_per_s": sizes.rate_per_s,
            "failures": load.errors(),
            "service_hears_publishes": scene.hears_publishes(),
        },
    )
