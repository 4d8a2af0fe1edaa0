"""From a task's data to what is learned of it."""

from typing import Final

from adapters.artifact.task import TargetKind
from trainer.data.labels.order import values_of
from trainer.data.task_data import TaskData
from trainer.objectives.classes import OrderedClasses, SingleLabel
from trainer.objectives.number import Number
from trainer.objectives.objective import Objective
from trainer.objectives.several import SeveralLabels

OBJECTIVES: Final[dict[TargetKind, type[Objective]]] = {
    one.kind: one for one in (SingleLabel, OrderedClasses, SeveralLabels, Number)
}


def objective_of(data: TaskData) -> Objective:
    """Return the objective of a task's target."""
    match data.target:
        case "single-label":
            return SingleLabel()
        case "ordinal":
            return OrderedClasses(values_of(data.task.class_names))
        case "multi-label":
            return SeveralLabels(data.task.class_names)
        case "regression":
            return Number.of(number for sample in data.train for number in sample.target or ())
