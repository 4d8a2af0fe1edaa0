import logging
import threading
import time
from collections.abc import Generator, Iterator
from queue import Empty, Queue

import pytest
from redis import Redis

from adapters.cache.redis_cache import AdapterCache
from adapters.cache.watcher import CHECK_EVERY_S, LONGEST_PAUSE_S, Watcher
from tests.fakes.waiting import wait_until

LOST = "lost"


class ScriptedCache(AdapterCache):
    """A Redis whose answers and announcements a test sets."""

    def __init__(self) -> None:
        super().__init__(Redis())
        self.is_there = True
        self.channel: Queue[str] = Queue()
        self.connects = 0
        self.is_deaf = False
        self.probed: list[bool] = []

    def answers(self) -> bool:
        return self.is_there

    def announcements(self, moment_s: float) -> Generator[str | None, None, None]:
        self.connects += 1
        if self.is_deaf:
            return
        yield None
        while True:
            try:
                news = self.channel.get(timeout=moment_s / 10)
            except Empty:
                yield None
                continue
            if news == LOST:
                return
            yield news

    def probe_elsewhere(self, is_probed: bool) -> None:
        self.probed.append(is_probed)

    def announce(self, task: str) -> None:
        self.channel.put(task)


class Listener:
    """Whoever remembers pointers."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fails = False

    def expire(self, task: str) -> None:
        self.told.append(task)
        if self.fails:
            raise RuntimeError("a bug of the listener")


class Scene:
    def __init__(self) -> None:
        self.cache = ScriptedCache()
        self.listener = Listener()
        self.watcher = Watcher(self.cache, self.listener.expire)

    def wait_for(self, told: list[str]) -> None:
        """Wait until the listener was told just that since the last time."""
        wait_until(f"{told} is told", lambda: self.listener.told == told)
        self.listener.told.clear()

    def wait_until_it_hears(self, *, connects: int = 1) -> None:
        wait_until(
            "it hears",
            lambda: self.watcher.is_hearing and self.cache.connects >= connects,
        )


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    scene.watcher.start()
    scene.wait_until_it_hears()
    yield scene
    scene.watcher.close()


def test_what_is_announced_is_out_of_date_and_nothing_else(scene: Scene) -> None:
    for task in ("pets", "dogs", "pets"):
        scene.cache.announce(task)
    scene.wait_for(["pets", "dogs", "pets"])
    time.sleep(3 * CHECK_EVERY_S)
    assert scene.watcher.is_hearing
    assert scene.listener.told == []
    assert scene.cache.connects == 1


def test_when_the_connection_is_lost_it_connects_anew(scene: Scene) -> None:
    scene.cache.channel.put(LOST)
    scene.wait_until_it_hears(connects=2)
    scene.cache.announce("pets")
    scene.wait_for(["pets"])


def test_a_redis_that_is_down_is_asked_until_it_is_back(scene: Scene) -> None:
    scene.cache.is_there = False
    wait_until("it does not hear", lambda: not scene.watcher.is_hearing)
    connects = scene.cache.connects
    time.sleep(2 * LONGEST_PAUSE_S)
    assert scene.cache.connects == connects
    scene.cache.is_there = True
    scene.wait_until_it_hears(connects=connects + 1)


def test_a_redis_that_does_not_announce_is_never_heard(scene: Scene) -> None:
    scene.cache.is_deaf = True
    scene.cache.channel.put(LOST)
    connects = scene.cache.connects
    wait_until("it tried again", lambda: scene.cache.connects > connects + 1)
    assert not scene.watcher.is_hearing


def test_it_survives_whatever_the_listener_raises_and_says_so_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scene.listener.fails = True
    for times in range(1, 4):
        scene.wait_until_it_hears(connects=times)
        scene.cache.announce("pets")
        scene.wait_for(["pets"])
    assert [r.getMessage() for r in caplog.records] == [
        "the watcher of Redis stumbled and begins anew"
    ]


def test_while_it_runs_no_caller_probes_and_after_it_they_do() -> None:
    scene = Scene()
    scene.watcher.start()
    scene.wait_until_it_hears()
    assert scene.cache.probed == [True]
    scene.watcher.close()
    assert scene.cache.probed == [True, False]
    assert not any(thread.name == "watch-redis" for thread in threading.enumerate())


def test_it_ends_at_once_between_two_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.cache.watcher.LONGEST_PAUSE_S", 600.0)
    scene = Scene()
    scene.cache.is_there = False
    scene.watcher.start()
    time.sleep(0.05)
    start = time.monotonic()
    scene.watcher.close()
    assert time.monotonic() - start < 60
