"""Redis killed, emptied, slow, black-holed and full under load: nobody notices for long."""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from redis.exceptions import ResponseError

from tests.fakes.waiting import wait_until
from tests.faults.row import Row
from tests.faults.scene.scene import Scene
from tests.faults.scene.trials import Fault, try_all
from tests.faults.sizes import Sizes

_DELAY_S: Final = 0.1
_ROOM_BYTES: Final = 200_000
_PATIENCE_S: Final = 30.0


def _kill(scene: Scene) -> None:
    scene.service.redis.stop()


def _empty(scene: Scene) -> None:
    scene.service.redis.stop()
    scene.service.redis.start()


def _slow_down(scene: Scene) -> None:
    scene.proxy.delays(_DELAY_S)


def _swallow(scene: Scene) -> None:
    scene.proxy.swallows()


def _fill(scene: Scene) -> None:
    redis = scene.raw_redis
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] + _ROOM_BYTES)
    try:
        for number in range(_ROOM_BYTES):
            redis.set(f"filling:{number}", bytes(1000))
    except ResponseError:  # out of memory
        return
    raise AssertionError("Redis has room for more than its maxmemory")


FAULTS: Final[Mapping[str, Callable[[Scene], None]]] = {
    "killed": _kill,
    "restarted empty": _empty,
    f"slow by {_DELAY_S * 1e3:.0f} ms": _slow_down,
    "black-holed": _swallow,
    "full": _fill,
}


def run(scene: Scene, sizes: Sizes) -> Row:
    """Break Redis in every way while all tasks are asked, and mend it again."""
    mends = partial(_mend, scene)
    faults = {name: Fault(partial(breaks, scene), mends) for name, breaks in FAULTS.items()}
    return try_all(scene, sizes, faults).row(scene, f"Redis {', '.join(FAULTS)} under load")


def _mend(scene: Scene) -> float:
    """Mend Redis, and empty it; return the seconds until the service uses it again."""
    redis = scene.raw_redis
    scene.service.redis.start()
    redis.config_set("maxmemory", 0)
    redis.flushall()
    scene.proxy.passes()
    mended = time.perf_counter()

    try:
        wait_until("the service uses Redis", scene.hears_publishes, timeout_s=_PATIENCE_S)
    except AssertionError:
        return math.inf
    return time.perf_counter() - mended
