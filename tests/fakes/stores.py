"""Stores of every kind for the tests that hold for all of them, and what lies in them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from obstore.store import MemoryStore

from adapters.store.directory import DirectoryStore, Store, now_utc
from adapters.store.objects.bucket import Bucket
from adapters.store.objects.files import ObjectFiles
from adapters.store.objects.seam import Objects
from adapters.store.objects.store import ObjectStore

KINDS = ("directory", "bucket")


def store_of(kind: str, folder: Path, now: Callable[[], datetime] = now_utc) -> Store:
    """Return an empty store of one of `KINDS`."""
    if kind == "directory":
        return DirectoryStore(folder / "store", now=now)
    return ObjectStore(ObjectFiles(memory_bucket()), now)


def memory_bucket() -> Bucket:
    """Return an empty bucket in the memory of this process."""
    return Bucket(MemoryStore(), "s3://memory/store")


@dataclass(frozen=True)
class ObjectPlace:
    """An object that a test damages or reads, as it would a file."""

    objects: Objects
    key: str

    def __str__(self) -> str:
        return f"{self.objects.name}/{self.key}"

    def write_bytes(self, data: bytes) -> None:
        """Put it, whatever is there."""
        self.objects.put(self.key, data)

    def write_text(self, text: str) -> None:
        """Put text."""
        self.write_bytes(text.encode())

    def read_text(self) -> str:
        """Return its text; it is there."""
        found = self.objects.get(self.key)
        assert found is not None, self.key
        return found.data.decode()

    def unlink(self) -> None:
        """Delete it."""
        self.objects.delete([self.key])


def place(store: Store, task: str, *below: str) -> Path | ObjectPlace:
    """Return where a store keeps one thing of a task, there or not."""
    if not isinstance(store.files, ObjectFiles):
        return store.root.joinpath(task, *below)
    is_record = below == ("current.json",)
    key = f"records/{task}.json" if is_record else "/".join(("tasks", task, *below))
    return ObjectPlace(store.files.objects, key)


def artifact(store: Store, task: str, version: str) -> Path | ObjectPlace:
    """Return where a store keeps a version, there or not."""
    return place(store, task, "versions", f"{version}.safetensors")
