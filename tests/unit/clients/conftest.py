import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from clients.client import AsyncClient, Client
from tests.unit.clients.fake_service import FakeService

NOTHING: dict[str, Any] = {}
"""What a client is told beside its transport, where a test does not care."""


@pytest.fixture
def service() -> FakeService:
    return FakeService()


def call_blocking(
    service: FakeService, method: str, *args: Any, with_: dict[str, Any] = NOTHING, **kwargs: Any
) -> Any:
    with Client(transport=service.transport(), **{"retries": 0} | with_) as client:
        return getattr(client, method)(*args, **kwargs)


def call_async(
    service: FakeService, method: str, *args: Any, with_: dict[str, Any] = NOTHING, **kwargs: Any
) -> Any:
    async def once() -> Any:
        async with AsyncClient(transport=service.transport(), **{"retries": 0} | with_) as client:
            return await getattr(client, method)(*args, **kwargs)

    return asyncio.run(once())


@pytest.fixture(params=[call_blocking, call_async], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param
