"""What others notice of faults that come and go: how slow they are during each, and after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clients.load.closed import Outcome
from tests.faults.row import Row
from tests.faults.scene.load import Load
from tests.faults.scene.percentile import latency_ms
from tests.faults.scene.scene import Scene
from tests.faults.sizes import Sizes

SLOWER: Final = 1.5
RECOVERY_S: Final = 5.0
"""The goals: of the others' p99 during a fault over that before it, and of the way back."""

UNNOTICED: Final = (
    f"0 of the others' requests failed, their p99 at most {SLOWER} times what it was before, as "
    f"before within {RECOVERY_S:g} s"
)

SLOW_S: Final = 1.0
"""An answer that takes longer is none as before."""


@dataclass(frozen=True)
class Trial:
    """One time that a fault came; times are seconds of `time.perf_counter`.

    Attributes:
        began: when the phase before it did.
        broken: when the fault began.
        mended: when it ended.
        recovery_s: from then until what was broken was seen to work again.
    """

    began: float
    broken: float
    mended: float
    recovery_s: float


@dataclass(frozen=True)
class Noticed:
    """What the others noticed, whose load has ended.

    Attributes:
        load: theirs.
        trials: by the fault's name.
        sizes: of the trials.
    """

    load: Load
    trials: Mapping[str, Sequence[Trial]]
    sizes: Sizes

    @property
    def before_ms(self) -> float:
        """The p99 in the phases before all faults together."""
        every = [one for some in self.trials.values() for one in some]
        return latency_ms(self._before(every), 0.99)

    def ratios(self) -> dict[str, float]:
        """Return the p99 during each fault over that before all."""
        before_ms, all_during = self.before_ms, self.trials.items()
        return {name: latency_ms(self._during(some), 0.99) / before_ms for name, some in all_during}

    def recoveries_s(self) -> dict[str, float]:
        """Return the longest way back from each fault: of what was broken, and of the others."""
        return {
            name: max(max(one.recovery_s, recovery_s(self.load, one.mended)) for one in some)
            for name, some in self.trials.items()
        }

    def longest_s(self) -> dict[str, float]:
        """Return the longest that anyone waited during each fault."""
        return {
            name: round(max((one.latency_s for one in self._during(some)), default=0.0), 2)
            for name, some in self.trials.items()
        }

    def row(
        self,
        scene: Scene,
        fault: str,
        *,
        seen: str = "",
        must_be_0: Mapping[str, int] | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> Row:
        """Return the row of faults that nobody else may notice.

        Args:
            scene: knows what must be answered.
            fault: what was done.
            seen: what else was, as the figure begins.
            must_be_0: counts of what else may not happen.
            conditions: further ones.
        """
        load, ratios, back_s = self.load, self.ratios(), self.recoveries_s()
        failed = len(load.failed())
        noticed = "; ".join(
            f"{name}: p99 x {ratio:.2f}, as before after {back_s[name]:.1f} s"
            for name, ratio in ratios.items()
        )
        return Row(
            fault=fault,
            goal=UNNOTICED,
            figure=f"{seen}others: {failed} of {len(load.outcomes):,} failed; {noticed}",
            must_be_0={
                "failed": failed,
                "answers that are not their version's": len(scene.truth.wrong(load.said())),
                **(must_be_0 or {}),
            },
            in_bounds=max(ratios.values()) <= SLOWER and max(back_s.values()) <= RECOVERY_S,
            conditions={
                "requests_per_s": self.sizes.rate_per_s,
                "pairs_of_each": self.sizes.pairs,
                "failures": load.errors(),
                "p99_ms_before_all": round(self.before_ms, 2),
                "p99_ms_before_and_during_each": {
                    name: [self._phases_ms(one) for one in some]
                    for name, some in self.trials.items()
                },
                "longest_s": self.longest_s(),
                **(conditions or {}),
            },
        )

    def _phases_ms(self, trial: Trial) -> list[float]:
        phases = self._before([trial]), self._during([trial])
        return [round(latency_ms(some, 0.99), 2) for some in phases]

    def _before(self, trials: Sequence[Trial]) -> list[Outcome]:
        return [one for trial in trials for one in self.load.between(trial.began, trial.broken)]

    def _during(self, trials: Sequence[Trial]) -> list[Outcome]:
        return [one for trial in trials for one in self.load.between(trial.broken, trial.mended)]


def recovery_s(load: Load, end: float) -> float:
    """Return how long after a fault's end the last of the next requests was refused or slow."""
    later = load.between(end, end + RECOVERY_S)
    bad = [load.done_at(one) for one in later if one.error or one.latency_s > SLOW_S]
    return max([0.0, *(at - end for at in bad)])
