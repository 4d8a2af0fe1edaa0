"""Publishes, canaries, promotions and rollbacks, one after the other, each seen through."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from clients.client import Client
from clients.load.closed import Ask
from tests.fakes.waiting import wait_until
from tests.faults.scene.scene import Scene
from tests.faults.scene.truth import Said
from tests.faults.scene.versions import IMAGES, TASKS, artifact_of

_SHARE: Final = 0.5

_NUMBERS: Final = itertools.count(1)
"""Of versions: every one that is published in this process is news."""


@dataclass(frozen=True)
class Moment:
    """One state of a task; times are seconds of `time.perf_counter`.

    Attributes:
        by_image: the version that answers each image.
        began: when the command was given that made it.
        seen: when it was first answered so; what is sent later must be too.
    """

    by_image: Mapping[bytes, str]
    began: float = 0.0
    seen: float = 0.0


class Changes:
    """Changes the tasks of a scene.

    Args:
        scene: whose store is changed.
        client: asks a task after each change, one request after the other.

    Attributes:
        moments: every state of each task, oldest first.
        probes: what the client was answered.
    """

    KINDS: Final = 6
    """How many changes of a task there are, before they begin anew."""

    def __init__(self, scene: Scene, client: Client) -> None:
        self.moments = {task: [Moment(scene.truth.chosen(task, IMAGES))] for task in TASKS}
        self.probes: list[Said] = []
        self._scene = scene
        self._client = client
        source = scene.source
        kinds: tuple[Callable[[str], object], ...] = (
            lambda task: source.publish(self._next(task)),
            lambda task: source.publish(self._next(task), canary=_SHARE),
            source.promote,
            source.rollback,
            lambda task: source.publish(self._next(task), canary=_SHARE),
            source.end_canary,
        )
        assert len(kinds) == self.KINDS
        self._kinds = {task: itertools.cycle(kinds) for task in TASKS}

    def change(self, task: str) -> float:
        """Make the task's next change.

        Returns:
            The seconds from its end until the first request was sent that was answered so; 0 where
            every image is answered as before, as with a canary that none of them draws.
        """
        before = self.moments[task][-1].by_image
        began = time.perf_counter()
        next(self._kinds[task])(task)
        returned = time.perf_counter()
        after = self._scene.truth.chosen(task, IMAGES)
        changed = [image for image in IMAGES if before[image] != after[image]]
        sent = self._probe(Ask(changed[0], task), after[changed[0]]) if changed else returned
        self.moments[task].append(Moment(after, began, seen=time.perf_counter()))
        return sent - returned

    def may_say(self, said: Said, sent: float, done: float) -> bool:
        """Return whether the version of an answer is one that could be right at the time."""
        moments = self.moments[said.ask.task]
        seen = max(i for i, one in enumerate(moments) if one.seen <= sent)
        possible = (one for one in moments[seen:] if one.began <= done)
        return said.answer.version in {one.by_image[said.ask.image] for one in possible}

    def _probe(self, ask: Ask, version: str) -> float:
        """Ask until the version answers; return when that request was sent."""

        def sent_when_seen() -> float | None:
            sent = time.perf_counter()
            answer = self._client.predict(ask.image, task=ask.task, top_k=ask.top_k)
            self.probes.append(Said(ask, answer))
            return sent if answer.version == version else None

        sent = wait_until(f"{version} answers for {ask.task}", sent_when_seen)
        assert sent is not None
        return sent

    def _next(self, task: str) -> bytes:
        return artifact_of(task, next(_NUMBERS), self._scene.spec)
