"""What a bucket has to be able to do: get, put with an expected tag, delete, list.

Knows nothing of adapters. Every call raises StoreUnavailable when the bucket cannot be reached.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from adapters.store.files import Status


class Expected(enum.Enum):
    """What a writer expects that has seen no tag."""

    ANYTHING = "anything"
    NOTHING = "nothing"


Tag = str | Expected
"""Of an object that was read, or what is expected in place of one."""


@dataclass(frozen=True)
class Tagged:
    """An object as it was read.

    Attributes:
        data: its bytes, or the first of them.
        tag: changes whenever the bytes do.
        num_bytes: of the whole object.
    """

    data: bytes
    tag: str
    num_bytes: int


class Listed(NamedTuple):
    """The objects and folders right below a prefix, or all objects below it.

    Attributes:
        keys: of the objects.
        folders: names of the folders; empty where everything below was asked for.
    """

    keys: list[str]
    folders: list[str]


class Changed(Exception):
    """An object is not as its writer has seen it; look again."""


@runtime_checkable
class Objects(Protocol):
    """A bucket, or what behaves like one; safe for many threads.

    Attributes:
        name: its address, as messages have it.
    """

    name: str

    def get(self, key: str, *, most: int | None = None) -> Tagged | None:
        """Return an object, or its first `most` bytes; None where there is none."""

    def get_unless(self, key: str, known: Tagged | None) -> Tagged | None:
        """Return an object; `known` itself, without its bytes on the way, if it is still that."""

    def put(self, key: str, data: bytes, expected: Tag = Expected.ANYTHING) -> str:
        """Write a whole object and return its tag.

        Raises:
            Changed: it is not as `expected`; nothing was written, or it was by this very call,
                whose answer was lost.
        """

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, those that are there."""

    def status(self, key: str) -> Status | None:
        """Return what is known of an object without reading it, None where there is none."""

    def list(self, folder: str, *, deep: bool = False) -> Listed:
        """Return what is in a folder, or with `deep` everything below it; it is named `a/b`."""
