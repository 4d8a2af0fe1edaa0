"""What a finished run left, as far as the report reads it, checked on the way in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, field_validator

from adapters.artifact.calibration import Calibration
from adapters.artifact.task import SINGLE_LABEL, TargetKind, TaskId
from adapters.artifact.unknown import UnknownRule
from trainer.errors import DataError

Shape = TypeVar("Shape", bound=BaseModel)
Share = Annotated[float, Field(ge=0, le=1)]
_TOLERANCE: Final = 1e-6


class RunRecipe(BaseModel):
    """`recipe.json`: what a report names; every other key is kept as it was written."""

    model_config = ConfigDict(frozen=True, extra="allow")

    task: TaskId
    method: str
    target: TargetKind = SINGLE_LABEL


class OtherTask(BaseModel):
    """How well the test images of another task are told from those of the run's own."""

    model_config = ConfigDict(frozen=True)

    task: TaskId
    images: int
    auroc: Share
    rejected: Share


class NamedCopy(BaseModel):
    """An image with the bytes of one of an earlier split."""

    model_config = ConfigDict(frozen=True)

    image: str
    split: str
    original: str
    original_split: str


class Copies(BaseModel):
    """Images that are in two splits; some of them are named."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    named: tuple[NamedCopy, ...] = ()


class RunMetrics(BaseModel):
    """`metrics.json`, as every run has it: how big, how fast; lists have one value per epoch.

    What has a default may be absent: not every run measures it.
    """

    model_config = ConfigDict(frozen=True)

    calibration: Calibration | None = Field(None, description="None: scores have no temperature")
    uncalibrated: str = Field("", description="why there is no calibration")
    test_calibration_error: Share | None = Field(None, description="expected, in 15 bins")
    test_calibration_error_before: Share | None = Field(None, description="with no temperature")
    selected_epoch: int | None = Field(None, description="whose weights are kept, from 1")
    ema: float | None = Field(None, description="decay, where the weights are averages over steps")
    stopped_early: bool = Field(False, description="before its last epoch, as nothing was better")
    losses: tuple[float, ...] = ()
    val_accuracies: tuple[Share, ...] = ()
    val_scores: tuple[float, ...] = Field((), description="of a target without an accuracy")
    learning_rates: tuple[float, ...] = ()
    test_accuracies: tuple[Share, ...] = Field((), description="measured, never selected by")
    nmi: tuple[tuple[float, ...], ...] = Field((), description="one value per epoch and block")
    train_images: int
    test_images: int
    train_on: str = Field("train", description="train-and-val: validation images are, too")
    held_out: tuple[str, ...] = Field(
        (), description="splits that the seed drew: no list names them"
    )
    copies: Copies = Copies()
    list_digests: dict[str, str] = Field({}, description="split: sha256 of its list")
    backbone: str
    backbone_parameters: int = Field(gt=0)
    trainable_parameters: int
    parts: dict[str, int] = Field({}, description="trainable part: number of its parameters")
    adapter_bytes: int | None = None
    train_seconds: float
    epoch_seconds: tuple[float, ...] = ()
    device: str
    init: dict[str, Any] = Field({}, description="how the prompts were made")

    @field_validator("nmi", mode="before")
    @classmethod
    def _as_printed(cls, epochs: list[Any]) -> list[Any]:
        """Take the reading that is eq. 7 as printed, where an epoch has several."""
        return [layers["dots"] if isinstance(layers, dict) else layers for layers in epochs]


class Metrics(RunMetrics):
    """How good a run is whose images have one class each."""

    test_accuracy: Share
    val_accuracy: Share
    test_macro_f1: Share | None = Field(None, description="over classes that have test images")
    test_mae: float | None = Field(None, description="of ordered classes, in the unit of values")
    test_quadratic_kappa: float | None = Field(None, description="of ordered classes")
    unknown: UnknownRule | None = Field(None, description="None: every image has a class")
    test_false_reject_rate: Share | None = Field(None, description="of the rule for unknown images")
    other_task: OtherTask | None = Field(None, description="whose images are none of the classes")
    class_names: tuple[str, ...] = Field(min_length=1)


class Prediction(BaseModel):
    """One entry of `predictions.json`: a test image, its class, and what the model says of it."""

    model_config = ConfigDict(frozen=True)

    image: Path
    label: int = Field(ge=0)
    predicted: int = Field(ge=0)
    score: float

    @property
    def is_right(self) -> bool:
        """Whether the model names the image's class."""
        return self.predicted == self.label


class _Predictions(RootModel[tuple[Prediction, ...]]):
    """`predictions.json`."""

    root: tuple[Prediction, ...] = Field(min_length=1)


@dataclass(frozen=True)
class RunRecord:
    """One finished run."""

    folder: Path
    recipe: RunRecipe
    metrics: Metrics
    predictions: tuple[Prediction, ...]

    @property
    def num_right(self) -> int:
        """Number of test images whose class the model names."""
        return sum(prediction.is_right for prediction in self.predictions)


def read_record(folder: Path) -> RunRecord:
    """Read a run folder.

    Raises:
        DataError: `recipe.json`, `metrics.json` or `predictions.json` is missing, is not of the
            expected shape, or contradicts the others.
    """
    record = RunRecord(
        folder=folder,
        recipe=read_part(folder / "recipe.json", RunRecipe),
        metrics=read_part(folder / "metrics.json", Metrics),
        predictions=read_part(folder / "predictions.json", _Predictions).root,
    )
    _check(record)
    return record


def read_part(path: Path, shape: type[Shape]) -> Shape:
    """Read one file of a run folder.

    Raises:
        DataError: it is missing, or not of the expected shape.
    """
    try:
        # pydantic's own reader of JSON has no names that are no UTF-8
        return shape.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise DataError(
            f"{path}: expected a file that a finished run leaves, found none ({error.strerror}); "
            "name the folder of a finished run, or let the training finish"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{path}: not what a finished run leaves ({where}: {first['msg']}); train again"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{path}: not what a finished run leaves (no JSON: {error}); train again"
        ) from error


def _check(record: RunRecord) -> None:
    path = record.folder / "predictions.json"
    metrics, predictions = record.metrics, record.predictions
    num_classes = len(metrics.class_names)
    highest = max(max(p.label, p.predicted) for p in predictions)
    if highest >= num_classes:
        raise DataError(
            f"{path}: expected classes 0 to {num_classes - 1} as in metrics.json, found {highest}; "
            "the files belong to different runs, train again"
        )
    accuracy = record.num_right / len(predictions)
    if abs(accuracy - metrics.test_accuracy) > _TOLERANCE:
        raise DataError(
            f"{path}: expected a test accuracy of {metrics.test_accuracy:.4f} as in metrics.json, "
            f"found {accuracy:.4f}; the files belong to different runs, train again"
        )
