"""What a forward found of a row → the row's answer: labels, and the numbers that were asked for.

Axis letters: D width, C classes, S shares of attention.
"""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from jaxtyping import Float
from torch import Tensor

from adapters.artifact.codec import short
from adapters.errors import ArtifactCorrupt
from serving.errors import BadParameter
from serving.forward.kinds import fields_of
from serving.protocol import Answer, Attention, Encoding, LabelScore
from serving.rows.query import Outcome
from serving.rows.row import Row

_CLASS_BYTES: Final = 20
"""Of a class in an answer with logits, beside its name: a number in JSON, quotes and commas."""

_NUMBER_BYTES: Final[Mapping[Encoding, int]] = MappingProxyType({"base64": 6, "list": 16})
"""Of a number of the attention, with its comma."""


def answer_of(
    row: Row, scores: Sequence[float], classes: Sequence[int], numbers: Sequence[Tensor]
) -> Outcome:
    """Return a row's answer, or why there is none.

    Args:
        row: whose resident answers.
        scores: of its best classes, best first; at least as many as it asks for and has.
        classes: which those are.
        numbers: its feature `[D]` and its logits `[C]`, on the host, C at least its own classes,
            there where the row needs them; then what `looks_of` returns, where any row asks.
    """
    if not all(map(math.isfinite, scores)):
        return _no_numbers(row)
    names = row.resident.meta.task.class_names
    count = min(row.query.top_k, len(names))
    answer = Answer(
        task=row.key.task,
        version=row.key.version,
        predictions=tuple(
            LabelScore(label=names[index], index=index, score=score)
            for index, score in zip(classes[:count], scores[:count], strict=True)
        ),
    )
    return _with_numbers(row, answer, *numbers) if row.needs_numbers else answer


def _with_numbers(
    row: Row,
    answer: Answer,
    feature: Float[Tensor, " D"],
    logits: Float[Tensor, " C"],
    looks: Float[Tensor, " S"] | None = None,
) -> Outcome:
    asked, meta = row.query.extras, row.resident.meta
    names = meta.task.class_names
    own = logits[: len(names)]
    if not all(found.isfinite().all() for found in (feature, own, looks) if found is not None):
        return _no_numbers(row)
    found = fields_of(meta, answer.predictions, own.numpy())
    if meta.unknown is not None:
        spread = row.resident.spread
        distance = None if spread is None else spread.distance(feature.numpy())
        found["unknown"] = bool(meta.unknown.rejects(own.numpy(), meta.temperature, distance))
    if asked.embed:
        found["embedding"] = _written(feature, asked.encoding)
    if asked.logits_bytes:
        needed = sum(len(name.encode()) + _CLASS_BYTES for name in names)
        if needed > asked.logits_bytes:
            return _too_many(row, needed)
        found |= {"logits": _written(own, asked.encoding), "class_names": names}
    if looks is not None and asked.attention_bytes:
        needed = len(looks) * _NUMBER_BYTES[asked.encoding]
        if needed > asked.attention_bytes:
            return _too_fine(row, needed)
        found["attention"] = _attention(row, looks)
    return answer.model_copy(update=found)


def _attention(row: Row, looks: Float[Tensor, " S"]) -> Attention:
    meta = row.resident.meta
    side, rule = meta.backbone.image_size // meta.backbone.patch_size, meta.preprocessing
    return Attention(
        grid=(side, side),
        values=_written(looks[:-1], row.query.extras.encoding),
        prompts=_short(min(1.0, float(looks[-1]))),
        resize=rule.resize,
        crop=rule.crop / rule.resize_size,
    )


def _written(numbers: Float[Tensor, " N"], encoding: Encoding) -> str | tuple[float, ...]:
    if encoding == "base64":
        return b64encode(numbers.float().numpy().astype("<f4").tobytes()).decode()
    return tuple(map(_short, numbers.tolist()))


def _short(number: float) -> float:
    # nine digits are enough to tell every float32 from its neighbours
    return float(f"{number:.9g}")


def _no_numbers(row: Row) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"{row.key.task}: version {short(row.key.version)} gives scores that are not numbers; "
        "train it again"
    )


def _too_many(row: Row, needed: int) -> BadParameter:
    task = row.resident.meta.task
    return BadParameter(
        f"logits: the {len(task.class_names):,} classes of {task.id} take {needed:,} bytes with "
        f"their names, {row.query.extras.logits_bytes:,} are left for each row of a call; ask "
        "fewer tasks at once, or top_k labels"
    )


def _too_fine(row: Row, needed: int) -> BadParameter:
    return BadParameter(
        f"attention: that of {row.resident.meta.task.id} takes {needed:,} bytes, "
        f"{row.query.extras.attention_bytes:,} are left for each row of a call; ask fewer tasks or "
        "images at once"
    )
