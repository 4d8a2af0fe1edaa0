"""Images at an address that the caller names: the client fetches them, never the service.

Each hop of a redirect is asked past the environment's proxies if it is this machine. No secret of
the service goes along.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import httpx

from clients.connection import async_http, blocking_http, http_url
from clients.errors import ImageNotFetched

MOST_BYTES: Final = 20_000_000
"""Of an image; the service takes 10 MB by default."""

_MOST_HOPS: Final = 6


class _Reply(NamedTuple):
    """What one hop has answered; `data` ends early where it is too much."""

    status: int
    location: str | None
    data: bytes


def fetch(url: str, timeout_s: float) -> bytes:
    """Return the bytes at an address.

    Args:
        url: http or https.
        timeout_s: longest wait for connecting or the next bytes.

    Raises:
        ImageNotFetched: there are none, or too many.
    """
    hops = _hops(url)
    place = next(hops)
    while True:
        data = bytearray()
        with (
            _explained(place),
            blocking_http(place, timeout_s) as http,
            http.stream("GET", place) as response,
        ):
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MOST_BYTES:
                    break
        try:
            place = hops.send(_reply(response, data))
        except StopIteration as done:
            return bytes(done.value)


async def fetch_async(url: str, timeout_s: float) -> bytes:
    """Do the same for asyncio."""
    hops = _hops(url)
    place = next(hops)
    while True:
        data = bytearray()
        with _explained(place):
            async with (
                async_http(place, timeout_s) as http,
                http.stream("GET", place) as response,
            ):
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > MOST_BYTES:
                        break
        try:
            place = hops.send(_reply(response, data))
        except StopIteration as done:
            return bytes(done.value)


def _hops(url: str) -> Generator[str, _Reply, bytes]:
    """Yield where to ask, take what was answered, and return the image."""
    place = _checked(url)
    for _ in range(_MOST_HOPS):
        reply = yield place
        if reply.location is not None:
            place = _checked(str(httpx.URL(place).join(reply.location)))
        elif reply.status != httpx.codes.OK:
            raise ImageNotFetched(f"{place}: expected an image, found status {reply.status}")
        elif len(reply.data) > MOST_BYTES:
            raise ImageNotFetched(
                f"{place}: expected an image of {MOST_BYTES:,} bytes at most, found more; make it "
                "smaller"
            )
        else:
            return reply.data
    raise ImageNotFetched(f"{url}: expected an image, found one redirect after the other")


def _reply(response: httpx.Response, data: bytearray) -> _Reply:
    location = response.headers["location"] if response.has_redirect_location else None
    return _Reply(response.status_code, location, bytes(data))


def _checked(url: str) -> str:
    try:
        return http_url(url)
    except ValueError as err:
        raise ImageNotFetched(str(err)) from err


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn httpx's errors into ours.

    Raises:
        ImageNotFetched: the connection failed, took too long, or brought what cannot be decoded.
    """
    try:
        yield
    except (httpx.RequestError, httpx.InvalidURL) as err:
        reason = str(err) or type(err).__name__
        raise ImageNotFetched(f"{url}: the image cannot be fetched: {reason}") from err
