"""All inference logic: queries of any tasks in, answers or errors out, in order.

Knows nothing of HTTP or TorchServe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from adapters.backbone import Backbone
from adapters.cached_store import CachedStore
from adapters.errors import AdapterError
from adapters.preprocess import ImageLimits
from adapters.prompting import features
from serving.bank import AdapterBank, AdapterKey
from serving.decoder import Decoder, Wanted
from serving.forward import Outcome, Row, answer_rows
from serving.resident import Resident

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Query:
    """One image asked about one task.

    Attributes:
        image: encoded; queries that share the object share its decoding.
        task: task id.
        top_k: at most so many labels are answered.
        version: hex digits of the version to use, or None for the current one.
    """

    image: bytes
    task: str
    top_k: int = 5
    version: str | None = None


class Engine:
    """One frozen backbone answering for every task of a store.

    Args:
        backbone: frozen, on its device.
        source: where tasks' versions and artifacts are looked up.
        bank: resident adapters.
        limits: of one image.
        max_batch: rows of one forward.
        decode_threads: images decoded side by side.
    """

    def __init__(
        self,
        backbone: Backbone,
        source: CachedStore,
        bank: AdapterBank,
        *,
        limits: ImageLimits = ImageLimits(),  # noqa: B008 (frozen)
        max_batch: int = 32,
        decode_threads: int = 2,
    ) -> None:
        self._backbone = backbone
        self._source = source
        self._bank = bank
        self._max_batch = max_batch
        self._decoder = Decoder(limits, decode_threads)

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        """Answer every query; one that fails gets its error and touches no other."""
        outcomes: dict[int, Outcome] = {}
        keys = self._resolve(queries, outcomes)
        with self._bank.lease(keys.values()) as leased:
            residents = _sort_out({i: leased[key] for i, key in keys.items()}, outcomes)
            rows = self._decode(queries, keys, residents, outcomes)
            outcomes |= answer_rows(self._backbone, rows, self._max_batch)
        return [outcomes[i] for i in range(len(queries))]

    def warm_up(self) -> None:
        """Run the bare trunk once on a full batch; raises whatever keeps it from working."""
        backbone, size = self._backbone, self._backbone.spec.image_size
        pixels = torch.zeros(self._max_batch, 3, size, size)
        with torch.inference_mode():
            features(
                backbone.trunk, backbone.spec, pixels.to(backbone.device, backbone.dtype), None
            )

    def close(self) -> None:
        """Let the decoding threads go."""
        self._decoder.close()

    def _resolve(
        self, queries: Sequence[Query], outcomes: dict[int, Outcome]
    ) -> dict[int, AdapterKey]:
        """Fix each query's version; queries of one batch that ask the same get the same."""
        found: dict[tuple[str, str | None], AdapterKey | AdapterError] = {}
        for query in queries:
            asked = (query.task, query.version)
            if asked not in found:
                found[asked] = self._look_up(query)
        return _sort_out(
            {i: found[(query.task, query.version)] for i, query in enumerate(queries)}, outcomes
        )

    def _look_up(self, query: Query) -> AdapterKey | AdapterError:
        try:
            if query.version is not None:
                version = self._source.resolve_version(query.task, query.version)
            else:
                version = self._source.current(query.task).version
            return AdapterKey(query.task, version)
        except AdapterError as error:
            return error

    def _decode(
        self,
        queries: Sequence[Query],
        keys: dict[int, AdapterKey],
        residents: dict[int, Resident],
        outcomes: dict[int, Outcome],
    ) -> list[Row]:
        wanted = [Wanted(queries[i].image, r.meta.preprocessing) for i, r in residents.items()]
        pixels = dict(zip(residents, self._decoder.decode(wanted), strict=True))
        return [
            Row(i, queries[i].top_k, keys[i], residents[i], found)
            for i, found in _sort_out(pixels, outcomes).items()
        ]


def _sort_out(
    found: Mapping[int, _Value | Exception],
    outcomes: dict[int, Outcome],
) -> dict[int, _Value]:
    """Put errors at their own places among the outcomes; return what is good."""
    good: dict[int, _Value] = {}
    for position, value in found.items():
        if isinstance(value, Exception):
            outcomes[position] = value
        else:
            good[position] = value
    return good
