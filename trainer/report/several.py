"""What a multi-label run left: how good each class is found, the worst first."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from trainer.report.record import RunMetrics, Share, read_part


class ClassFound(BaseModel):
    """How well one class is found; its average precision is None where no test image has it."""

    model_config = ConfigDict(frozen=True)

    name: str
    images: int
    average_precision: Share | None
    precision: Share
    recall: Share
    threshold: Share


class SeveralMetrics(RunMetrics):
    """How good a run is whose images have any number of classes."""

    test_map: Share
    val_map: Share
    test_micro_f1: Share
    test_macro_f1: Share
    test_exact_match: Share
    class_scores: tuple[ClassFound, ...] = Field(min_length=1)

    @property
    def worst_first(self) -> list[ClassFound]:
        """Its classes, those without a test image last."""
        return sorted(
            self.class_scores,
            key=lambda one: 2.0 if one.average_precision is None else one.average_precision,
        )


def read_several(folder: Path) -> SeveralMetrics:
    """Read the metrics of a multi-label run.

    Raises:
        DataError: they are missing, or not of the expected shape.
    """
    return read_part(folder / "metrics.json", SeveralMetrics)
