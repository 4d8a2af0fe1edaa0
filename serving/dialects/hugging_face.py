"""Image classification as Hugging Face has it: an image, or its base64 in JSON, to labels."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from serving.dialects.dialect import Header
from serving.dialects.json_text import check_marks, json_cost, mistake_of
from serving.dialects.plain import PathTask
from serving.door.admission import Admitted
from serving.door.fields import Pairs, decoded, is_json
from serving.door.replies import Reply, queries_of
from serving.errors import BadParameter
from serving.protocol import LOGITS_PARAMETER, TOP_K_PARAMETER, VERSION_PARAMETER, Answer, floats
from serving.rows.query import Outcome, Query

Function = Literal["softmax", "sigmoid", "none"]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class ClassificationParameters(_Shape):
    """How an image is to be classified."""

    model_config = ConfigDict(extra="forbid")

    top_k: int | None = None
    function_to_apply: Function | None = None


class ClassificationCall(_Shape):
    """The body in JSON: `inputs` is the base64 of the image."""

    inputs: str
    parameters: ClassificationParameters | None = None


class Classified(_Shape):
    """One label; the body of an answer is a list of them, best first."""

    label: str
    score: float


_NATURAL: Final[Mapping[str, Function]] = {
    "single-label": "softmax",
    "ordinal": "softmax",
    "multi-label": "sigmoid",
    "regression": "none",
}
"""What makes the scores of a task's answers, by its target."""


class HuggingFaceTurn:
    """A `Turn`.

    Args:
        path: names the task.
        header: looks up the request's.
    """

    def __init__(self, path: Mapping[str, str], header: Header) -> None:
        self._path = PathTask(path)
        self._is_json = is_json(header("content-type"))
        self._function: Function | None = None

    @property
    def is_image(self) -> bool:
        """Whether the body is the image."""
        return not self._is_json

    def head(self, query: Pairs) -> Pairs:
        """Return the task, and what else is in the address."""
        return self._path.pairs(query, (TOP_K_PARAMETER, VERSION_PARAMETER))

    def cost(self, body: bytes) -> int:
        """Return what reading JSON takes."""
        return json_cost(body)

    def fields(self, body: bytes) -> Pairs:
        """Return the image and its parameters."""
        check_marks(body)
        try:
            said = ClassificationCall.model_validate_json(body)
        except ValidationError as error:
            raise BadParameter(f"the classification request: {mistake_of(error)}") from error
        asked = said.parameters or ClassificationParameters()
        self._function = asked.function_to_apply
        return [
            *([] if asked.top_k is None else [(TOP_K_PARAMETER, str(asked.top_k))]),
            *([] if self._function is None else [(LOGITS_PARAMETER, "true")]),
            ("body", decoded(said.inputs)),
        ]

    def queries(self, row: Admitted | Exception, images: Sequence[bytes]) -> list[Query]:
        """Return what is asked of the engine."""
        return queries_of(row, images)

    def reply(self, row: Admitted | Exception, outcomes: Iterator[Outcome]) -> Reply:
        """Return the labels."""
        if isinstance(row, Exception):
            return self.refusal(row)
        refused = next(iter(row.refusals))
        found = next(outcomes) if refused is None else refused
        if isinstance(found, Exception):
            return self.refusal(found)
        try:
            labels = _labels(found, self._function, row.request.top_k)
        except BadParameter as error:
            return self.refusal(error)
        return Reply(200, {}, json.dumps([one.model_dump() for one in labels]).encode())

    def refusal(self, error: Exception) -> Reply:
        """Return the reply to a call that met an error."""
        return self._path.refusal(error)


def _labels(answer: Answer, function: Function | None, top_k: int) -> list[Classified]:
    """Return the best labels of an answer, scored by a function of its logits.

    Raises:
        BadParameter: the task answers with a number, which no function makes a probability.
    """
    natural = _NATURAL.get(answer.target)
    if natural == "none" and function in {None, natural}:
        return [Classified(label="value", score=answer.value or 0.0)]
    if natural == "none":
        raise BadParameter(
            f"function_to_apply: task {answer.task} answers with a number: expected none, found "
            f"{function}"
        )
    if function in {None, natural}:
        return [Classified(label=one.label, score=one.score) for one in answer.predictions]
    logits = floats(answer.logits or ())
    names = answer.class_names or ()
    scores = _FUNCTIONS[function or "none"](logits)
    pairs = sorted(zip(names, scores, strict=True), key=lambda pair: -pair[1])
    return [Classified(label=name, score=score) for name, score in pairs[:top_k]]


def _softmax(logits: Sequence[float]) -> list[float]:
    best = max(logits)
    powers = [math.exp(one - best) for one in logits]
    total = sum(powers)
    return [one / total for one in powers]


def _sigmoid(logits: Sequence[float]) -> list[float]:
    return [0.5 * (1 + math.tanh(0.5 * one)) for one in logits]


_FUNCTIONS: Final[Mapping[Function, Callable[[Sequence[float]], list[float]]]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "none": list,
}
