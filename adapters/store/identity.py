"""Which store a folder is: store.json in it, written once with the first publish.

Knows nothing of tasks. A store of an earlier version has no such file until the next change.
"""

import secrets
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.errors import StoreUnavailable
from adapters.store import durable

IDENTITY: Final = "store.json"
LOCK: Final = ".lock"
"""Held for a moment by who writes a file next to the tasks."""

_FORMAT: Final = 1


class Identity(BaseModel):
    """What store.json holds; readers ignore what they do not know and refuse a higher format."""

    model_config = ConfigDict(frozen=True)

    format: int = Field(_FORMAT, ge=1, le=_FORMAT)
    id: str = Field(pattern=r"^[0-9a-f]{32}$", description="drawn once, the same for ever")


def read_identity(root: Path) -> str | None:
    """Return the id of the store in this folder, None where nothing was written there yet.

    Raises:
        StoreUnavailable: the file cannot be read, is damaged, or of a later format.
    """
    path = root / IDENTITY
    with durable.reaching(path):
        data = durable.bytes_or_none(path)
    return None if data is None else parse_identity(data, path)


def parse_identity(data: bytes, place: Path | str) -> str:
    """Return the id that a store's file holds; as `read_identity`."""
    try:
        return Identity.model_validate_json(data).id
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise StoreUnavailable(
            f"store {place}: expected a format up to {_FORMAT} and an id of 32 hex digits, found "
            f"{data[:80]!r} ({first['msg']}); restore the file, or use the version that wrote it"
        ) from error


def give_identity(root: Path) -> None:
    """Write store.json in a folder that has none; of several writers at once, one does.

    Raises:
        StoreUnavailable: as `read_identity`, for nobody writes to what a later version has written.
    """
    if read_identity(root) is not None:
        return
    with durable.exclusive(root / LOCK):
        # again under the lock: the id that another writer has just drawn is the store's for ever
        if read_identity(root) is None:
            durable.write(root / IDENTITY, drawn_identity())


def drawn_identity() -> bytes:
    """Return what the file of a new store holds."""
    return Identity(format=_FORMAT, id=secrets.token_hex(16)).model_dump_json().encode()
