"""Many images: what became of each, in the order given, however they came to be answered.

Several askers share one `Batch`: each takes the next image when it is free. Sends nothing itself.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, overload

from clients.asking.conversation import Conversation, Question, ask_many
from clients.asking.retries import Retries
from clients.errors import ClientError, from_failure
from clients.images.sources import Source, Sources
from serving.protocol import Answer, Failure, LabelScore, frame_of

MOST_RETRIES = 12
"""Of one image, beside attempts that find nobody listening."""

_Outcome = Answer | Exception


@dataclass(frozen=True, repr=False)
class BatchItem:
    """One image of a batch, and what each task made of it.

    Attributes:
        image: its path, its address, or its place such as `#3`.
        outcomes: task -> its answer, or why there is none: a `ClientError`, or an `OSError` or a
            `ValueError` of an image that cannot be read. In the order asked.
    """

    image: str
    outcomes: dict[str, _Outcome]

    @property
    def ok(self) -> bool:
        """Whether every task answered."""
        return not self.errors

    @property
    def errors(self) -> dict[str, Exception]:
        """The tasks that did not answer, and why."""
        return {task: one for task, one in self.outcomes.items() if isinstance(one, Exception)}

    @property
    def answer(self) -> Answer:
        """The answer of the first task, the only one as a rule; raises what it failed with."""
        return self[next(iter(self.outcomes))]

    @property
    def top(self) -> LabelScore:
        """The best class of that answer; raises what it failed with."""
        return self.answer.top

    def __getitem__(self, task: str) -> Answer:
        """Return a task's answer, or raise what it failed with."""
        outcome = self.outcomes[task]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row for each class that is named, and one for each task that failed."""
        found: list[dict[str, Any]] = []
        for task, outcome in self.outcomes.items():
            if isinstance(outcome, Exception):
                found.append({"image": self.image, "task": task, "error": str(outcome)})
            else:
                found += [{"image": self.image, **row, "error": None} for row in outcome.rows()]
        return found

    def __repr__(self) -> str:
        said = ", ".join(
            f"{task}: {type(one).__name__}"
            if isinstance(one, Exception)
            else f"{task}: {one.summary}"
            for task, one in self.outcomes.items()
        )
        return f"BatchItem({self.image!r}, {said})"


class BatchResult(Sequence[BatchItem]):
    """What became of every image of a batch, in the order given.

    An image that failed is an item like the others: nothing is raised until its answer is read.
    """

    def __init__(self, items: Sequence[BatchItem]) -> None:
        self._items = tuple(items)

    @property
    def failed(self) -> list[BatchItem]:
        """The items of which a task did not answer."""
        return [item for item in self._items if not item.ok]

    @property
    def answers(self) -> list[Answer]:
        """The answer to each image, of the first task; raises what the first failure met."""
        return [item.answer for item in self._items]

    def to_frame(self) -> Any:
        """Return a `pandas.DataFrame`: a row for each class that is named, one for each failure.

        Raises:
            ImportError: pandas is not installed.
        """
        return frame_of([row for item in self._items for row in item.rows()])

    @overload
    def __getitem__(self, index: int) -> BatchItem: ...
    @overload
    def __getitem__(self, index: slice) -> "BatchResult": ...
    def __getitem__(self, index: int | slice) -> "BatchItem | BatchResult":
        found = self._items[index]
        return BatchResult(found) if isinstance(found, tuple) else found

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"BatchResult({len(self):,} images, {len(self.failed):,} failed)"


class Batch:
    """The state of one batch; safe for many threads.

    Args:
        question: that every image is asked.
        sources: the images.
        patience_s: for how long it goes on while nothing is answered; the deadline of an image.
        on_item: told of each item, in order, as soon as it and all before it are there.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        question: Question,
        sources: Sources,
        patience_s: float,
        on_item: Callable[[BatchItem], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._question = question
        self._sources = enumerate(sources.images)
        self._patience_s = patience_s
        self._on_item = on_item
        self._clock = clock
        self._answered_at = clock()
        self._is_stopped = False
        self._early: dict[int, BatchItem] = {}
        self._items: list[BatchItem] = []
        self._lock = Lock()

    def __iter__(self) -> Iterator[tuple[int, Source]]:
        """Yield the images that nobody has taken yet."""
        return self

    def __next__(self) -> tuple[int, Source]:
        with self._lock:
            if self._is_stopped:
                raise StopIteration
            return next(self._sources)

    def conversation(self, source: Source) -> Conversation[BatchItem]:
        """Ask about one image; every error of it becomes part of its item."""
        retries = Retries(
            MOST_RETRIES,
            self._patience_s,
            is_hopeless=self._is_hopeless,
            are_refusals_free=True,
        )
        outcomes: dict[str, _Outcome]
        try:
            many = yield from ask_many(self._question, source.image, retries)
        except (ClientError, OSError, ValueError) as error:
            outcomes = dict.fromkeys(self._question.tasks, error)
        else:
            self._answered_at = self._clock()
            outcomes = dict(zip(self._question.tasks, map(_outcome, many.answers), strict=True))
        return BatchItem(source.name, outcomes)

    def finish(self, index: int, item: BatchItem) -> None:
        """Take note of what became of an image."""
        with self._lock:
            self._early[index] = item
            while (following := self._early.pop(len(self._items), None)) is not None:
                self._items.append(following)
                self._on_item(following)

    def stop(self) -> None:
        """Hand out no more images, and have none asked again."""
        self._is_stopped = True

    def result(self) -> BatchResult:
        """Return what became of them all."""
        return BatchResult(self._items)

    def _is_hopeless(self) -> bool:
        return self._is_stopped or self._clock() > self._answered_at + self._patience_s


def _outcome(entry: Answer | Failure) -> _Outcome:
    return from_failure(entry) if isinstance(entry, Failure) else entry
