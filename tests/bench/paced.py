"""A device that is only a pace: it takes as long as it is told for its rows, and computes nothing.

Its tensors are torch's `meta` ones, which have shapes and no numbers. So the host does all that it
does for a GPU: pictures are put together for the copy, and operations are dispatched.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from unittest.mock import patch

import torch
from torch import Tensor

from adapters.artifact.preprocessing import Preprocessing
from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.vit import crops
from adapters.vit.backbone import Backbone
from serving.forward import forward
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.protocol import DEFAULT_TOP_K
from serving.trunk.backend import Addresses, Example, Form, Step
from tests.bench.models import TINY, make_backbone

_BANK_BYTES: Final = 1 << 30


class Pace:
    """When the device is done with what it was given.

    Attributes:
        busy_s: seconds that all its rows took until now.
        idle_s: seconds in which it waited for rows, between two that it was given at one pace.
        free_at: when it is done with the rows that it has; None before the first at this pace.
    """

    def __init__(self) -> None:
        self._row_s = 0.0
        self.busy_s = 0.0
        self.idle_s = 0.0
        self.free_at: float | None = None

    def set(self, row_s: str) -> float:
        """Take so many seconds for a row from now on; return them."""
        self._row_s = float(row_s)
        self.free_at = None
        return self._row_s

    def give(self, rows: int) -> None:
        """Let it compute rows after those that it has."""
        now, taken = time.perf_counter(), rows * self._row_s
        free_at = now if self.free_at is None else self.free_at
        self.idle_s += max(0.0, now - free_at)
        self.busy_s += taken
        self.free_at = max(free_at, now) + taken


class PacedBackend:
    """Runs nothing; see `Backend` and `Steps`, which it is both."""

    key_alignment = 32
    forks = None

    def __init__(self, backbone: Backbone, pace: Pace) -> None:
        self.backbone = backbone
        self._pace = pace

    @property
    def steps(self) -> "PacedBackend":
        """This one."""
        return self

    @property
    def exact(self) -> "PacedBackend":
        """This one."""
        return self

    def warm_up(self, examples: Sequence[Example]) -> None:
        """Do nothing."""

    def doubt(self, form: Form) -> float:
        """Return 0."""
        return 0.0

    def features(self, form: Form, pixels: Tensor, prompts: object) -> Tensor:
        """Return features without numbers."""
        return pixels.new_empty(len(pixels), self.backbone.spec.width)

    def take(self, form: Form, rows: int) -> bool:
        """Every step."""
        return True

    def run(
        self, form: Form, crops: Tensor, rules: Sequence[Preprocessing], rows: Sequence[Addresses]
    ) -> Step:
        """Let the device be busy; each row's best classes are the first ones."""
        self._pace.give(len(rows))
        classes = torch.arange(DEFAULT_TOP_K).expand(len(rows), -1)
        scores = torch.full(classes.shape, 0.2)
        return Step(self.features(form, crops, None), scores, classes, torch.zeros(len(rows)))


class PacedFetched:
    """What `Fetched` is to a real device: the answers, once it is done."""

    def __init__(self, pace: Pace, tensors: Sequence[Tensor]) -> None:
        self._tensors = list(tensors)
        self._there_at = pace.free_at or 0.0

    def wait(self) -> list[Tensor]:
        """Sleep until the device is done with these rows."""
        time.sleep(max(0.0, self._there_at - time.perf_counter()))
        return self._tensors


class PacedCore(Core):
    """A core on such a device."""

    def __init__(self, store: Path, pace: Pace) -> None:
        backbone = make_backbone(TINY)
        backbone.trunk.to("meta")
        source = CachedStore(DirectoryStore(store))
        bank = AdapterBank(backbone, source, _BANK_BYTES)
        super().__init__(PacedBackend(backbone, pace), source, bank)
        source.watch()
        self.warm_up(source.tasks())

    @property
    def in_flight(self) -> int:
        """As many as CUDA has."""
        return 2


@contextmanager
def paced_core(store: Path, pace: Pace) -> Iterator[PacedCore]:
    """Yield a core whose forwards take what the pace says.

    Args:
        store: with the tasks, which are all made resident.
        pace: of the device.
    """
    fetched = patch.object(forward, "Fetched", partial(PacedFetched, pace))
    with fetched, patch.object(crops, "_add_up_part", _no_sums):
        yield PacedCore(store, pace)


def _no_sums(source: Tensor, lines: Tensor, _: Tensor, offsets: Tensor, __: Tensor) -> Tensor:
    """Return what a device's kernels would fill; torch's `meta` takes far longer than they do."""
    return source.new_empty(len(lines), offsets.shape[1], 3)
