"""What became of every request, and what can be read off the whole. Sends nothing.

A record's time is in seconds since the first request of the demo.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clients.demo.trained import Prediction
from clients.load.closed import Outcome

Phase = Literal["mixed", "swap"]
Offline = Mapping[str, Mapping[str, Prediction]]
"""Version to image file to what this version said of the image when it was trained."""


@dataclass(frozen=True)
class Pick:
    """What is asked: a task, about one of its test images."""

    task: str
    sample: Prediction


@dataclass(frozen=True)
class Record:
    """One request and its outcome."""

    phase: Phase
    pick: Pick
    outcome: Outcome

    @property
    def version(self) -> str | None:
        """Which version answered, None if nothing did."""
        return self.outcome.answer.version if self.outcome.answer else None

    @property
    def done_s(self) -> float:
        """When the answer was there."""
        return self.outcome.started_s + self.outcome.latency_s

    def row(self) -> dict[str, object]:
        """Return it as a row for a file."""
        answer, batch = self.outcome.answer, self.outcome.batch
        return {
            "phase": self.phase,
            "task": self.pick.task,
            "image": self.pick.sample.image.name,
            "started_s": round(self.outcome.started_s, 4),
            "latency_ms": round(self.outcome.latency_s * 1e3, 2),
            "version": answer.version if answer else None,
            "index": answer.predictions[0].index if answer else None,
            "score": answer.predictions[0].score if answer else None,
            "batch": batch.id if batch else None,
            "error": str(self.outcome.error) if self.outcome.error else None,
        }


def offline_of(predictions: Sequence[Prediction]) -> dict[str, Prediction]:
    """Return a run's predictions by image file."""
    return {str(prediction.image): prediction for prediction in predictions}


def agreement(records: Sequence[Record], offline: Offline) -> float:
    """Return the share of answers whose best class is the one that their version gave offline.

    1.0 of no answers at all would be empty praise: then it is 0.
    """
    pairs = [_pair(record, offline) for record in records if record.outcome.answer]
    agreeing = sum(served[0] == expected[0] for served, expected in pairs)
    return agreeing / len(pairs) if pairs else 0.0


def score_difference(records: Sequence[Record], offline: Offline) -> float | None:
    """Return the largest difference of a served score to the offline one, None of no answer."""
    pairs = [_pair(record, offline) for record in records if record.outcome.answer]
    return max((abs(a[1] - b[1]) for a, b in pairs if a[0] == b[0]), default=None)


def tasks_per_batch(records: Sequence[Record]) -> Counter[int]:
    """Return how many batches had how many tasks; each batch counts once."""
    batches = [record.outcome.batch for record in records if record.outcome.batch]
    return Counter({batch.id: batch.tasks for batch in batches}.values())


def _pair(record: Record, offline: Offline) -> tuple[tuple[int, float], tuple[int, float]]:
    answer = record.outcome.answer
    assert answer is not None
    served = answer.predictions[0]
    expected = offline.get(answer.version, {}).get(str(record.pick.sample.image))
    known = (expected.predicted, expected.score) if expected else (-1, math.nan)
    return (served.index, served.score), known
