"""Publishing by the store's own command. Knows what it is called and what it prints."""

import json

from clients.demo.errors import DemoError
from clients.demo.plan import Plan
from clients.demo.processes import child_output
from clients.demo.trained import Trained


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
