"""A publish is announced, whatever Redis holds already."""

from typing import Any

from adapters.cache.redis_cache import AdapterCache
from tests.integration.test_redis import Listener, pointer


def test_a_publish_is_announced_though_a_reader_has_filled_the_place_with_it(
    cache: AdapterCache, raw: Any
) -> None:
    with Listener(raw) as listener:
        cache.set_pointer("pets", pointer(2))
        cache.publish_pointer("pets", pointer(2))
        assert len(listener.heard()) == 1
