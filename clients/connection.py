"""How to reach the service, and what it means when that fails. Knows no route and no body."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import inet_aton
from typing import Final, TypedDict

import httpx

from clients.errors import ServiceUnreachable, UnexpectedAnswer

# TorchServe decodes JSON and text bodies before the handler sees them; these stay bytes
_BYTES_STAY_BYTES: Final = {"Content-Type": "application/octet-stream"}

_OWN_NAMES: Final = frozenset(
    {"localhost", "localhost.localdomain", "localhost4", "localhost6"}
    | {"ip6-localhost", "ip6-loopback"}
)


class Connection(TypedDict):
    """How to reach the service, as keyword arguments of httpx's clients."""

    base_url: str
    timeout: float
    headers: dict[str, str]
    limits: httpx.Limits
    trust_env: bool


def connection(base_url: str, timeout_s: float) -> Connection:
    """Return the connection settings; an environment's proxy is not asked for loopback.

    Raises:
        ValueError: `base_url` is not an http or https address.
    """
    return Connection(
        base_url=http_url(base_url),
        timeout=timeout_s,
        headers=dict(_BYTES_STAY_BYTES),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        trust_env=not is_loopback(httpx.URL(base_url).host),
    )


def blocking_http(
    base_url: str,
    timeout_s: float,
    *,
    auth: httpx.Auth | None = None,
    transport: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """Return httpx's client for the service; see `connection`."""
    settings = connection(base_url, timeout_s)
    with _proxies_explained():
        return httpx.Client(auth=auth, transport=transport, **settings)


def async_http(
    base_url: str,
    timeout_s: float,
    *,
    auth: httpx.Auth | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Return the same for asyncio."""
    settings = connection(base_url, timeout_s)
    with _proxies_explained():
        return httpx.AsyncClient(auth=auth, transport=transport, **settings)


@contextmanager
def _proxies_explained() -> Iterator[None]:
    """Say where an address that httpx cannot use comes from.

    Raises:
        ValueError: a proxy that the environment names is none.
    """
    try:
        yield
    except (ImportError, ValueError, httpx.InvalidURL) as err:
        raise ValueError(
            f"a proxy that the environment names cannot be used ({err}); correct or unset "
            "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY"
        ) from err


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, which no proxy must be asked for.

    Args:
        host: as an address has it: a name or a number, without brackets.
    """
    name = host.lower().rstrip(".")
    if name in _OWN_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = _address(name)
    except (ValueError, OSError):
        return False
    inner = getattr(address, "ipv4_mapped", None) or address
    return inner.is_loopback or inner.is_unspecified


def _address(text: str) -> IPv4Address | IPv6Address:
    """Return an address as the system reads it, which takes 127.1 for 127.0.0.1."""
    return ip_address(text) if ":" in text else IPv4Address(inet_aton(text))


def http_url(text: str) -> str:
    """Return `text` if it is an http or https address.

    Raises:
        ValueError: it is not.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as err:
        raise ValueError(f"{text!r} is not an address: {err}") from err
    if url.scheme in {"http", "https"} and url.host:
        return text
    raise ValueError(f"{text!r} is not an address such as http://127.0.0.1:8080")


@contextmanager
def transport_errors(url: httpx.URL | str) -> Iterator[None]:
    """Turn httpx's errors into ours, in one place.

    Raises:
        ServiceUnreachable: the connection failed or took too long.
        UnexpectedAnswer: the answer's encoding is broken.
    """
    try:
        yield
    except httpx.DecodingError as err:
        raise UnexpectedAnswer(f"{url}: the answer cannot be decoded: {err}") from err
    except httpx.TimeoutException as err:
        raise ServiceUnreachable(f"{url}: no answer in time ({type(err).__name__})") from err
    except httpx.RequestError as err:
        reason = str(err) or type(err).__name__
        raise ServiceUnreachable(f"{url}: no answer: {reason}; is the service running?") from err
