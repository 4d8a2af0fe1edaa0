"""The service's client, blocking and async. `calls` knows what is said, `transports` says it.

```python
from clients import Client

with Client("http://127.0.0.1:8080", token_file="runs/serve/inference.token") as client:
    answer = client.predict("photo.jpg", task="digits")
    print(answer.top.label, answer.top.score)
```
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self, Unpack

import httpx

from clients.asking.batch import BatchItem, BatchResult
from clients.asking.calls import Calls, OnItem
from clients.asking.progress import progress_bar
from clients.asking.transports import AsyncTransport, BlockingTransport
from clients.connection import async_http, blocking_http
from clients.credentials import Credentials
from clients.defaults import DEFAULT_MODEL, DEFAULT_URL, RETRIES
from clients.images.content import Image
from clients.images.sources import sources_of
from clients.wire import BatchInfo, Options, embedding_of
from serving.protocol import Answer, MultiAnswer, TaskInfo

_AT_ONCE: Final = 8
_DEADLINE_S: Final = 60.0


def _ignore(_: BatchItem) -> None:
    """Do nothing."""


class Client:
    """Ask the service. Close it, or use it in a `with` statement; safe for many threads.

    ```python
    from clients import Client

    with Client("http://127.0.0.1:8080", token_file="runs/serve/inference.token") as client:
        client.wait_ready()
        print([task.task for task in client.tasks()])
        for item in client.predict_batch(["photo.jpg"], task="digits"):
            print(item.image, item.top.label if item.ok else item.errors)
    ```

    Args:
        base_url: the service's address.
        model: the model's name in the service, the first part of the route.
        timeout_s: longest wait of an attempt for connecting, sending or the next bytes.
        retries: how often a call is sent again that may be answered later: after an error that is
            `retryable`, or a 500 of unknown cause. Waits grow from 0.1 s to 5 s, at random, and
            are never shorter than the service's `Retry-After`.
        deadline_s: for all attempts of a call and the waits between them.
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
        retries: int = RETRIES,
        deadline_s: float = _DEADLINE_S,
        api_key: str | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._calls = Calls(model, retries, deadline_s)
        credentials = Credentials(api_key, token, token_file)
        http = blocking_http(base_url, timeout_s, auth=credentials, transport=transport)
        self._transport = BlockingTransport(http, timeout_s)

    def predict(
        self, image: Image, *, task: str, version: str | None = None, **options: Unpack[Options]
    ) -> Answer:
        """Return what `task` says of the image: its best classes, best first.

        Args:
            image: its path, its bytes, an open file, an image of Pillow's, an array of uint8
                `[H, W, 3]`, or an http address, from which this process fetches it.
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
        return self._transport.run(self._calls.one(image, task, version, options))

    def predict_many(
        self, image: Image, *, tasks: Sequence[str], **options: Unpack[Options]
    ) -> MultiAnswer:
        """Return one `Answer` or `Failure` per task, in the order asked.

        Raises:
            ClientError: not one task answered; it is the first task's failure.
        """
        return self._transport.run(self._calls.many(image, tasks, options))

    def predict_batch(
        self,
        images: Image | Iterable[Image],
        *,
        task: str | Sequence[str],
        version: str | None = None,
        concurrency: int = _AT_ONCE,
        progress: bool = False,
        on_item: OnItem = _ignore,
        **options: Unpack[Options],
    ) -> BatchResult:
        """Return what became of every image, in the order given.

        An image that fails costs no other one: its item holds the error, and reading its answer
        raises it. An image is asked again until `deadline_s` has passed, up to a dozen times; while
        nobody listens, as a service that is being restarted, without a limit. Once nothing at all
        has been answered for `deadline_s`, what is left is tried once.

        ```python
        from clients import Client

        with Client("http://127.0.0.1:8080", token_file="runs/serve/inference.token") as client:
            result = client.predict_batch("*.jpg", task=["digits", "shapes"], concurrency=4)
            print(result, result[0]["digits"].top.label, result[0]["shapes"].top.label)
        ```

        Args:
            images: as `predict` takes them, and folders and patterns such as `photos/**/*.jpg`,
                one or any number; what is iterated is taken as it is needed.
            task: its id, or several, which are asked in one call.
            version: of the one task; None is the current one.
            concurrency: how many images are asked about at the same time.
            progress: show a bar on standard error.
            on_item: told of each item, in order.
            options: see `Options`.

        Raises:
            ValueError: arguments that make no batch, or a folder or pattern without images.
        """
        sources = sources_of(images)
        with progress_bar(sources.total, is_wanted=progress) as advance:
            batch = self._calls.batch(sources, task, version, options, on_item, advance)
            self._transport.work(batch, concurrency)
        return batch.result()

    def embed(self, image: Image, *, task: str, version: str | None = None) -> tuple[float, ...]:
        """Return the pooled feature that the task's head reads, under the task's own prompts.

        Args:
            image: as `predict` takes it.
            task: its id.
            version: as `predict` takes it.
        """
        return embedding_of(self.predict(image, task=task, version=version, embed=True))

    def tasks(self) -> list[TaskInfo]:
        """Return all tasks that this caller may ask, and their current versions, by name."""
        return self._transport.run(self._calls.tasks())

    def task(self, name: str, *, samples: bool = False, card: bool = False) -> TaskInfo:
        """Return one task with its classes, its method, its metrics and its last versions.

        Args:
            name: its id.
            samples: also its sample images, small JPEGs as base64; most tasks have none.
            card: also its model card, in Markdown, if it has one.

        Raises:
            TaskNotFound, Forbidden: there is none, or it is not for this caller.
        """
        return self._transport.run(self._calls.task(name, samples=samples, card=card))

    def wait_ready(self, patience_s: float = 60.0) -> None:
        """Return once the service answers.

        Args:
            patience_s: longest wait.

        Raises:
            ClientError: it does not, or never will: such as `BadKey`.
        """
        self._transport.run(self._calls.ready(patience_s))

    def predict_images(
        self, images: Sequence[Image], *, tasks: Sequence[str], **options: Unpack[Options]
    ) -> tuple[MultiAnswer, ...]:
        """Return what `predict_many` returns of each image, in their order; it is one call.

        Of an image that is refused all entries are failures.

        Raises:
            ClientError: no task answered of any image; it is the first failure.
        """
        return self._transport.run(self._calls.images(images, tasks, options))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncClient:
    """`Client` for asyncio: the same arguments, calls and errors.

    ```python
    import asyncio

    from clients import AsyncClient

    async def main() -> None:
        token = "runs/serve/inference.token"
        async with AsyncClient("http://127.0.0.1:8080", token_file=token) as client:
            answer = await client.predict("photo.jpg", task="digits")
            print(answer.top.label, answer.top.score)

    asyncio.run(main())
    ```
    """

    def __init__(  # noqa: PLR0913
        self,
        base_url: str = DEFAULT_URL,
        *,
        model: str = DEFAULT_MODEL,
        timeout_s: float = 30.0,
        retries: int = RETRIES,
        deadline_s: float = _DEADLINE_S,
        api_key: str | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._calls = Calls(model, retries, deadline_s)
        credentials = Credentials(api_key, token, token_file)
        http = async_http(base_url, timeout_s, auth=credentials, transport=transport)
        self._transport = AsyncTransport(http, timeout_s)

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
        return await self._transport.run(self._calls.one(image, task, version, options))

    async def predict_many(
        self, image: Image, *, tasks: Sequence[str], **options: Unpack[Options]
    ) -> MultiAnswer:
        """See `Client.predict_many`."""
        return await self._transport.run(self._calls.many(image, tasks, options))

    async def predict_batch(
        self,
        images: Image | Iterable[Image],
        *,
        task: str | Sequence[str],
        version: str | None = None,
        concurrency: int = _AT_ONCE,
        progress: bool = False,
        on_item: OnItem = _ignore,
        **options: Unpack[Options],
    ) -> BatchResult:
        """See `Client.predict_batch`."""
        sources = sources_of(images)
        with progress_bar(sources.total, is_wanted=progress) as advance:
            batch = self._calls.batch(sources, task, version, options, on_item, advance)
            await self._transport.work(batch, concurrency)
        return batch.result()

    async def embed(
        self, image: Image, *, task: str, version: str | None = None
    ) -> tuple[float, ...]:
        """See `Client.embed`."""
        return embedding_of(await self.predict(image, task=task, version=version, embed=True))

    async def tasks(self) -> list[TaskInfo]:
        """See `Client.tasks`."""
        return await self._transport.run(self._calls.tasks())

    async def task(self, name: str, *, samples: bool = False, card: bool = False) -> TaskInfo:
        """See `Client.task`."""
        return await self._transport.run(self._calls.task(name, samples=samples, card=card))

    async def wait_ready(self, patience_s: float = 60.0) -> None:
        """See `Client.wait_ready`."""
        await self._transport.run(self._calls.ready(patience_s))

    async def predict_images(
        self, images: Sequence[Image], *, tasks: Sequence[str], **options: Unpack[Options]
    ) -> tuple[MultiAnswer, ...]:
        """See `Client.predict_images`."""
        return await self._transport.run(self._calls.images(images, tasks, options))

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
