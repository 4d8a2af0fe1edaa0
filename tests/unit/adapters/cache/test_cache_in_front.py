import logging
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.errors import StoreUnavailable, TaskNotFound, VersionNotFound
from adapters.store.directory import Pointer
from adapters.store.record import Canary
from tests.fakes.artifacts import make_artifact
from tests.fakes.waiting import wait_until
from tests.unit.adapters.cache.world import World

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "store")


def test_a_publish_is_seen_at_once_here_and_after_the_lifetime_elsewhere(world: World) -> None:
    here, there = world.process(), world.process()
    first = here.publish(FIRST)
    assert there.current("pets") == first
    second = here.publish(SECOND, expected=first.version)
    assert here.current("pets") == second
    assert there.current("pets") == first
    world.later()
    assert there.current("pets") == second


def test_a_rollback_reaches_every_process(world: World) -> None:
    here, there = world.process(), world.process()
    for data in (FIRST, SECOND):
        here.publish(data)
    there.current("pets")
    assert here.rollback("pets") == Pointer(version=version_of(FIRST), sequence=3)
    world.later()
    assert there.current("pets") == here.current("pets")


def test_within_its_lifetime_a_pointer_is_looked_up_once(world: World) -> None:
    process = world.process()
    pointer = process.publish(FIRST)
    for _ in range(10):
        assert process.current("pets") == pointer
    assert world.store.asked == 1


def test_a_redis_that_forgot_is_filled_from_the_store(world: World) -> None:
    process = world.process()
    pointer = process.publish(FIRST)
    world.redis.artifacts.clear()
    assert process.read("pets", pointer.version) == FIRST
    assert world.redis.artifacts == {pointer.version: FIRST}


def test_without_redis_the_store_answers(world: World) -> None:
    process = world.process(with_redis=False)
    pointer = process.publish(FIRST)
    world.later()
    assert process.current("pets") == pointer
    assert process.read("pets", pointer.version) == FIRST
    assert process.tasks() == ["pets"]


def test_with_redis_and_store_gone_the_last_known_version_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    process = world.process(with_redis=False)
    pointer = process.publish(FIRST)
    world.store.is_dead = True
    for _ in range(5):
        world.later()
        assert process.current("pets") == pointer
    world.store.is_dead = False
    world.later()
    assert process.current("pets") == pointer
    assert len(caplog.records) == 2


def test_with_the_store_gone_redis_has_the_artifacts_of_what_is_known(world: World) -> None:
    world.process().publish(FIRST)
    process = world.process()
    pointer = process.current("pets")
    world.store.is_dead = True
    world.later()
    assert process.current("pets") == pointer
    assert process.read("pets", pointer.version) == FIRST


def test_with_both_gone_and_nothing_known_the_store_is_said_to_be_unavailable(
    world: World,
) -> None:
    world.store.is_dead = True
    with pytest.raises(StoreUnavailable):
        world.process().current("pets")


def test_an_artifact_of_another_task_is_not_taken_from_redis(world: World) -> None:
    process = world.process()
    process.publish(FIRST)
    other = process.publish(make_artifact("dogs"))
    with pytest.raises(VersionNotFound):
        process.read("pets", other.version)


def test_a_store_that_began_anew_is_believed(world: World, tmp_path: Path) -> None:
    process = world.process()
    for data in (FIRST, SECOND, THIRD):
        process.publish(data)
    (world.store.root).rename(tmp_path / "old")
    pointer = world.store.publish(FIRST)
    world.later()
    assert pointer.sequence == 1
    assert process.current("pets") == pointer


def test_an_unknown_task_is_remembered_briefly_and_found_once_it_is_published(
    world: World,
) -> None:
    process = world.process()
    for _ in range(5):
        with pytest.raises(TaskNotFound):
            process.current("pets")
    assert world.store.asked == 1
    pointer = world.process().publish(FIRST)
    world.later()
    assert process.current("pets") == pointer


def test_a_task_published_here_is_found_at_once_though_it_was_unknown(world: World) -> None:
    process = world.process()
    with pytest.raises(TaskNotFound):
        process.current("pets")
    assert process.publish(FIRST) == process.current("pets")


@pytest.mark.parametrize("task", ["", "..", "a/b", "a" * 10_000, "pets\r\nFLUSHALL"])
def test_a_hostile_task_id_reaches_neither_redis_nor_the_store(world: World, task: str) -> None:
    process = world.process()
    with pytest.raises(TaskNotFound, match="is not a task id"):
        process.current(task)
    assert world.store.asked == 0


def test_the_version_that_is_current_here_resolves_without_the_store(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = world.process()
    version = process.publish(FIRST).version
    assert process.resolve_version("pets", version[:8]) == version
    monkeypatch.setattr(world.store, "resolve_version", lambda *_: pytest.fail("asked"))
    assert process.resolve_version("pets", version) == version


def test_a_slow_reader_never_hides_a_publish_that_overtook_it(world: World) -> None:
    process = world.process(with_redis=False)
    first = process.publish(FIRST)
    world.later()
    publish_while_reading(world, process, lambda: process.publish(SECOND))
    assert process.current("pets").sequence == first.sequence + 1


@pytest.mark.parametrize("fails", [False, True])
def test_threads_that_ask_at_once_share_one_answer_of_the_store(world: World, fails: bool) -> None:
    process = world.process(with_redis=False)
    pointer = world.process().publish(FIRST)
    asked, go_on = threading.Semaphore(0), threading.Event()
    real = world.store.current

    def slow(task: str) -> Pointer:
        asked.release()
        assert go_on.wait(10)
        world.store.is_dead = fails
        return real(task)

    world.store.current = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(process.current, "pets")
        assert asked.acquire(timeout=60)
        others = [pool.submit(process.current, "pets") for _ in range(7)]
        go_on.set()
    found = [job.exception() or job.result() for job in (first, *others)]
    assert {type(one) for one in found} == ({StoreUnavailable} if fails else {Pointer})
    assert fails or found == [pointer] * 8
    assert fails or world.store.asked == 1


def publish_while_reading(
    world: World, process: CachedStore, publish: Callable[[], object]
) -> None:
    """Let a reader fetch the old pointer, publish, and only then let the reader go on."""
    fetched, go_on = threading.Event(), threading.Event()
    real = world.store.current

    def slow(task: str) -> Pointer:
        pointer = real(task)
        fetched.set()
        assert go_on.wait(10)
        return pointer

    world.store.current = slow  # type: ignore[method-assign]
    reader = threading.Thread(target=process.current, args=("pets",))
    reader.start()
    assert fetched.wait(10)
    publish()
    go_on.set()
    reader.join()
    world.store.current = real  # type: ignore[method-assign]


def test_a_canary_is_announced_promoted_and_resolved(world: World) -> None:
    process = world.process()
    first = process.publish(FIRST)
    with_canary = process.publish(SECOND, canary=0.25)
    assert with_canary.canary == Canary(version=version_of(SECOND), share=0.25)
    assert process.current("pets") == with_canary
    for version in (first.version, version_of(SECOND)):
        assert process.resolve_version("pets", version) == version
    promoted = process.promote("pets", expected=version_of(SECOND))
    assert process.current("pets") == promoted
    assert (promoted.version, promoted.canary) == (version_of(SECOND), None)
    assert world.redis.announced == ["pets"] * 3


def test_a_store_that_had_tasks_and_has_none_is_not_believed(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = world.process(with_redis=False)
    pointer = process.publish(FIRST)
    world.store.root.rename(tmp_path / "unmounted")
    world.store.root.mkdir()
    for _ in range(3):
        world.later()
        assert process.current("pets") == pointer
    assert "had tasks and has none any more" in caplog.text
    with pytest.raises(StoreUnavailable, match="had tasks and has none any more"):
        process.current("dogs")


def test_a_store_whose_folder_is_gone_is_unavailable_for_tasks_that_nobody_asked_before(
    world: World, tmp_path: Path
) -> None:
    process = world.process(with_redis=False)
    pointer = process.publish(FIRST)
    world.store.publish(make_artifact("dogs"))
    world.store.root.rename(tmp_path / "away")
    world.later()
    with pytest.raises(StoreUnavailable, match="No such file"):
        process.current("dogs")
    assert process.current("pets") == pointer


def test_a_local_store_is_read_and_redis_keeps_no_artifact(world: World) -> None:
    process = CachedStore(world.store, world.redis)
    version = process.publish(FIRST).version
    assert process.read("pets", version) == FIRST
    assert world.redis.artifacts == {}


def test_a_publish_is_announced_before_its_artifact_is_stored_in_redis(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = world.process()
    announced: list[list[str]] = []
    monkeypatch.setattr(
        world.redis, "put_artifact", lambda *_: announced.append([*world.redis.announced])
    )
    process.publish(FIRST)
    assert announced == [["pets"]]


def test_a_task_that_was_deleted_by_hand_is_unknown_while_others_go_on(world: World) -> None:
    process = world.process(with_redis=False)
    process.publish(FIRST)
    process.publish(make_artifact("dogs"))
    process.current("pets")
    shutil.rmtree(world.store.root / "pets")
    world.later()
    with pytest.raises(TaskNotFound):
        process.current("pets")
    assert process.current("dogs")


def test_watching_needs_no_redis_and_closing_needs_nothing(world: World) -> None:
    process = world.process(with_redis=False)
    process.publish(FIRST)
    process.watch()
    wait_until("it follows the store", lambda: process.follows_store)
    assert not process.hears_publishes
    process.close()
    process.close()
    assert not process.follows_store
