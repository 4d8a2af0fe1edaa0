"""All inference logic: queries of any tasks in, predictions or errors out, in order.

bytes → image → pixels → features → logits → answer. Knows nothing of HTTP or TorchServe.
Axis letters: B batch, D width, H W pixels.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.backbone import Backbone
from adapters.cached_store import CachedStore
from adapters.codec import short
from adapters.errors import AdapterError, ArtifactCorrupt
from adapters.preprocess import ImageLimits, Preprocessing, decode_image, to_pixels
from adapters.prompting import DeepPrompts, Prompts, ShallowPrompts, features
from serving.bank import AdapterBank, AdapterKey, Form, Resident
from serving.protocol import Answer, LabelScore


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


@dataclass(frozen=True, eq=False)
class _Row:
    position: int
    query: Query
    key: AdapterKey
    resident: Resident
    pixels: Float[Tensor, "3 H W"]


Outcome = Answer | Exception


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
        self._limits = limits
        self._max_batch = max_batch
        self._pool = ThreadPoolExecutor(decode_threads, thread_name_prefix="decode")

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        """Answer every query; one that fails gets its error and touches no other."""
        outcomes: dict[int, Outcome] = {}
        keys = self._resolve(queries, outcomes)
        with self._bank.lease(keys.values()) as leased:
            rows = self._prepare(queries, keys, leased, outcomes)
            for form, alike in _by_form(rows).items():
                for start in range(0, len(alike), self._max_batch):
                    chunk = alike[start : start + self._max_batch]
                    outcomes |= self._answer_or_fail(form, chunk)
        return [outcomes[i] for i in range(len(queries))]

    def warm_up(self, num_rows: int) -> None:
        """Run the bare trunk once on black images; raises whatever keeps it from working."""
        size = self._backbone.spec.image_size
        pixels = torch.zeros(num_rows, 3, size, size)
        pixels = pixels.to(self._backbone.device, self._backbone.dtype)
        with torch.inference_mode():
            features(self._backbone.trunk, self._backbone.spec, pixels, None)

    def close(self) -> None:
        """Let the decoding threads go."""
        self._pool.shutdown()

    def _resolve(
        self, queries: Sequence[Query], outcomes: dict[int, Outcome]
    ) -> dict[int, AdapterKey]:
        """Fix each query's version; queries of one batch that ask the same get the same."""
        found: dict[tuple[str, str | None], AdapterKey | AdapterError] = {}
        keys = {}
        for position, query in enumerate(queries):
            asked = (query.task, query.version)
            if asked not in found:
                found[asked] = self._look_up(query)
            key = found[asked]
            if isinstance(key, AdapterError):
                outcomes[position] = key
            else:
                keys[position] = key
        return keys

    def _look_up(self, query: Query) -> AdapterKey | AdapterError:
        try:
            if query.version is not None:
                version = self._source.resolve_version(query.task, query.version)
            else:
                version = self._source.current(query.task).version
            return AdapterKey(query.task, version)
        except AdapterError as error:
            return error

    def _prepare(
        self,
        queries: Sequence[Query],
        keys: dict[int, AdapterKey],
        leased: dict[AdapterKey, Resident | AdapterError],
        outcomes: dict[int, Outcome],
    ) -> list[_Row]:
        ready: dict[int, Resident] = {}
        for position, key in keys.items():
            resident = leased[key]
            if isinstance(resident, Resident):
                ready[position] = resident
            else:
                outcomes[position] = resident
        pixels = self._pixels({i: (queries[i].image, r) for i, r in ready.items()})
        rows = []
        for position, resident in ready.items():
            found = pixels[position]
            if isinstance(found, Exception):
                outcomes[position] = found
            else:
                rows.append(_Row(position, queries[position], keys[position], resident, found))
        return rows

    def _pixels(self, wanted: dict[int, tuple[bytes, Resident]]) -> dict[int, Tensor | Exception]:
        """Decode each distinct image once and normalise it once per distinct preprocessing."""
        images: dict[int, bytes] = {}
        rules: dict[int, set[Preprocessing]] = defaultdict(set)
        for data, resident in wanted.values():
            images[id(data)] = data
            rules[id(data)].add(resident.meta.preprocessing)
        jobs = {
            which: self._pool.submit(self._decode, data, rules[which])
            for which, data in images.items()
        }
        done = {which: job.result() for which, job in jobs.items()}
        return {
            position: found if isinstance(found, Exception) else found[row.meta.preprocessing]
            for position, (data, row) in wanted.items()
            for found in (done[id(data)],)
        }

    def _decode(
        self, data: bytes, rules: set[Preprocessing]
    ) -> dict[Preprocessing, Tensor] | Exception:
        try:
            image = decode_image(data, self._limits)
            return {rule: to_pixels(image, rule) for rule in rules}
        except Exception as error:  # belongs to this image alone, whatever it is
            return error

    def _answer_or_fail(self, form: Form, rows: list[_Row]) -> dict[int, Outcome]:
        try:
            return self._answer(form, rows)
        except Exception as error:  # one forward's failure stays with its rows
            return {row.position: error for row in rows}

    @torch.inference_mode()
    def _answer(self, form: Form, rows: list[_Row]) -> dict[int, Outcome]:
        trunk = self._backbone.trunk
        spec = self._backbone.spec.model_copy(
            update={"pooling": form.pooling, "final_norm": form.final_norm}
        )
        pixels = torch.stack([row.pixels for row in rows])
        pixels = pixels.to(self._backbone.device, self._backbone.dtype)
        pooled = features(trunk, spec, pixels, _stack_prompts(form, rows))
        outcomes: dict[int, Outcome] = {}
        for indices in _by_adapter(rows).values():
            resident = rows[indices[0]].resident
            logits = pooled[indices] @ resident.head_weight.T + resident.head_bias
            exact = torch.promote_types(logits.dtype, torch.float32)
            scores = logits.softmax(dim=1, dtype=exact).cpu()
            for index, row_scores in zip(indices, scores, strict=True):
                outcomes[rows[index].position] = _outcome(rows[index], row_scores)
        return outcomes


def _by_form(rows: list[_Row]) -> dict[Form, list[_Row]]:
    groups: dict[Form, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.resident.form].append(row)
    return groups


def _by_adapter(rows: list[_Row]) -> dict[AdapterKey, list[int]]:
    groups: dict[AdapterKey, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[row.key].append(index)
    return groups


def _stack_prompts(form: Form, rows: list[_Row]) -> Prompts:
    prefixes = [row.resident.prefix for row in rows if row.resident.prefix is not None]
    tokens = [row.resident.tokens for row in rows if row.resident.tokens is not None]
    if form.kind == "deep":
        return DeepPrompts(torch.stack(prefixes), torch.stack(tokens) if tokens else None)
    if form.kind == "shallow":
        return ShallowPrompts(torch.stack(tokens))
    return None


def _outcome(row: _Row, scores: Float[Tensor, " C"]) -> Outcome:
    names = row.resident.meta.task.class_names
    best = scores.topk(min(row.query.top_k, len(names)))
    if not bool(best.values.isfinite().all()):
        return ArtifactCorrupt(
            f"{row.key.task}: version {short(row.key.version)} gives scores that are not numbers; "
            "train it again"
        )
    return Answer(
        task=row.key.task,
        version=row.key.version,
        predictions=tuple(
            LabelScore(label=names[index], index=index, score=score)
            for index, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ),
    )
