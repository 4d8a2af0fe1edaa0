"""The demo's own service: on ports that are free, and gone when the demo is.

Knows the command `python -m serving` and the record it leaves.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import BaseModel
from rich.console import Console

from clients.demo.errors import DemoError
from clients.demo.plan import Plan
from clients.demo.processes import child_output, relay_child, undisturbed
from clients.demo.trained import Trained

_PORTS: Final = range(18080, 30000, 10)
_PORTS_OF_A_SERVICE: Final = 3


class Service(BaseModel):
    """Where the service listens, as it wrote it down itself."""

    url: str
    redis_url: str | None = None


@contextmanager
def running_service(console: Console, plan: Plan) -> Iterator[Service]:
    """Start Redis and TorchServe, and stop them on every way out.

    Raises:
        DemoError: the service did not become ready, or did not stop.
    """
    words = ("serving", "--folder", str(plan.service))
    place = ("--store", str(plan.store), "--port", str(_free_port()))
    try:
        relay_child(console, "loading the backbone …", *words, "start", "--no-token", *place)
        yield Service.model_validate_json((plan.service / "service.json").read_bytes())
    finally:
        with undisturbed():
            stop_service(console, plan)


def stop_service(console: Console, plan: Plan) -> None:
    """Stop what runs in the plan's service folder, be it from an earlier demo.

    Raises:
        DemoError: it did not stop.
    """
    if (plan.service / "service.json").exists():
        folder = str(plan.service)
        relay_child(console, "stopping …", "serving", "--folder", folder, "stop")


def _free_port() -> int:
    for first in _PORTS:
        if all(_is_free(first + i) for i in range(_PORTS_OF_A_SERVICE)):
            return first
    raise DemoError(
        f"no {_PORTS_OF_A_SERVICE} free ports in a row from {_PORTS.start} to {_PORTS.stop} on "
        "127.0.0.1; stop what listens there"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def publish(plan: Plan, trained: Trained, redis_url: str | None = None) -> str:
    """Publish an adapter in the demo's store and return its version.

    Args:
        plan: knows the store.
        trained: has the adapter's file.
        redis_url: where running services listen for news.

    Raises:
        DemoError: the command failed, or does not tell the version.
    """
    words = ("adapters", "publish", str(trained.artifact), "--store", str(plan.store), "--json")
    printed = await child_output(*words, redis_url=redis_url)
    try:
        return str(json.loads(printed)["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise DemoError(
            f"python -m {' '.join(words)}: expected JSON with a version, found {printed[:200]!r}"
        ) from error
