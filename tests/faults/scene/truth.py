"""What every version says of every image, from an engine of this process that is asked alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit.backbone import Backbone
from clients.load.closed import Ask
from serving.deadline import Deadline
from serving.inference.bank import AdapterBank, AdapterKey
from serving.inference.engine import Query
from serving.inference.lookup import Lookup
from serving.protocol import MAX_TOP_K, Answer
from serving.rows.row import Row
from tests.e2e.service import expecting_engine

TOLERANCE = 1e-5
"""Between scores: rows of other batches are summed in another order."""

_AT_ONCE = 32
_PATIENCE_S = 60.0


class Said(NamedTuple):
    """An answer, and what was asked."""

    ask: Ask
    answer: Answer


class _Question(NamedTuple):
    image: bytes
    task: str
    version: str


class Truth:
    """Tells right answers from wrong ones.

    Args:
        backbone: the one that serves.
        store: folder of the store that holds the versions.

    Attributes:
        engine: answers what must be answered.
    """

    def __init__(self, backbone: Backbone, store: Path) -> None:
        self.engine = expecting_engine(backbone, store)
        source = CachedStore(DirectoryStore(store), pointer_ttl_s=0.0)
        self._bank = AdapterBank(backbone, source, 1)
        self._lookup = Lookup(source, self._bank, pinned=())
        self._known: dict[_Question, Answer | None] = {}

    def wrong(self, said: Iterable[Said]) -> list[Said]:
        """Return the answers that are not what the version that they name says of the image."""
        answers = list(said)
        self._learn({_question(one) for one in answers})
        return [one for one in answers if not _agree(one, self._known[_question(one)])]

    def chosen(self, task: str, images: Iterable[bytes]) -> dict[bytes, str]:
        """Return the version that answers for each image, as the store has it now."""
        rows = [Row(Query(image, task)) for image in images]
        self._lookup.choose(rows, Deadline.after(_PATIENCE_S))
        return {row.query.image: _key(row).version for row in rows}

    def close(self) -> None:
        """Let the engine go."""
        self.engine.close()
        self._bank.close()

    def _learn(self, questions: set[_Question]) -> None:
        new = sorted(questions - self._known.keys(), key=lambda one: (one.task, one.version))
        for start in range(0, len(new), _AT_ONCE):
            some = new[start : start + _AT_ONCE]
            queries = [Query(one.image, one.task, MAX_TOP_K, one.version) for one in some]
            outcomes = self.engine.predict(queries)
            for one, outcome in zip(some, outcomes, strict=True):
                self._known[one] = outcome if isinstance(outcome, Answer) else None


def _key(row: Row) -> AdapterKey:
    if isinstance(row.outcome, Exception) and not row.is_pending:
        raise row.outcome
    return row.key


def _question(said: Said) -> _Question:
    return _Question(said.ask.image, said.ask.task, said.answer.version)


def _agree(said: Said, truth: Answer | None) -> bool:
    """Return whether an answer is the beginning of the true one, by labels and scores."""
    if truth is None or said.answer.task != said.ask.task:
        return False
    expected = {one.index: one for one in truth.predictions}
    found = said.answer.predictions
    return (
        len({one.index for one in found}) == min(said.ask.top_k, len(expected))
        and _falls([one.score for one in found])
        and abs(found[0].score - truth.predictions[0].score) < TOLERANCE
        and all(
            one.index in expected
            and one.label == expected[one.index].label
            and abs(one.score - expected[one.index].score) < TOLERANCE
            for one in found
        )
    )


def _falls(scores: Sequence[float]) -> bool:
    return list(scores) == sorted(scores, reverse=True)
