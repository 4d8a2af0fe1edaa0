"""What REDIS_URL says: a client for it, and words about it without its secrets.

Everything that redis-py takes in a URL works: redis://user:password@host:port/db, rediss:// with
ssl_ca_certs, ssl_certfile and ssl_keyfile for TLS, unix://, and socket_timeout or
socket_connect_timeout for a Redis that is far away. Sentinels that know the master are
redis+sentinel://user:password@host:port,host:port/name-of-the-master/db.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

_FORM = (
    "redis://[user:password@]host[:port][/db], rediss:// for TLS, unix://path, or "
    "redis+sentinel://[user:password@]host[:port],host[:port]/master[/db]; "
    "write '@', ':', '/', '?' and '#' in a user or password as %40, %3A, %2F, %3F and %23"
)
_SENTINEL = "redis+sentinel://"
_SENTINEL_PORT = 26379
_ONCE: dict[str, Any] = {
    # redis-py's own defaults retry ten times and stall every caller for seconds
    "retry": Retry(NoBackoff(), 0),
    "retry_on_error": (),
    "retry_on_timeout": False,
    "health_check_interval": 0,
    "decode_responses": False,
    "driver_info": None,
}
_SCHEMES = ("redis", "rediss", "unix")
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_LONGEST_REASON = 200
_parse: Callable[[str], dict[str, Any]] = parse_url  # has no annotations
_sentinel: Callable[..., Any] = Sentinel  # nor has this


def client_for(url: str, timeout_s: float) -> Redis:
    """Return a client that tries everything once; nothing is sent yet.

    Args:
        url: as REDIS_URL has it.
        timeout_s: to connect, and for each answer, unless `url` says otherwise.

    Raises:
        ValueError: `url` is not the address of a Redis; says nothing of what it holds.
    """
    if url.startswith(_SENTINEL):
        return _behind_sentinels(url, timeout_s)
    try:
        _require_database(_split(url))
        options = {**_patience(timeout_s), **_parse(url), **_ONCE}
        pool = ConnectionPool(protocol=2, **options)
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, RedisError):
        raise ValueError(f"not the address of a Redis: expected {_FORM}") from None
    for option in _FILES:
        if option in options and not Path(options[option]).is_file():
            raise ValueError(f"{option} of a Redis: there is no file {options[option]}")
    return Redis.from_pool(pool)


def _behind_sentinels(url: str, timeout_s: float) -> Redis:
    try:
        login, _, rest = url.removeprefix(_SENTINEL).rpartition("@")
        hosts, _, path = rest.partition("/")
        name, _, query = path.partition("?")
        master, _, database = name.partition("/")
        if not master or "@" in query:
            raise ValueError("no name of a master")
        # everything but the hosts is said as for one Redis
        place = f"redis://{login}{'@' if login else ''}h/{database}?{query}"
        _require_database(_split(place))
        options = {**_patience(timeout_s), **_parse(place), **_ONCE}
        del options["host"]
        sentinels = [_host_and_port(host) for host in hosts.split(",")]
        asking = {**_patience(timeout_s), "retry": _ONCE["retry"], "driver_info": None}
        known = _sentinel(sentinels, sentinel_kwargs=asking)
        client: Redis = known.master_for(master, protocol=2, **options)
    except (KeyError, TypeError, ValueError, RedisError):
        raise ValueError(f"not the address of a Redis: expected {_FORM}") from None
    return client


def _require_database(parts: SplitResult) -> None:
    """Refuse a database that is no number: redis-py would take the first one instead."""
    number = parts.path.removeprefix("/")
    if parts.scheme != "unix" and number and not (number.isascii() and number.isdigit()):
        raise ValueError(f"expected the number of a database, found {number!r}")


def _host_and_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path:
        raise ValueError(f"expected host[:port], found {text!r}")
    return parts.hostname, parts.port or _SENTINEL_PORT


def _patience(timeout_s: float) -> dict[str, Any]:
    return {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}


def public_address(url: str) -> str:
    """Return scheme, host, port and path of a Redis' address: what may be printed and logged."""
    if url.startswith(_SENTINEL):
        return _SENTINEL + url.removeprefix(_SENTINEL).rpartition("@")[2].partition("?")[0]
    try:
        parts = _split(url)
    except ValueError:
        return "an address that is not one"
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}"


def reason(error: BaseException, client: Redis) -> str:
    """Return one short line about an error, without the password that a server may repeat."""
    text = str(error)
    if isinstance(error, MasterNotFoundError):
        text = text.partition(" : ")[0]  # what follows are the insides of redis-py
    secret = client.connection_pool.connection_kwargs.get("password")
    if secret:
        text = text.replace(secret, "***")
    code = getattr(error, "status_code", None) or type(error).__name__
    line = " ".join(f"{code}: {text}".split())
    return "".join(c if c.isprintable() else "?" for c in line)[:_LONGEST_REASON]


def _split(url: str) -> SplitResult:
    """Split an address; one whose password was taken for a path or a port is refused."""
    parts = urlsplit(url)
    is_whole = "@" not in f"{parts.path}{parts.query}{parts.fragment}" and parts.port != 0
    if not is_whole or parts.scheme not in _SCHEMES:
        raise ValueError(f"expected {_FORM}")
    return parts
