"""How a bucket is named where a store is: s3://bucket/prefix?endpoint=…&region=…&cache=….

Commands and settings hold a store's place as a path, in which two slashes are one. So both forms
are read. Keys are never part of an address: it is shown, and written to logs.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from adapters.errors import StoreUnavailable

_FORM: Final = re.compile(r"s3:/{1,2}(?P<bucket>[^/?]*)(?P<prefix>/[^?]*)?(\?(?P<query>.*))?", re.S)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._=-]+")
_KNOWN: Final = ("endpoint", "region", "cache", "cache_mib")
_USUAL: Final = "s3://bucket/prefix?endpoint=https://host:port"


@dataclass(frozen=True)
class Address:
    """Where a store's objects are.

    Attributes:
        bucket: its name.
        prefix: of all keys; empty for none.
        endpoint: of the server, None for AWS or what AWS_ENDPOINT_URL says.
        region: None for what AWS_REGION says.
        cache: a folder of this machine where services keep what they have read; None for none.
        cache_mib: how much of it, in MiB.
    """

    bucket: str
    prefix: str
    endpoint: str | None = None
    region: str | None = None
    cache: Path | None = None
    cache_mib: int = 1024

    @property
    def name(self) -> str:
        """The address as messages have it."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def is_address(place: Path | str) -> bool:
    """Return whether a store's place is a bucket, and not a folder."""
    return str(place).startswith("s3:/")


def read_address(place: Path | str) -> Address:
    """Return what the address of a bucket says.

    Raises:
        StoreUnavailable: it is not such an address; says what is wrong, and repeats no value.
    """
    found = _FORM.fullmatch(str(place))
    if found is None or not _BUCKET.fullmatch(found["bucket"]):
        raise _wrong("the name of a bucket after s3://")
    segments = [one for one in (found["prefix"] or "").split("/") if one]
    if not all(_SEGMENT.fullmatch(one) and one.strip(".") for one in segments):
        raise _wrong("letters, digits and . _ = - in the prefix")
    given = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    unknown = sorted(set(given).difference(_KNOWN))
    if unknown:
        raise _wrong(
            f"one of {', '.join(_KNOWN)} after the question mark, found {', '.join(unknown)}; "
            "keys are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    mebibytes = given.get("cache_mib", "1024")
    if not re.fullmatch("[1-9][0-9]{0,8}", mebibytes):
        raise _wrong("a number of MiB from 1 as cache_mib")
    cache = given.get("cache")
    return Address(
        bucket=found["bucket"],
        prefix="/".join(segments),
        endpoint=_endpoint(given.get("endpoint")),
        region=given.get("region") or None,
        cache=Path(cache) if cache else None,
        cache_mib=int(mebibytes),
    )


def _endpoint(text: str | None) -> str | None:
    if not text:
        return None
    found = re.fullmatch(r"(https?):/{1,2}([^/@]+)/?", text)
    if found is None:
        raise _wrong("http:// or https://, a host and a port as endpoint, without user or path")
    return f"{found[1]}://{found[2]}"


def _wrong(expected: str) -> StoreUnavailable:
    return StoreUnavailable(f"address of a store: expected {expected}; such as {_USUAL}")
