"""Publishes, a dead Redis, a dead worker: under load, and callers notice as little as can be."""

import time
from concurrent.futures import ThreadPoolExecutor

from redis import Redis

from adapters.codec import encode
from clients.loadgen import Ask
from tests.artifacts import make_adapter
from tests.e2e.service import IMAGES, TASKS, Load, Service, asks, softer
from tests.waiting import wait_until

TAKES_OVER_S = 5.0


def publish_new_version(service: Service, seed: int) -> str:
    """Publish another adapter of the first task; return its version."""
    adapter = make_adapter(TASKS[0], classes=3, seed=seed, backbone=service.backbone.spec)
    return service.source.publish(encode(softer(adapter))).version


def assert_all_right(service: Service, load: Load) -> None:
    assert load.errors == []
    for one in load.answered:
        service.assert_right(one.ask, one.answer)


def takes_over(load: Load, version: str) -> None:
    """Wait until the version answers; from then on nothing older may."""
    wait_until(
        "the new version answers",
        lambda: any(one.answer.version == version for one in load.answered),
        timeout_s=TAKES_OVER_S,
    )
    seen_at = time.monotonic()
    load.wait_for_more(48)
    later = [one for one in load.answered if one.asked_at > seen_at and one.ask.task == TASKS[0]]
    assert {one.answer.version for one in later} == {version}


def test_a_publish_takes_over_under_load_without_a_restart_or_a_failed_call(
    service: Service,
) -> None:
    worker = service.worker()
    with Load(service, asks(24)) as load:
        load.wait_for_more(24)
        takes_over(load, publish_new_version(service, seed=101))
    assert_all_right(service, load)
    assert len({one.answer.version for one in load.answered if one.ask.task == TASKS[0]}) == 2
    assert service.worker() == worker


def known_to_redis(redis: Redis) -> bool:
    return all(redis.exists(f"spt:pointer:{task}") for task in TASKS)


def test_nobody_notices_when_redis_dies_and_it_is_used_again_when_it_is_back(
    service: Service,
) -> None:
    with Redis.from_url(service.redis.url) as redis, Load(service, asks(24)) as load:
        load.wait_for_more(24)
        service.redis.stop()
        load.wait_for_more(100)
        takes_over(load, publish_new_version(service, seed=102))
        service.redis.start()
        wait_until("the service's pointers are in Redis again", lambda: known_to_redis(redis))
        load.wait_for_more(24)
    assert_all_right(service, load)


def test_a_worker_that_dies_costs_the_calls_it_was_answering_and_they_may_be_asked_again(
    service: Service,
) -> None:
    with Load(service, asks(24), callers=6) as load:
        load.wait_for_more(24)
        worker = service.worker()
        assert worker is not None
        worker.kill()
        load.wait_for_more(48)
    assert len(load.errors) <= 6
    for error in load.errors:
        assert error.retryable, repr(error)
    for one in load.answered:
        service.assert_right(one.ask, one.answer)


def test_a_killed_worker_is_started_again_and_readiness_tells_the_truth_meanwhile(
    service: Service,
) -> None:
    worker = service.worker()
    assert worker is not None
    worker.kill()
    wait_until("the service says that it is not ready", lambda: not service.is_ready())
    with service.client() as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.predict, IMAGES[0], task=TASKS[1])
        wait_until("the service is ready again", service.is_ready, timeout_s=200)
        service.assert_right(Ask(IMAGES[0], TASKS[1]), waiting.result())
        for task in TASKS:
            service.assert_right(Ask(IMAGES[0], task), client.predict(IMAGES[0], task=task))
    assert service.worker() not in (None, worker)
