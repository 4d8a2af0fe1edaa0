"""What a run left that learns a number: its errors, and the images with the largest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, RootModel

from adapters.shown import shown
from trainer.page.frame import Caption
from trainer.page.scatter import draw_scatter
from trainer.page.svg import Drawing
from trainer.report.pictures import picture
from trainer.report.record import RunMetrics, read_part

_MOST_SPECKS: Final = 2_000
_AXES: Final = ("true", "predicted")


class NumberMetrics(RunMetrics):
    """How good a run is whose images have a number; errors are in its unit."""

    test_r2: float = Field(le=1)
    val_r2: float = Field(le=1)
    test_mae: float = Field(ge=0)
    test_rmse: float = Field(ge=0)
    scale: float = Field(gt=0, description="deviation of the training images' numbers")


class NumberPrediction(BaseModel):
    """One entry of `predictions.json`: a test image, its number, and what the model says of it."""

    model_config = ConfigDict(frozen=True)

    image: Path
    value: FiniteFloat
    predicted: FiniteFloat


class _Predictions(RootModel[tuple[NumberPrediction, ...]]):
    root: tuple[NumberPrediction, ...] = Field(min_length=1)


@dataclass(frozen=True)
class NumberError:
    """A test image whose number is missed; `uri` is None where the file cannot be read."""

    file: str
    uri: str | None
    value: float
    predicted: float


def read_number(folder: Path) -> NumberMetrics:
    """Read the metrics of a run that learns a number.

    Raises:
        DataError: they are missing, or not of the expected shape.
    """
    return read_part(folder / "metrics.json", NumberMetrics)


def read_numbers(folder: Path) -> tuple[NumberPrediction, ...]:
    """Read the predictions of a run that learns a number.

    Raises:
        DataError: they are missing, or not of the expected shape.
    """
    return read_part(folder / "predictions.json", _Predictions).root


def draw_numbers(found: Sequence[NumberPrediction]) -> Drawing:
    """Draw what the model says over what is true; of many images some, spread evenly."""
    shown_of = found[:: -(-len(found) // _MOST_SPECKS)]
    caption = Caption(description=f"Predicted over true numbers of {len(shown_of)} test images")
    return draw_scatter(caption, [(one.value, one.predicted) for one in shown_of], *_AXES)


def worst_errors(found: Sequence[NumberPrediction], most: int) -> list[NumberError]:
    """Return the test images with the largest errors, at most `most`."""
    worst = sorted(found, key=lambda one: (-abs(one.predicted - one.value), str(one.image)))
    return [
        NumberError(shown(one.image.name), picture(one.image), one.value, one.predicted)
        for one in worst[:most]
    ]
