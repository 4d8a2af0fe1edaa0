"""HTTP as bytes, for what no client would send: one connection, one request, one answer."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

ROUTE: Final = "/spt/predict"
_BYTES: Final = "application/octet-stream"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def post(
    query: str, body: bytes, headers: Mapping[str, str] | None = None, *, route: str = ROUTE
) -> bytes:
    """Return a request to ask a task, without the headers that let it in.

    Args:
        query: as it stands in the address, already quoted.
        body: of the request.
        headers: beside its length; Content-Type is that of bytes unless it is given.
        route: the path.
    """
    given = headers or {}
    kind = {} if "content-type" in map(str.lower, given) else {"Content-Type": _BYTES}
    lines = [f"POST {route}{'?' + query if query else ''} HTTP/1.1", "Host: strangers"]
    lines += [f"{name}: {value}" for name, value in {**kind, **given}.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def let_in(request: bytes, token: str, key: str | None) -> bytes:
    """Return the request with the service's token and a tenant's key, if any."""
    first, separator, rest = request.partition(b"\r\n")
    door = f"Authorization: Bearer {token}\r\n" + (f"X-Api-Key: {key}\r\n" if key else "")
    return first + separator + door.encode() + rest


async def exchange(url: str, request: bytes, *, patience_s: float = 60.0) -> Reply | None:
    """Send a request on a connection of its own.

    Args:
        url: of the service.
        request: everything that is sent.
        patience_s: longest wait for the answer; then the caller leaves.

    Returns:
        None if the connection ended, or patience did, before a whole answer had come.

    Raises:
        OSError: nobody listens.
    """
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(patience_s):
            writer.write(request)
            await writer.drain()
            return await _read(reader)
    except (OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError):
        return None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Reply(int(first.split()[1]), headers, body)
