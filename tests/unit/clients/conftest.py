import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fake_service import FakeService

from clients.client import AsyncClient, Client


@pytest.fixture
def service() -> FakeService:
    return FakeService()


def call_blocking(service: FakeService, method: str, *args: Any, **kwargs: Any) -> Any:
    with Client(transport=service.transport()) as client:
        return getattr(client, method)(*args, **kwargs)


def call_async(service: FakeService, method: str, *args: Any, **kwargs: Any) -> Any:
    async def once() -> Any:
        async with AsyncClient(transport=service.transport()) as client:
            return await getattr(client, method)(*args, **kwargs)

    return asyncio.run(once())


@pytest.fixture(params=[call_blocking, call_async], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param
