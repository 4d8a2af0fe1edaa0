import logging
import threading
import time
from collections.abc import Generator, Iterator
from queue import Empty, Queue

import pytest
from redis import Redis

from adapters.cache.redis_cache import AdapterCache
from adapters.cache.watcher import CHECK_EVERY_S, LONGEST_PAUSE_S, Watcher
from adapters.redis.announcements import Announcement
from tests.fakes.waiting import wait_until

LOST = "lost"
SOON_S = LONGEST_PAUSE_S + 3 * CHECK_EVERY_S + 5.0


class ScriptedCache(AdapterCache):
    """A Redis whose epoch and announcements a test sets."""

    def __init__(self) -> None:
        super().__init__(Redis())
        self.now: int | None = 7
        self.channel: Queue[Announcement | str] = Queue()
        self.connects = 0
        self.is_deaf = False
        self.probed: list[bool] = []

    def epoch(self) -> int | None:
        return self.now

    def announcements(self, moment_s: float) -> Generator[Announcement | None, None, None]:
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
            if isinstance(news, str):
                return
            yield news

    def probe_elsewhere(self, is_probed: bool) -> None:
        self.probed.append(is_probed)

    def announce(self, task: str) -> None:
        assert self.now is not None
        self.now += 1
        self.channel.put(Announcement(self.now, task))


class Listener:
    """Whoever remembers pointers."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fails = False

    def expire(self, task: str) -> None:
        self.told.append(task)
        if self.fails:
            raise RuntimeError("a bug of the listener")

    def expire_all(self) -> None:
        self.told.append("*")


class Scene:
    def __init__(self) -> None:
        self.cache = ScriptedCache()
        self.listener = Listener()
        self.watcher = Watcher(self.cache, self.listener.expire, self.listener.expire_all)

    def wait_for(self, told: list[str]) -> None:
        """Wait until the listener was told just that since the last time, and is heard again."""
        wait_until(f"{told} is told", lambda: self.listener.told == told, timeout_s=SOON_S)
        self.listener.told.clear()


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    scene.watcher.start()
    scene.wait_for(["*"])
    yield scene
    scene.watcher.close()


def test_once_it_listens_everything_is_out_of_date_and_then_what_is_announced(
    scene: Scene,
) -> None:
    assert scene.watcher.is_hearing
    for task in ("pets", "dogs", "pets"):
        scene.cache.announce(task)
    scene.wait_for(["pets", "dogs", "pets"])
    time.sleep(3 * CHECK_EVERY_S)
    assert scene.watcher.is_hearing
    assert scene.listener.told == []
    assert scene.cache.connects == 1


def test_an_epoch_that_grows_without_an_announcement_makes_everything_out_of_date(
    scene: Scene,
) -> None:
    scene.cache.now = 8
    scene.wait_for(["*", "*"])
    assert scene.cache.connects == 2
    assert scene.watcher.is_hearing


def test_an_epoch_that_goes_back_makes_everything_out_of_date(scene: Scene) -> None:
    scene.cache.announce("pets")
    scene.wait_for(["pets"])
    scene.cache.now = 0
    scene.wait_for(["*", "*"])
    assert scene.watcher.is_hearing


def test_a_lost_connection_makes_everything_out_of_date_and_it_connects_anew(
    scene: Scene,
) -> None:
    scene.cache.channel.put(LOST)
    scene.wait_for(["*", "*"])
    assert scene.cache.connects == 2


def test_a_redis_that_is_down_is_asked_until_it_is_back(scene: Scene) -> None:
    scene.cache.now = None
    scene.wait_for(["*"])
    assert not scene.watcher.is_hearing
    connects = scene.cache.connects
    time.sleep(2 * LONGEST_PAUSE_S)
    assert scene.cache.connects == connects
    scene.cache.now = 7
    scene.wait_for(["*"])
    assert scene.watcher.is_hearing


def test_a_redis_that_does_not_announce_is_never_heard(scene: Scene) -> None:
    scene.cache.is_deaf = True
    scene.cache.channel.put(LOST)
    scene.wait_for(["*"])
    connects = scene.cache.connects
    wait_until("it tried again", lambda: scene.cache.connects > connects + 1, timeout_s=SOON_S)
    assert not scene.watcher.is_hearing


def test_an_announcement_from_the_future_only_makes_it_begin_anew(scene: Scene) -> None:
    scene.cache.channel.put(Announcement(10**17, "pets"))
    scene.wait_for(["pets", "*", "*"])
    assert scene.watcher.is_hearing


def test_it_survives_whatever_the_listener_raises_and_says_so_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scene.listener.fails = True
    for _ in range(3):
        scene.cache.announce("pets")
        scene.wait_for(["pets", "*", "*"])
    assert [r.getMessage() for r in caplog.records] == [
        "the watcher of Redis stumbled and begins anew"
    ]


def test_while_it_runs_no_caller_probes_and_it_ends_at_once() -> None:
    scene = Scene()
    scene.watcher.start()
    scene.wait_for(["*"])
    assert scene.cache.probed == [True]
    start = time.monotonic()
    scene.watcher.close()
    assert time.monotonic() - start < 1.0
    assert scene.cache.probed == [True, False]
    assert not any(thread.name == "watch-redis" for thread in threading.enumerate())


def test_it_ends_at_once_between_two_tries() -> None:
    scene = Scene()
    scene.cache.now = None
    scene.watcher.start()
    time.sleep(0.05)
    start = time.monotonic()
    scene.watcher.close()
    assert time.monotonic() - start < 0.5
