"""A promise that the adapters of one batch stay where they are until it is answered."""

from collections.abc import Iterable
from concurrent.futures import Future, wait
from typing import Protocol, runtime_checkable

from serving.errors import AdapterLoading
from serving.inference.resident import AdapterKey, Resident


@runtime_checkable
class Shelf(Protocol):
    """Where adapters are taken from; an AdapterBank is one."""

    def take(self, key: AdapterKey) -> "Resident | Future[Resident]":
        """Count one more holder of an adapter that is there, or return its load."""

    def take_loaded(self, key: AdapterKey, loaded: Resident) -> Resident:
        """Count one more holder of what a load has brought."""


class Lease:
    """The adapters of one batch.

    Attributes:
        residents: those that are there, or the error that keeps one from being there.
    """

    def __init__(self, shelf: Shelf, keys: Iterable[AdapterKey]) -> None:
        self._shelf = shelf
        self._loads: dict[AdapterKey, Future[Resident]] = {}
        self.residents: dict[AdapterKey, Resident | Exception] = {}
        for key in dict.fromkeys(keys):
            found = shelf.take(key)
            if isinstance(found, Resident):
                self.residents[key] = found
            else:
                self._loads[key] = found

    @property
    def held(self) -> list[AdapterKey]:
        """The adapters that this lease keeps in place."""
        return [key for key, found in self.residents.items() if isinstance(found, Resident)]

    @property
    def failed(self) -> dict[AdapterKey, Exception]:
        """Those that are not there, and why."""
        return {key: e for key, e in self.residents.items() if isinstance(e, Exception)}

    def wait(self, patience_s: float) -> dict[AdapterKey, Resident | Exception]:
        """Return what was still loading; an adapter that takes longer is an `AdapterLoading`.

        Its load goes on, for whoever asks again.
        """
        wait(self._loads.values(), patience_s)
        late = {key: self._outcome(key, load, patience_s) for key, load in self._loads.items()}
        self.residents |= late
        self._loads.clear()
        return late

    def _outcome(
        self, key: AdapterKey, load: Future[Resident], patience_s: float
    ) -> Resident | Exception:
        if not load.done():
            return AdapterLoading(
                f"{key.task}: its adapter is still being loaded after {patience_s:g} s; ask again"
            )
        try:
            return self._shelf.take_loaded(key, load.result())
        except Exception as error:  # belongs to this adapter alone, whatever it is
            return error
