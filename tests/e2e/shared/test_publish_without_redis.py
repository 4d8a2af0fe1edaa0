"""What is published while Redis is down is served, and Redis is used once it is back."""

import time

from redis import Redis

from adapters.cache.redis_keys import RedisKeys
from adapters.vit.adapter import encode
from tests.e2e.service import TASKS, Load, Service, asks, softer
from tests.fakes.artifacts import make_adapter
from tests.fakes.waiting import wait_until


def publish_new_version(service: Service) -> str:
    """Publish another adapter of the first task; return its version."""
    adapter = make_adapter(TASKS[0], classes=3, seed=102, backbone=service.backbone.spec)
    return service.source.publish(encode(softer(adapter))).version


def takes_over(load: Load, version: str) -> None:
    """Wait until the version answers; from then on nothing older may."""
    wait_until(
        "the new version answers",
        lambda: any(one.answer.version == version for one in load.answered),
    )
    seen_at = time.monotonic()
    load.wait_for_more(48)
    later = [one for one in load.answered if one.asked_at > seen_at and one.ask.task == TASKS[0]]
    assert {one.answer.version for one in later} == {version}


def is_heard(redis: Redis, keys: RedisKeys) -> bool:
    return redis.pubsub_numsub(keys.channel)[0][1] > 0


def test_a_publish_takes_over_while_redis_is_down_and_nobody_notices(service: Service) -> None:
    with Redis.from_url(service.redis.url) as redis, Load(service, asks(24)) as load:
        load.wait_for_more(24)
        keys = RedisKeys(service.source.store.identity() or "")
        service.redis.stop()
        load.wait_for_more(24)
        takes_over(load, publish_new_version(service))
        service.redis.start()
        wait_until("the service hears Redis again", lambda: is_heard(redis, keys))
        load.wait_for_more(24)
    assert load.errors == []
    for one in load.answered:
        service.assert_right(one.ask, one.answer)
