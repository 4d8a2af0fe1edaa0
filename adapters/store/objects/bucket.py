"""A bucket behind obstore: S3 and what speaks it, or the memory of this process."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from adapters.errors import StoreUnavailable
from adapters.store.files import Status
from adapters.store.objects.address import Address
from adapters.store.objects.seam import Changed, Expected, Listed, Tag, Tagged

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

_REQUEST_S: Final = 10
_CONNECT_S: Final = 3
_RETRIES: Final = 2
_CHANGED: Final = (AlreadyExistsError, PreconditionError)
_CONFLICTS: Final = ("ConditionalRequestConflict", "409 Conflict")


def open_bucket(address: Address) -> "Bucket":
    """Return a bucket that nothing is asked of yet; keys are those of the usual AWS variables."""
    endpoint = address.endpoint or os.environ.get("AWS_ENDPOINT_URL")
    region = address.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    client = S3Store(
        address.bucket,
        prefix=address.prefix or None,
        endpoint=endpoint,
        region=region or "us-east-1",
        client_options={
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=_REQUEST_S),
        },
        retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=2 * _REQUEST_S)},
    )
    return Bucket(client, address.name)


class Bucket:
    """The operations of `Objects` in a bucket.

    Args:
        client: of obstore.
        name: its address, as messages have it.
    """

    def __init__(self, client: "Client", name: str) -> None:
        self.name = name
        self._client = client

    def get(self, key: str, *, most: int | None = None) -> Tagged | None:
        """Return an object, or its first `most` bytes; None where there is none."""
        with self._reaching(key):
            return self._got(key, None if most is None else {"range": (0, most)})

    def get_unless(self, key: str, known: Tagged | None) -> Tagged | None:
        """Return an object; `known` itself, without its bytes on the way, if it is still that."""
        with self._reaching(key):
            try:
                return self._got(key, None if known is None else {"if_none_match": known.tag})
            except NotModifiedError:
                return known

    def put(self, key: str, data: bytes, expected: Tag = Expected.ANYTHING) -> str:
        """Write a whole object and return its tag; Changed if it is not as expected."""
        mode = _mode(expected)
        with self._reaching(key):
            try:
                told = obstore.put(self._client, key, data, mode=mode, use_multipart=False)
            except _CHANGED as error:
                raise Changed(key) from error
            except FileNotFoundError as error:
                if _has_no_bucket(error) or not isinstance(expected, str):
                    raise
                raise Changed(key) from error  # it was deleted
            except BaseError as error:
                if any(one in str(error) for one in _CONFLICTS):
                    raise Changed(key) from error
                raise
        if told["e_tag"] is None:
            raise self._unconditional()
        return told["e_tag"]

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, those that are there."""
        for key in keys:
            with self._reaching(key):
                try:
                    obstore.delete(self._client, key)
                except FileNotFoundError as error:
                    if _has_no_bucket(error):
                        raise

    def status(self, key: str) -> Status | None:
        """Return what is known of an object without reading it, None where there is none."""
        with self._reaching(key):
            try:
                found = obstore.head(self._client, key)
            except FileNotFoundError:
                return None
            return Status(found["size"], found["last_modified"])

    def list(self, folder: str, *, deep: bool = False) -> Listed:
        """Return what is in a folder, or with `deep` everything below it."""
        with self._reaching(folder):
            if deep:
                pages = obstore.list(self._client, folder or None)
                return Listed([one["path"] for page in pages for one in page], [])
            found = obstore.list_with_delimiter(self._client, folder or None)
            folders = [one.rstrip("/").rpartition("/")[2] for one in found["common_prefixes"]]
            return Listed([one["path"] for one in found["objects"]], folders)

    def _got(self, key: str, options: "obstore.GetOptions | None") -> Tagged | None:
        try:
            found = obstore.get(self._client, key, options=options)
        except FileNotFoundError as error:
            if _has_no_bucket(error):
                raise
            return None
        tag = found.meta["e_tag"]
        if tag is None:
            raise self._unconditional()
        return Tagged(found.bytes().to_bytes(), tag, found.meta["size"])

    @contextmanager
    def _reaching(self, key: str) -> Iterator[None]:
        """Say in our words what went wrong in this block, and what to do.

        Raises:
            StoreUnavailable: the bucket cannot be used.
        """
        place = f"store {self.name}"
        try:
            yield
        except NotModifiedError:
            raise
        except FileNotFoundError as error:
            raise StoreUnavailable(
                f"{place}: there is no such bucket; check the address, or make the bucket"
            ) from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise StoreUnavailable(
                f"{place}: no right to use {key or 'it'} ({_reason(error)}); check "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role: it has to "
                "get, put, delete and list"
            ) from error
        except (NotSupportedError, NotImplementedError) as error:
            raise self._unconditional() from error
        except (BaseError, OSError) as error:
            raise StoreUnavailable(
                f"{place}: {key or 'it'} cannot be reached ({_reason(error)}); check the address, "
                "the network and the bucket's server"
            ) from error

    def _unconditional(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"store {self.name}: the server does not keep to If-Match and If-None-Match when it is "
            "written to, so publishers would overwrite each other; use one that does, such as AWS "
            "or SeaweedFS"
        )


def _mode(expected: Tag) -> "obstore.PutMode":
    if expected is Expected.ANYTHING:
        return "overwrite"
    return "create" if isinstance(expected, Expected) else {"e_tag": expected}


def _has_no_bucket(error: Exception) -> bool:
    return "NoSuchBucket" in str(error)


def _reason(error: Exception) -> str:
    """Return the first line of what obstore says, without its copy of the whole error."""
    text = str(error).strip().partition("\n")[0]
    return text[:200] or type(error).__name__
