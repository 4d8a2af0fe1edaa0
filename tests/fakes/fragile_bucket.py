"""A bucket whose server dies, or whose answers are lost, at a chosen changing request."""

from collections.abc import Iterable

from adapters.errors import StoreUnavailable
from adapters.store.files import Status
from adapters.store.objects.seam import Expected, Listed, Objects, Tag, Tagged


class FragileBucket:
    """Another bucket, in front of which a network fails.

    Args:
        inner: what answers as long as it may.
        dies_at: number of the changing request from which on nothing is reached; None for never.
        loses: numbers of the changing requests that are done, and answered by nobody.
    """

    def __init__(
        self, inner: Objects, *, dies_at: int | None = None, loses: Iterable[int] = ()
    ) -> None:
        self.name = inner.name
        self.requests: list[str] = []
        self._inner = inner
        self._dies_at = dies_at
        self._loses = set(loses)
        self._changes = 0

    def get(self, key: str, *, most: int | None = None) -> Tagged | None:
        self._asked(f"get {key}")
        return self._inner.get(key, most=most)

    def get_unless(self, key: str, known: Tagged | None) -> Tagged | None:
        self._asked(f"get {key}")
        return self._inner.get_unless(key, known)

    def put(self, key: str, data: bytes, expected: Tag = Expected.ANYTHING) -> str:
        number = self._begin(f"put {key}")
        tag = self._inner.put(key, data, expected)
        if number in self._loses:
            raise self._away()
        return tag

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._begin(f"delete {key}")
            self._inner.delete([key])

    def status(self, key: str) -> Status | None:
        self._asked(f"status {key}")
        return self._inner.status(key)

    def list(self, folder: str, *, deep: bool = False) -> Listed:
        self._asked(f"list {folder}")
        return self._inner.list(folder, deep=deep)

    @property
    def is_dead(self) -> bool:
        """Whether the request at which it dies has come."""
        return self._dies_at is not None and self._changes >= self._dies_at

    def _asked(self, request: str) -> None:
        if self.is_dead:
            raise self._away()
        self.requests.append(request)

    def _begin(self, request: str) -> int:
        self._changes += 1
        self._asked(request)
        return self._changes

    def _away(self) -> StoreUnavailable:
        return StoreUnavailable(f"store {self.name}: cannot be reached")
