"""One row of the suite: what was broken, what was hoped for, what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """What one fault did.

    Attributes:
        fault: what was done to the service or the store.
        goal: what must hold meanwhile.
        figure: what was seen, with its numbers.
        must_be_0: counts of what may not happen even once.
        in_bounds: whether the measured times, rates and sizes keep the goal.
        conditions: under which it was seen: counts, durations, rates.
    """

    fault: str
    goal: str
    figure: str
    must_be_0: Mapping[str, int]
    in_bounds: bool = True
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the goal is reached."""
        return self.in_bounds and not any(self.must_be_0.values())

    def document(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row as the summary has it."""
        return {
            "fault": self.fault,
            "goal": self.goal,
            "figure": self.figure,
            "holds": self.holds,
            "conditions": {**self.conditions, "must_be_0": dict(self.must_be_0), **machine},
        }


def could_not_run(name: str, error: BaseException) -> Row:
    """Return the row of a fault that could not be tried."""
    reason = f"could not run: {type(error).__name__}: {error}"
    return Row(name, "it runs", reason.replace("\n", " ")[:500], {"did_not_run": 1})
