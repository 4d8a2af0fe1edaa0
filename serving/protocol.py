"""The wire schema: what a request may ask for and what an answer looks like.

Shared by the service and its clients. Knows neither HTTP machinery nor tensors nor tasks' rules:
the service checks parameters, the client checks that an answer has this shape. Readers ignore
fields that they do not know, so that the service may gain one without breaking its clients.
"""

from base64 import b64decode
from collections.abc import Mapping
from enum import StrEnum
from struct import unpack
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

TASK_PARAMETER: Final = "task"
TOP_K_PARAMETER: Final = "top_k"
VERSION_PARAMETER: Final = "version"
EMBED_PARAMETER: Final = "embed"
LOGITS_PARAMETER: Final = "logits"
ATTENTION_PARAMETER: Final = "attention"
ENCODING_PARAMETER: Final = "encoding"
IMAGES_FIELD: Final = "images"
LIST_PARAMETER: Final = "list"
AFTER_PARAMETER: Final = "after"
LIMIT_PARAMETER: Final = "limit"
SAMPLES_PARAMETER: Final = "samples"
CARD_PARAMETER: Final = "card"
TASK_SEPARATOR: Final = ","

LIST_TASKS: Final = "tasks"
"""What may be listed."""

TASK_HEADER: Final = "X-Task"
KEY_HEADER: Final = "X-Api-Key"
RETRY_HEADER: Final = "Retry-After"
BATCH_ID_HEADER: Final = "X-Batch-Id"
BATCH_ROWS_HEADER: Final = "X-Batch-Rows"
BATCH_TASKS_HEADER: Final = "X-Batch-Tasks"
REQUEST_ID_HEADER: Final = "X-Request-Id"
TRACEPARENT_HEADER: Final = "traceparent"

DEFAULT_TOP_K: Final = 5
MAX_TOP_K: Final = 1000
MAX_TASKS_PER_CALL: Final = 16
MAX_ROWS_PER_CALL: Final = 32
"""Images times tasks."""

MAX_LOGITS_BYTES: Final = 1_500_000
"""Of the names and logits that one call may be answered with, all its rows together."""

MAX_ATTENTION_BYTES: Final = 400_000
"""Of the attention that one call may be answered with, likewise."""

DEFAULT_LIST_LIMIT: Final = 100
MAX_LIST_LIMIT: Final = 1000

Encoding = Literal["base64", "list"]
"""How floats are written: base64 of little-endian float32, or a list of JSON numbers."""


_SINGLE_LABEL: Final = "single-label"


class ErrorCode(StrEnum):
    """Why a row was not answered; for programs, where the message is for people."""

    BAD_IMAGE = "bad_image"
    IMAGE_TOO_LARGE = "image_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    BAD_PARAMETER = "bad_parameter"
    BAD_KEY = "bad_key"
    BAD_TOKEN = "bad_token"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    TASK_NOT_FOUND = "task_not_found"
    VERSION_NOT_FOUND = "version_not_found"
    WRONG_BACKBONE = "wrong_backbone"
    ADAPTER_DAMAGED = "adapter_damaged"
    ADAPTER_NOT_TRUSTED = "adapter_not_trusted"
    STORE_UNAVAILABLE = "store_unavailable"
    NOT_READY = "not_ready"
    OUT_OF_MEMORY = "out_of_memory"
    INTERNAL = "internal"


HTTP_STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        ErrorCode.BAD_IMAGE: 400,
        ErrorCode.IMAGE_TOO_LARGE: 413,
        ErrorCode.BODY_TOO_SLOW: 408,
        ErrorCode.BAD_PARAMETER: 400,
        ErrorCode.BAD_KEY: 401,
        ErrorCode.BAD_TOKEN: 401,
        ErrorCode.FORBIDDEN: 403,
        ErrorCode.RATE_LIMITED: 429,
        ErrorCode.TASK_NOT_FOUND: 404,
        ErrorCode.VERSION_NOT_FOUND: 404,
        ErrorCode.WRONG_BACKBONE: 409,
        ErrorCode.ADAPTER_DAMAGED: 500,
        ErrorCode.ADAPTER_NOT_TRUSTED: 500,
        ErrorCode.STORE_UNAVAILABLE: 503,
        ErrorCode.NOT_READY: 503,
        ErrorCode.OUT_OF_MEMORY: 507,
        ErrorCode.INTERNAL: 500,
    }
)


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


def _optional(description: str | None = None) -> Any:
    """Return a field that is left out where it is None."""
    return Field(None, exclude_if=lambda found: found is None, description=description)


class LabelScore(_Wire):
    """One class: its name, its place in the task's class list, its calibrated probability."""

    label: str
    index: Annotated[int, Field(ge=0)]
    score: Annotated[float, Field(ge=0, le=1)]


class GroupScore(_Wire):
    """One group of classes, and the sum of their calibrated probabilities."""

    group: str
    score: Annotated[float, Field(ge=0, le=1)]


def floats(numbers: str | tuple[float, ...]) -> tuple[float, ...]:
    """Return an answer's numbers, such as its embedding, however they are written.

    Args:
        numbers: base64 of little-endian float32, or the numbers themselves.

    Raises:
        ValueError: it is no base64 of whole float32 numbers.
    """
    if not isinstance(numbers, str):
        return numbers
    data = b64decode(numbers, validate=True)
    if len(data) % 4:
        raise ValueError(f"expected base64 of float32, 4 bytes each, found {len(data)} bytes")
    return unpack(f"<{len(data) // 4}f", data)


def _check_floats(numbers: str | tuple[float, ...]) -> str | tuple[float, ...]:
    floats(numbers)
    return numbers


Floats = Annotated[str | tuple[FiniteFloat, ...], AfterValidator(_check_floats)]


Version = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$", description="sha256 of the adapter that answered")
]


class Attention(_Wire):
    """Where the model looks: the pooled token's attention in the last block, mean over heads.

    Attributes:
        grid: rows and columns of patches, which cover the square that the model is shown.
        values: share of each patch, row by row; they sum to 1. `floats` reads them.
        resize: squash: the image was made a square first; shorter: its shape was kept.
        crop: side of the shown square, which is in the image's middle, over the image's shorter
            side after that; above 1 where there is black around the image.
    """

    grid: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    values: Floats
    prompts: Annotated[float, Field(ge=0, le=1)] = Field(
        description="share of the attention that goes to prompts, not to the image; 0 without any"
    )
    resize: str
    crop: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _has_a_value_for_each_patch(self) -> "Attention":
        (rows, columns), found = self.grid, len(floats(self.values))
        if found != rows * columns:
            raise ValueError(f"expected {rows} x {columns} values, found {found}")
        return self

    def array(self) -> tuple[tuple[float, ...], ...]:
        """Return the values as rows of the grid; `numpy.array` takes them as they are."""
        numbers, columns = floats(self.values), self.grid[1]
        return tuple(numbers[i : i + columns] for i in range(0, len(numbers), columns))


class Answer(_Wire):
    """What one task says of one image: its best classes, best first, and who said it.

    What else there is depends on the task's target. Numbers are there if they are asked for;
    `floats` reads them.
    """

    task: str
    version: Version
    predictions: tuple[LabelScore, ...] = Field(description="none of a task with target regression")
    target: str = Field(
        _SINGLE_LABEL,
        exclude_if=lambda kind: kind == _SINGLE_LABEL,
        description="single-label, multi-label, regression, ordinal, or what a newer service has",
    )
    labels: tuple[str, ...] | None = _optional(
        "multi-label: every class that the image has, by its threshold, best first"
    )
    value: FiniteFloat | None = _optional(
        "regression: the number; ordinal: the expected value of the ordered classes"
    )
    groups: tuple[GroupScore, ...] | None = _optional(
        "of tasks with groups of classes: all groups, best first"
    )
    unknown: bool | None = _optional(
        "whether the image looks like none of the classes; of tasks with a threshold"
    )
    embedding: Floats | None = _optional(
        "the pooled feature that the task's head reads, under the task's own prompts"
    )
    logits: Floats | None = _optional(
        "of every class, in the order of `class_names`; no temperature divides them"
    )
    class_names: tuple[str, ...] | None = _optional("with logits")
    attention: Attention | None = _optional("where the model looks, under the task's own prompts")

    @property
    def top(self) -> LabelScore:
        """The best class.

        Raises:
            ValueError: the task has none, its answer is a number.
        """
        if not self.predictions:
            raise ValueError(f"{self.task} answers with a number and has no classes; read `value`")
        return self.predictions[0]

    @property
    def summary(self) -> str:
        """The best class and its score; of a task without classes, the number."""
        if not self.predictions:
            return "nothing" if self.value is None else f"{self.value:.6g}"
        return f"{self.top.label!r} {self.top.score:.1%}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row for each class that is named, best first; one if there is no class."""
        return [
            {
                "task": self.task,
                "rank": rank,
                "label": one and one.label,
                "score": one and one.score,
                "index": one and one.index,
                "value": self.value,
                "unknown": self.unknown,
                "version": self.version,
            }
            for rank, one in enumerate(self.predictions or (None,), 1)
        ]

    def to_frame(self) -> Any:
        """Return `rows` as a `pandas.DataFrame`.

        Raises:
            ImportError: pandas is not installed.
        """
        return frame_of(self.rows())

    def __repr__(self) -> str:
        others = (f"{one.label!r} {one.score:.1%}" for one in self.predictions[1:3])
        said = ", ".join([self.summary, *others])
        more = ", …" if len(self.predictions) > 3 else ""
        unknown = " unknown:" if self.unknown else ""
        return f"Answer({self.task} @ {self.version[:12]}:{unknown} {said}{more})"

    __str__ = __repr__


class ErrorBody(_Wire):
    """Why there is no answer; `code` is an `ErrorCode`, or one that a newer service added."""

    code: str
    message: str
    task: str | None = None
    retry_after_s: Annotated[float | None, Field(ge=0)] = None


class Failure(_Wire):
    """The body of every answer of ours that is not a success."""

    error: ErrorBody


class MultiAnswer(_Wire):
    """One entry per task, in the order asked, for a call that names several.

    The HTTP status is 200 if at least one task answered, else that of the first failure.
    """

    answers: Annotated[tuple[Answer | Failure, ...], Field(min_length=1)]


class ImagesAnswer(_Wire):
    """One entry per image, in the order sent, for a call with a list of images.

    An entry is the body that a call with this image alone would have. The HTTP status is 200 if at
    least one task answered of one image, else that of the first failure.
    """

    results: Annotated[tuple[Answer | MultiAnswer | Failure, ...], Field(min_length=1)]


class CanaryInfo(_Wire):
    """A version that answers a share of its task's requests, next to the current one."""

    version: Version
    share: Annotated[float, Field(gt=0, lt=1, description="of the task's requests")]


class Sample(_Wire):
    """A small training image of a task, and its label: `jpeg` is base64 of at most 4 kB."""

    label: str
    jpeg: str


class TaskInfo(_Wire):
    """One task that may be asked. What follows the canary is there if the task is asked for alone.

    Attributes:
        task: its id.
        version: the current one.
    """

    task: str
    version: Version
    canary: CanaryInfo | None = _optional()
    class_names: tuple[str, ...] | None = _optional(
        "in the order of the index; left out where they are too many for an answer"
    )
    num_classes: Annotated[int, Field(ge=1)] | None = _optional()
    method: str | None = _optional("such as spt-deep or linear")
    versions: tuple[Version, ...] | None = _optional(
        "that may be asked by name, newest first; the last that were current"
    )
    target: str | None = _optional("as in an `Answer`")
    metrics: dict[str, FiniteFloat] | None = _optional(
        "of the current version, as its training measured them, such as test_accuracy"
    )
    samples: tuple[Sample, ...] | None = _optional(
        "with samples=true: training images, each of another class; none of most tasks"
    )
    card: str | None = _optional("with card=true: the model card as Markdown, if there is one")
    trouble: str | None = _optional(
        "why this service cannot answer for it: it was made for another backbone"
    )

    def __repr__(self) -> str:
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        return f"TaskInfo({self.task} @ {self.version[:12]}{classes})"

    __str__ = __repr__


class TaskPage(_Wire):
    """Some of a caller's tasks, in the order of their ids."""

    tasks: tuple[TaskInfo, ...]
    next: str | None = Field(None, description="ask for those after this one; None after the last")


def frame_of(rows: list[dict[str, Any]]) -> Any:
    """Return flat rows as a `pandas.DataFrame`.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas  # noqa: PLC0415 (of those alone who ask for it)
    except ImportError as err:
        raise ImportError(
            "to_frame() needs pandas, which is not installed; run: pip install pandas"
        ) from err
    return pandas.DataFrame(rows)
