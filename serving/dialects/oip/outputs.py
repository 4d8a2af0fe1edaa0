"""Answers about one task, as tensors: a row for each image. What a task lacks is left out.

Axis letters: n images, k labels, D width, C classes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from serving.dialects.oip.shapes import BYTES, Datatype, TensorMetadata
from serving.dialects.oip.tensors import Tensor, Value
from serving.errors import BadParameter
from serving.protocol import Answer, Floats, LabelScore, floats

Answers = Sequence[Answer]
_Rows = list[list[Value]] | None

EMBEDDING: Final = "embedding"
LOGITS: Final = "logits"

_MULTI_LABEL: Final = "multi-label"
_REGRESSION: Final = "regression"
_ORDINAL: Final = "ordinal"


def tensors_of(answers: Answers, wanted: Sequence[str]) -> list[Tensor]:
    """Return the outputs of a call.

    Args:
        answers: one for each image.
        wanted: names of outputs; none for all but those that have to be asked for.

    Raises:
        BadParameter: the task has no such output; or rows of one have different lengths.
    """
    found = {name: _tensor(name, answers) for name in wanted or _UNASKED}
    missing = [name for name, tensor in found.items() if tensor is None]
    if wanted and missing:
        have = [name for name in _UNASKED if _tensor(name, answers) is not None]
        raise BadParameter(
            f"outputs: task {answers[0].task} has no {missing[0]}; it has {', '.join(have)}, and "
            f"{EMBEDDING} and {LOGITS} on request"
        )
    return [tensor for tensor in found.values() if tensor is not None]


def check_names(names: Sequence[str]) -> None:
    """Check the outputs that are asked for, before anybody computes them.

    Raises:
        BadParameter: one does not exist, or is asked for twice.
    """
    for name in names:
        if name not in _OUTPUTS:
            raise BadParameter(
                f"outputs: expected some of {', '.join(_OUTPUTS)}, found {name[:80]!r}"
            )
        if names.count(name) > 1:
            raise BadParameter(f"outputs: {name} is asked for more than once; ask for it once")


def outputs_of(target: str | None) -> tuple[TensorMetadata, ...]:
    """Return what a task of this target answers with, and what may be asked for."""
    lacking = {
        _REGRESSION: {"labels", "scores", "indices", "present"},
        _ORDINAL: {"present"},
        _MULTI_LABEL: {"values"},
    }.get(target or "", {"values", "present"})
    return tuple(
        TensorMetadata(name=name, datatype=datatype, shape=(-1,) * dimensions)
        for name, (datatype, dimensions, _) in _OUTPUTS.items()
        if name not in lacking and name != "unknown"
    )


def _tensor(name: str, answers: Answers) -> Tensor | None:
    datatype, dimensions, rows_of = _OUTPUTS[name]
    rows = rows_of(answers)
    if not rows or not rows[0]:
        return None
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise BadParameter(
            f"outputs: versions with different numbers of classes answered, so {name} is no "
            "tensor; name one version"
        )
    shape = (len(rows), width)[:dimensions]
    return Tensor(name, datatype, shape, [value for row in rows for value in row])


def _of_labels(read: Callable[[LabelScore], Value]) -> Callable[[Answers], _Rows]:
    """Return what reads each row's best classes, as many as every row has."""

    def rows(answers: Answers) -> _Rows:
        count = min(len(answer.predictions) for answer in answers)
        return [[read(one) for one in answer.predictions[:count]] for answer in answers]

    return rows


def _of_rows(read: Callable[[Answer], Value | None]) -> Callable[[Answers], _Rows]:
    """Return what reads a value of each row; None if one has none."""

    def rows(answers: Answers) -> _Rows:
        found = [value for answer in answers if (value := read(answer)) is not None]
        return [[value] for value in found] if len(found) == len(answers) else None

    return rows


def _of_numbers(read: Callable[[Answer], Floats | None]) -> Callable[[Answers], _Rows]:
    def rows(answers: Answers) -> _Rows:
        return [list(floats(read(answer) or ())) for answer in answers]

    return rows


def _present(answers: Answers) -> _Rows:
    count = min(len(answer.predictions) for answer in answers)
    if any(answer.labels is None for answer in answers):
        return None
    return [
        [one.label in (answer.labels or ()) for one in answer.predictions[:count]]
        for answer in answers
    ]


_OUTPUTS: Final[Mapping[str, tuple[Datatype, int, Callable[[Answers], _Rows]]]] = {
    "labels": (BYTES, 2, _of_labels(lambda one: one.label)),
    "scores": ("FP32", 2, _of_labels(lambda one: one.score)),
    "indices": ("INT64", 2, _of_labels(lambda one: one.index)),
    "present": ("BOOL", 2, _present),
    "values": ("FP32", 1, _of_rows(lambda answer: answer.value)),
    "unknown": ("BOOL", 1, _of_rows(lambda answer: answer.unknown)),
    "version": (BYTES, 1, _of_rows(lambda answer: answer.version)),
    EMBEDDING: ("FP32", 2, _of_numbers(lambda answer: answer.embedding)),
    LOGITS: ("FP32", 2, _of_numbers(lambda answer: answer.logits)),
}
_UNASKED: Final = tuple(name for name in _OUTPUTS if name not in {EMBEDDING, LOGITS})
