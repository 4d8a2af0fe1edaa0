"""The service's client, blocking and async: when to send. `wire` knows what, `connection` where.

```python
with Client("http://127.0.0.1:8080") as client:
    answer = client.predict("cat.jpg", task="pets")
    print(answer.predictions[0].label)
```
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self, Unpack

import httpx

from clients.connection import async_http, blocking_http, transport_errors
from clients.credentials import Credentials
from clients.defaults import DEFAULT_MODEL, DEFAULT_URL
from clients.lists import build_list_call, parse_list
from clients.wire import (
    BatchInfo,
    Call,
    Image,
    Options,
    build_call,
    parse_answer,
    parse_batch,
    parse_many,
)
from serving.protocol import Answer, MultiAnswer


class Client:
    """Ask the service, one call at a time. Close it, or use it in a `with` statement.

    Args:
        base_url: the service's address.
        model: the model's name in the service, the first part of the route.
        timeout_s: longest wait for connecting, sending or the next bytes of the answer.
        api_key: a tenant's key, where the service has tenants.
        token: the service's token, where the service wants it.
        token_file: a file with the token instead, read again when the token has run out.
        transport: stands in for the network, in tests.

    Every call raises `OSError` for a file that cannot be read, `ValueError` for arguments that
    make no call or a file without a token, and else a `ClientError`.
    """

    def __init__(  # noqa: PLR0913
        self,
        base_url: str = DEFAULT_URL,
        *,
        model: str = DEFAULT_MODEL,
        timeout_s: float = 30.0,
        api_key: str | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._model = model
        credentials = Credentials(api_key, token, token_file)
        self._http = blocking_http(base_url, timeout_s, auth=credentials, transport=transport)

    def predict(
        self, image: Image, *, task: str, version: str | None = None, **options: Unpack[Options]
    ) -> Answer:
        """Return what `task` says of the image: its best classes, best first.

        Args:
            image: a file, its path, or pixels.
            task: its id.
            version: hex digits of the version to ask; None is the current one.
            options: see `Options`.

        Raises:
            ClientError: the service refused, broke, or could not be reached.
        """
        return self.predict_with_batch(image, task=task, version=version, **options)[0]

    def predict_with_batch(
        self, image: Image, *, task: str, version: str | None = None, **options: Unpack[Options]
    ) -> tuple[Answer, BatchInfo | None]:
        """Like `predict`, and which forward answered, where the service says so."""
        call = build_call(self._model, image, [task], options, version)
        response = self._send(call)
        return parse_answer(response, task), parse_batch(response.headers)

    def predict_many(
        self, image: Image, *, tasks: Sequence[str], **options: Unpack[Options]
    ) -> MultiAnswer:
        """Return one `Answer` or `Failure` per task, in the order asked.

        Raises:
            ClientError: not one task answered; it is the first task's failure.
        """
        call = build_call(self._model, image, tasks, options)
        return parse_many(self._send(call), tasks)

    def predict_images(
        self, images: Sequence[Image], *, tasks: Sequence[str], **options: Unpack[Options]
    ) -> tuple[MultiAnswer, ...]:
        """Return what `predict_many` returns of each image, in their order; it is one call.

        Of an image that is refused all entries are failures.

        Raises:
            ClientError: no task answered of any image; it is the first failure.
        """
        call = build_list_call(self._model, images, tasks, options)
        return parse_list(self._send(call), len(images), tasks)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _send(self, call: Call) -> httpx.Response:
        with transport_errors(self._http.base_url):
            return self._http.post(
                call.path, params=call.params, content=call.content, headers=call.headers
            )


class AsyncClient:
    """`Client` for asyncio: the same arguments, calls and errors."""

    def __init__(  # noqa: PLR0913
        self,
        base_url: str = DEFAULT_URL,
        *,
        model: str = DEFAULT_MODEL,
        timeout_s: float = 30.0,
        api_key: str | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._model = model
        credentials = Credentials(api_key, token, token_file)
        self._http = async_http(base_url, timeout_s, auth=credentials, transport=transport)

    async def predict(
        self, image: Image, *, task: str, version: str | None = None, **options: Unpack[Options]
    ) -> Answer:
        """See `Client.predict`."""
        answer, _ = await self.predict_with_batch(image, task=task, version=version, **options)
        return answer

    async def predict_with_batch(
        self, image: Image, *, task: str, version: str | None = None, **options: Unpack[Options]
    ) -> tuple[Answer, BatchInfo | None]:
        """See `Client.predict_with_batch`."""
        call = build_call(self._model, image, [task], options, version)
        response = await self._send(call)
        return parse_answer(response, task), parse_batch(response.headers)

    async def predict_many(
        self, image: Image, *, tasks: Sequence[str], **options: Unpack[Options]
    ) -> MultiAnswer:
        """See `Client.predict_many`."""
        call = build_call(self._model, image, tasks, options)
        return parse_many(await self._send(call), tasks)

    async def predict_images(
        self, images: Sequence[Image], *, tasks: Sequence[str], **options: Unpack[Options]
    ) -> tuple[MultiAnswer, ...]:
        """See `Client.predict_images`."""
        call = build_list_call(self._model, images, tasks, options)
        return parse_list(await self._send(call), len(images), tasks)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def _send(self, call: Call) -> httpx.Response:
        with transport_errors(self._http.base_url):
            return await self._http.post(
                call.path, params=call.params, content=call.content, headers=call.headers
            )
