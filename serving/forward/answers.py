"""What a forward found of a row → the row's answer: labels, and the numbers that were asked for.

Axis letters: D width, C classes.
"""

import math
from base64 import b64encode
from collections.abc import Sequence
from typing import Final

from jaxtyping import Float
from torch import Tensor

from adapters.artifact.codec import short
from adapters.errors import ArtifactCorrupt
from serving.errors import BadParameter
from serving.forward.kinds import fields_of
from serving.protocol import Answer, Encoding, LabelScore
from serving.rows.query import Outcome
from serving.rows.row import Row

_CLASS_BYTES: Final = 20
"""Of a class in an answer with logits, beside its name: a number in JSON, quotes and commas."""


def answer_of(
    row: Row, scores: Sequence[float], classes: Sequence[int], numbers: Sequence[Tensor]
) -> Outcome:
    """Return a row's answer, or why there is none.

    Args:
        row: whose resident answers.
        scores: of its best classes, best first; at least as many as it asks for and has.
        classes: which those are.
        numbers: its feature `[D]` and its logits `[C]`, on the host, C at least its own classes;
            there where the row needs them.
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
    row: Row, answer: Answer, feature: Float[Tensor, " D"], logits: Float[Tensor, " C"]
) -> Outcome:
    asked, meta = row.query.extras, row.resident.meta
    names = meta.task.class_names
    own = logits[: len(names)]
    if not (feature.isfinite().all() and own.isfinite().all()):
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
    return answer.model_copy(update=found)


def _written(numbers: Float[Tensor, " N"], encoding: Encoding) -> str | tuple[float, ...]:
    if encoding == "base64":
        return b64encode(numbers.float().numpy().astype("<f4").tobytes()).decode()
    # nine digits are enough to tell every float32 from its neighbours
    return tuple(float(f"{number:.9g}") for number in numbers.tolist())


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
