"""Every way a Redis can go wrong, under a process that watches it: no error, no wait, recovery."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.redis_keys import RedisKeys
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore, Pointer
from tests.fakes.artifacts import make_artifact
from tests.fakes.foreign_server import ForeignServer
from tests.fakes.proxy import Proxy
from tests.fakes.waiting import wait_until

TASKS = tuple(f"task-{i}" for i in range(5))
TIMEOUT_S = 0.5
"""Longer than a busy machine often stops a thread: who took longer has waited for Redis."""
STOPPED = 2
"""How often a very busy machine may do so; each wait for Redis would count as well."""


@dataclass
class Scene:
    """A store, a Redis behind a proxy, and a service's process that watches it."""

    server: RedisServer
    proxy: Proxy
    raw: Any
    folder: Path
    others: ExitStack
    slow: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = DirectoryStore(self.folder / "store")
        self.service = self.process()
        self.publisher = self.process()
        self.newest = {task: self.publish(task, 0) for task in TASKS}
        self.keys = RedisKeys(self.store.identity() or "")

    def process(self) -> CachedStore:
        url = f"redis://127.0.0.1:{self.proxy.port}/0"
        return CachedStore(self.store, AdapterCache.from_url(url, timeout_s=TIMEOUT_S))

    def publish(self, task: str, seed: int) -> Pointer:
        return self.publisher.publish(make_artifact(task, seed=seed))

    def ask_all(self) -> dict[str, Pointer]:
        """Ask for every task; notes the calls that took as long as a timeout of Redis."""
        found = {}
        for task in TASKS:
            start = time.monotonic()
            found[task] = self.service.current(task)
            took_s = time.monotonic() - start
            if took_s >= TIMEOUT_S:
                self.slow.append(took_s)
        return found

    def ask_for(self, seconds: float) -> None:
        """Ask again and again; every task goes on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert set(self.ask_all()) == set(TASKS)
            time.sleep(0.002)

    def ask_until_seen(self, task: str, pointer: Pointer) -> None:
        wait_until(f"{task} is seen", lambda: self.ask_all()[task] == pointer)

    def close(self) -> None:
        self.service.close()
        self.publisher.close()


@pytest.fixture
def scene(server: RedisServer, proxy: Proxy, raw: Any, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as others:
        scene = Scene(server, proxy, raw, tmp_path, others)
        yield scene
        scene.close()
        raw.config_set("maxmemory", 0)


def is_slow(scene: Scene) -> None:
    scene.proxy.delays(2 * TIMEOUT_S)


def is_black_holed(scene: Scene) -> None:
    scene.proxy.swallows()


def is_refused(scene: Scene) -> None:
    scene.proxy.refuses()


def loses_its_connections(scene: Scene) -> None:
    scene.proxy.breaks_off()


def is_killed(scene: Scene) -> None:
    scene.server.stop()


def restarts_empty(scene: Scene) -> None:
    scene.server.stop()
    scene.server.start()


def fails_over_to_an_empty_one(scene: Scene) -> None:
    other = RedisServer(scene.folder / "other", binary=scene.server.binary)
    scene.proxy.target_port = scene.others.enter_context(other).port
    scene.proxy.breaks_off()


def is_flushed(scene: Scene) -> None:
    scene.raw.flushall()


def is_full(scene: Scene) -> None:
    scene.raw.config_set("maxmemory", 1)


def holds_other_types(scene: Scene) -> None:
    for pointer in scene.newest.values():
        scene.raw.rpush(scene.keys.artifact(pointer.version), "a", "list")


def holds_hostile_values(scene: Scene) -> None:
    for pointer in scene.newest.values():
        scene.raw.set(scene.keys.artifact(pointer.version), "x" * 9_000_000)


def announces_nonsense(scene: Scene) -> None:
    messages = [b"", b"\xff" * 100, b"..", b"x" * 9_000_000, b"1 pets 2", b"-1 pets", b"9" * 40]
    for message in [*messages, b"never-there", b"task-1"]:
        scene.raw.publish(scene.keys.channel, message)


def is_an_http_server(scene: Scene) -> None:
    become(scene, lambda _: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def is_an_echo(scene: Scene) -> None:
    become(scene, lambda received: received)


def answers_garbage(scene: Scene) -> None:
    become(scene, lambda _: b"*3\r\n:x\r\n$-7\r\n" + bytes(range(256)) + b"\r\n")


def nests_without_end(scene: Scene) -> None:
    become(scene, lambda _: b"*1\r\n" * 5000)


def become(scene: Scene, answer: Callable[[bytes], bytes]) -> None:
    scene.proxy.target_port = scene.others.enter_context(ForeignServer(answer)).port
    scene.proxy.breaks_off()


FAULTS: list[Callable[[Scene], None]] = [
    is_slow,
    is_black_holed,
    is_refused,
    loses_its_connections,
    is_killed,
    restarts_empty,
    fails_over_to_an_empty_one,
    is_flushed,
    is_full,
    holds_other_types,
    holds_hostile_values,
    announces_nonsense,
    is_an_http_server,
    is_an_echo,
    answers_garbage,
    nests_without_end,
]


def repair(scene: Scene) -> None:
    scene.server.start()
    scene.raw.config_set("maxmemory", 0)
    scene.proxy.target_port = scene.server.port
    scene.proxy.breaks_off()
    scene.proxy.passes()


@pytest.mark.parametrize("breaks", FAULTS)
def test_known_tasks_go_on_when_redis(
    scene: Scene, breaks: Callable[[Scene], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scene.service.watch()
    wait_until("it hears", lambda: scene.service.hears_publishes)
    assert scene.ask_all() == scene.newest
    breaks(scene)
    scene.ask_for(2 * STOPPED * TIMEOUT_S)
    while_broken = scene.publish("task-0", seed=1)
    scene.ask_until_seen("task-0", while_broken)
    assert len(scene.slow) <= STOPPED
    repair(scene)
    wait_until("it hears again", lambda: scene.service.hears_publishes)
    wait_until("so does the publisher", lambda: is_reached(scene.publisher))
    after = scene.publish("task-1", seed=2)
    scene.ask_until_seen("task-1", after)
    assert scene.ask_all() == scene.newest | {"task-0": while_broken, "task-1": after}
    assert_little_was_logged(caplog)


def is_reached(process: CachedStore) -> bool:
    """Ask until the breaker of a process that does not watch is closed."""
    assert process.cache is not None
    process.cache.announce("task-0")
    return process.cache.is_up


def assert_little_was_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Each process says at most that something went wrong and that it is right again."""
    ours = (r for r in caplog.records if r.name.startswith("adapters"))
    lines = [r for r in ours if r.levelno > logging.DEBUG]
    assert len(lines) <= 12, [r.getMessage() for r in lines]
    assert all(r.levelno < logging.ERROR for r in lines), [r.getMessage() for r in lines]
    assert all(len(r.getMessage()) < 400 and r.getMessage().isprintable() for r in lines)


def test_a_service_that_starts_without_its_redis_serves_at_once_and_finds_it_later(
    scene: Scene,
) -> None:
    scene.proxy.swallows()
    fresh = scene.process()
    fresh.watch()
    for task in TASKS:
        assert fresh.current(task) == scene.newest[task]
    assert not fresh.hears_publishes
    scene.proxy.passes()
    wait_until("it hears", lambda: fresh.hears_publishes)
    fresh.close()


def test_with_the_store_gone_too_the_last_known_versions_go_on(scene: Scene) -> None:
    scene.service.watch()
    scene.ask_all()
    scene.store.root.rename(scene.folder / "elsewhere")
    scene.store.root.write_text("not a folder")
    scene.proxy.refuses()
    scene.ask_for(1.5)
    assert scene.ask_all() == scene.newest


def test_one_connection_of_a_redis_that_was_replaced_is_not_used_again(
    scene: Scene, tmp_path: Path
) -> None:
    """What a black-holed Redis answers late is never taken for the answer to something else."""
    scene.service.watch()
    wait_until("it hears", lambda: scene.service.hears_publishes)
    for _ in range(3):
        scene.proxy.delays(2 * TIMEOUT_S)
        scene.ask_for(3 * TIMEOUT_S)
        scene.proxy.passes()
        scene.ask_for(3 * TIMEOUT_S)
    wait_until("it hears again", lambda: scene.service.hears_publishes)
    assert scene.ask_all() == scene.newest
    with Redis(port=scene.server.port) as client:
        assert client.ping()
