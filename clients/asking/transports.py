"""The two ways to have a conversation: with threads, and with asyncio. They decide nothing."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final, TypeVar

import httpx

from clients.asking.batch import Batch
from clients.asking.conversation import Conversation, Load, Pause, Step
from clients.connection import transport_errors
from clients.errors import ClientError
from clients.images.content import Image, content_of, is_url
from clients.images.fetching import fetch, fetch_async
from clients.tracing import traced

_T = TypeVar("_T")

_LEAST_S: Final = 0.001


class BlockingTransport:
    """Sends and waits in the caller's thread.

    Args:
        http: reaches the service; closed with it.
        timeout_s: longest wait of an attempt for connecting, sending or the next bytes.
    """

    def __init__(self, http: httpx.Client, timeout_s: float) -> None:
        self._http = http
        self._timeout_s = timeout_s

    def run(self, conversation: Conversation[_T]) -> _T:
        """Have a conversation; return what it returns, or raise what it raises."""
        try:
            step = next(conversation)
            while True:
                try:
                    found = self._do(step)
                except (ClientError, OSError, ValueError) as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(found)
        except StopIteration as done:
            return done.value

    def work(self, batch: Batch, concurrency: int) -> None:
        """Have all conversations of a batch, so many at a time."""

        def ask() -> None:
            for index, source in batch:
                batch.finish(index, self.run(batch.conversation(source)))

        with ThreadPoolExecutor(len(_askers(concurrency)), "predict") as askers:
            try:
                told = [askers.submit(copy_context().run, ask) for _ in range(concurrency)]
                for asker in told:
                    asker.result()
            finally:
                batch.stop()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _do(self, step: Step) -> Any:
        timeout_s = _timeout(self._timeout_s, step)
        match step:
            case Pause():
                return time.sleep(step.patience_s)
            case Load():
                return _load(step.image, timeout_s)
        call = step.call
        with transport_errors(self._http.base_url), traced(call) as span:
            response = self._http.request(
                call.method,
                call.path,
                params=call.params,
                content=call.content,
                headers=call.headers | span.headers,
                timeout=timeout_s,
            )
            span.answered(response.status_code)
            return response


class AsyncTransport:
    """Does the same for asyncio; arguments as there."""

    def __init__(self, http: httpx.AsyncClient, timeout_s: float) -> None:
        self._http = http
        self._timeout_s = timeout_s

    async def run(self, conversation: Conversation[_T]) -> _T:
        """Have a conversation; return what it returns, or raise what it raises."""
        try:
            step = next(conversation)
            while True:
                try:
                    found = await self._do(step)
                except (ClientError, OSError, ValueError) as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(found)
        except StopIteration as done:
            return done.value

    async def work(self, batch: Batch, concurrency: int) -> None:
        """Have all conversations of a batch, so many at a time."""

        async def ask() -> None:
            for index, source in batch:
                batch.finish(index, await self.run(batch.conversation(source)))

        askers = [asyncio.ensure_future(ask()) for _ in _askers(concurrency)]
        try:
            await asyncio.gather(*askers)
        finally:
            batch.stop()
            for asker in askers:
                asker.cancel()
            await asyncio.gather(*askers, return_exceptions=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _do(self, step: Step) -> Any:
        timeout_s = _timeout(self._timeout_s, step)
        match step:
            case Pause():
                return await asyncio.sleep(step.patience_s)
            case Load():
                return await _load_async(step.image, timeout_s)
        call = step.call
        with transport_errors(self._http.base_url), traced(call) as span:
            response = await self._http.request(
                call.method,
                call.path,
                params=call.params,
                content=call.content,
                headers=call.headers | span.headers,
                timeout=timeout_s,
            )
            span.answered(response.status_code)
            return response


def _askers(concurrency: int) -> range:
    """Return the numbers of those who ask at the same time.

    Raises:
        ValueError: there is none.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency: expected at least 1, found {concurrency}")
    return range(concurrency)


def _timeout(most_s: float, step: Step) -> float:
    """Return the longest wait of an attempt: what is left of its call, if that is less."""
    return max(_LEAST_S, min(most_s, step.patience_s))


def _load(image: Image, timeout_s: float) -> bytes:
    return fetch(image, timeout_s) if is_url(image) else content_of(image)


async def _load_async(image: Image, timeout_s: float) -> bytes:
    """Return an image's bytes; the event loop waits for no disk and no encoder."""
    if is_url(image):
        return await fetch_async(image, timeout_s)
    return image if isinstance(image, bytes) else await asyncio.to_thread(content_of, image)
