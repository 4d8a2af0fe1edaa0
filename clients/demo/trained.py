"""What a training run left, as far as the demo reads it. Knows the files, not how they came."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from clients.demo.errors import DemoError

Shape = TypeVar("Shape")


class Metrics(BaseModel):
    """`metrics.json`: how good, how big, how fast; curves have one value per epoch."""

    test_accuracy: float = Field(ge=0, le=1)
    val_accuracy: float = Field(ge=0, le=1)
    train_seconds: float
    backbone: str
    backbone_parameters: int
    trainable_parameters: int
    class_names: tuple[str, ...]
    train_images: int
    test_images: int
    device: str
    losses: tuple[float, ...]
    val_accuracies: tuple[float, ...]


class Prediction(BaseModel):
    """One entry of `predictions.json`: a test image, its class, and what the model says of it."""

    image: Path
    label: int
    predicted: int
    score: float

    @property
    def is_right(self) -> bool:
        """Whether the model names the image's class."""
        return self.predicted == self.label


_PREDICTIONS: Final = TypeAdapter(tuple[Prediction, ...])
_METRICS: Final = TypeAdapter(Metrics)


@dataclass(frozen=True)
class Trained:
    """One adapter: its file, what was measured, and what it says of every test image."""

    artifact: Path
    metrics: Metrics
    predictions: tuple[Prediction, ...]


def read_trained(folder: Path, task: str) -> Trained:
    """Read a finished run folder.

    Raises:
        DemoError: a file is missing or not of the expected shape.
    """
    artifact = folder / f"{task}.safetensors"
    if not artifact.is_file():
        raise DemoError(f"{artifact}: expected the trained adapter, found nothing; train again")
    return Trained(
        artifact=artifact,
        metrics=_read(folder / "metrics.json", _METRICS),
        predictions=_read(folder / "predictions.json", _PREDICTIONS),
    )


def _read(path: Path, shape: TypeAdapter[Shape]) -> Shape:
    try:
        return shape.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise DemoError(f"{path}: not what training leaves ({first}); train again") from error
