"""How a task's labels are read, and its images read so: from texts to what is learned of them.

Readers take every label for a class's name. Where it says something else, this is found here, once
for all layouts.
"""

from dataclasses import dataclass
from typing import Final

from adapters.artifact.task import TargetKind
from trainer.data.labels.change import with_splits
from trainer.data.labels.number import with_numbers
from trainer.data.labels.order import in_order
from trainer.data.labels.several import with_several
from trainer.data.splits import hold_out_tenths
from trainer.data.task_data import SPLITS, Sample, TaskData, check_splits


@dataclass(frozen=True)
class LabelRules:
    """What is learned, and how labels say it.

    Attributes:
        target: the kind.
        separator: multi-label: between the names of a label; None is '|', and refused where
            another one looks as likely.
        order: ordinal: the classes from the lowest to the highest; none where all are numbers.
    """

    target: TargetKind = "single-label"
    separator: str | None = None
    order: tuple[str, ...] = ()


AS_CLASSES: Final = LabelRules()


def read_labels(data: TaskData, rules: LabelRules, seed: int) -> TaskData:
    """Return a task whose samples have what is learned of them.

    Splits that a reader has drawn by the seed are drawn again, as it took labels for classes.

    Args:
        data: as a reader found it, every text of a label a class.
        rules: how labels are read.
        seed: of the splits that a layout leaves open.

    Raises:
        DataError: a label is not what the rules expect, or a split is empty.
    """
    if rules.target == "single-label":
        return data
    check_splits(data)
    match rules.target:
        case "ordinal":
            return in_order(data, rules.order)
        case "multi-label":
            return _divided_again(with_several(data, rules.separator), seed)
        case "regression":
            return _divided_again(with_numbers(data), seed)


def _divided_again(data: TaskData, seed: int) -> TaskData:
    if not data.held_out:
        return data
    drawn, splits = [split for split in SPLITS if split in data.held_out], data.splits()
    together = [sample for split in ("train", *drawn) for sample in splits[split]]
    together.sort(key=_place)
    train, *parts = hold_out_tenths(together, len(drawn), seed)
    return with_splits(data, splits | {"train": train} | dict(zip(drawn, parts, strict=True)))


def _place(sample: Sample) -> str:
    return str(sample.path)
