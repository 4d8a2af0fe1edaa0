"""How much the demo does: which tasks, how long each is trained, how many requests are sent.

Knows no process and no result.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

Method = Literal["linear", "spt-deep"]
METHODS: Final[tuple[Method, Method]] = ("linear", "spt-deep")


@dataclass(frozen=True)
class TaskPlan:
    """One built-in task and how long each method trains on it; None leaves it to the recipe.

    Attributes:
        epochs: of prompts and head together.
        probe_epochs: of a head alone; cheap, its features are computed once.
    """

    task: str
    epochs: int | None = None
    probe_epochs: int | None = 50

    def settings(self, method: Method) -> list[str]:
        """Return what one method's training is told beyond its recipe."""
        epochs = self.probe_epochs if method == "linear" else self.epochs
        if epochs is None:
            return []
        return [f"optim.epochs={epochs}", f"optim.warmup_epochs={epochs // 10}"]


TASKS: Final = (
    TaskPlan("digits"),
    TaskPlan("shapes"),
    TaskPlan("counting"),
)


@dataclass(frozen=True)
class Plan:
    """Everything that decides one demo.

    Attributes:
        out: the demo's own folder.
        command: what a person types to do the same again.
        swapped: the task that is served by its linear probe first and by its prompts later.
        requests: sent before the swap begins.
        swap_requests: sent at least while the swap goes on.
        after_swap: answers of the new version to wait for before the traffic ends.
        takeover_limit_s: longest wait for the first of them.
    """

    out: Path
    command: str
    tasks: tuple[TaskPlan, ...] = TASKS
    swapped: str = "digits"
    seed: int = 0
    concurrency: int = 32
    requests: int = 600
    swap_requests: int = 400
    after_swap: int = 60
    takeover_limit_s: float = 60.0

    @property
    def store(self) -> Path:
        """Where the demo publishes."""
        return self.out / "store"

    @property
    def service(self) -> Path:
        """Where the service keeps its logs."""
        return self.out / "serve"

    def training(self, task: str, method: Method) -> Path:
        """Return the run folder of one training."""
        return self.out / "train" / f"{task}-{method}"


def make_plan(out: Path, *, quick: bool) -> Plan:
    """Return the full plan, or one that only shows that everything works.

    Args:
        out: the demo's own folder.
        quick: one epoch a task and a few requests.
    """
    command = f"python -m clients demo --out {out}" + (" --quick" if quick else "")
    plan = Plan(out=out, command=command)
    if not quick:
        return plan
    tasks = tuple(replace(task, epochs=1, probe_epochs=5) for task in TASKS)
    return replace(plan, tasks=tasks, concurrency=12, requests=60, swap_requests=60, after_swap=20)
