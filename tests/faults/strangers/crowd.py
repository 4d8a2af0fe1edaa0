"""Strangers who come in a crowd: with large bodies, slowly, or without a word."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from tests.faults.strangers.raw import exchange

_PATIENCE_S: Final = 120.0
_DRIP_S: Final = 0.5


def rush(url: str, request: bytes, count: int) -> dict[str, int]:
    """Send a request so many times at once; return how often each status came, "cut" for none.

    Args:
        url: of the service.
        request: whole.
        count: connections, each with one.
    """
    return asyncio.run(_rush(url, request, count))


async def _rush(url: str, request: bytes, count: int) -> dict[str, int]:
    async def one() -> str:
        try:
            reply = await exchange(url, request, patience_s=_PATIENCE_S)
        except OSError:
            return "cut"
        return "cut" if reply is None else str(reply.status)

    return dict(Counter(await asyncio.gather(*(one() for _ in range(count)))))


def linger(url: str, beginnings: Sequence[bytes], seconds: float) -> int:
    """Hold connections that never come to their end; return how many the service let stand.

    Args:
        url: of the service.
        beginnings: what each says at once; then a byte now and then, if it said anything.
        seconds: how long.
    """
    return asyncio.run(_linger(url, beginnings, seconds))


async def _linger(url: str, beginnings: Sequence[bytes], seconds: float) -> int:
    address = urlsplit(url)

    async def one(beginning: bytes) -> bool:
        try:
            _, writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            return False
        try:
            writer.write(beginning)
            for _ in range(round(seconds / _DRIP_S)):
                await asyncio.sleep(_DRIP_S)
                writer.write(b"x" if beginning else b"")
                await writer.drain()
        except OSError:
            return False
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        return True

    return sum(await asyncio.gather(*map(one, beginnings)))
