"""What each kind of target minimises and measures, by formulas written out."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.metrics import average_precision_score, r2_score

from adapters.artifact.target import MultiLabel
from adapters.artifact.task import TARGET_KINDS, Task
from trainer.confidence.calibration import LEAST_IMAGES, calibrate_each
from trainer.confidence.thresholds import USUAL, choose_thresholds
from trainer.data.task_data import Sample, TaskData
from trainer.objectives.choose import OBJECTIVES, objective_of
from trainer.objectives.classes import OrderedClasses, SingleLabel
from trainer.objectives.number import Number
from trainer.objectives.several import SeveralLabels

VALUES = (0.0, 1.0, 4.0)


def drawn(images: int, outputs: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(images, outputs, generator=torch.Generator().manual_seed(seed))


def test_there_is_an_objective_for_each_target_that_knows_its_name() -> None:
    assert set(OBJECTIVES) == set(TARGET_KINDS)
    samples = tuple(Sample(Path(f"{i}.jpg"), 0, (float(i),)) for i in range(5))
    for kind in TARGET_KINDS:
        task = Task(id="t", class_names=("1", "2"))
        data = TaskData(task, samples, samples, samples, target=kind)
        assert objective_of(data).kind == kind


def test_a_number_is_learned_in_units_of_its_spread() -> None:
    objective = Number.of([1.0, 3.0, 8.0])
    mean, scale = 4.0, math.sqrt(26 / 3)
    assert (objective.scale.mean, objective.scale.scale) == (mean, pytest.approx(scale))
    logits, labels = drawn(6, 1), drawn(6, 1, seed=1).double() * 100
    expected = (((labels.numpy() - mean) / scale - logits.numpy()) ** 2).mean()
    assert float(objective.loss(logits, labels)) == pytest.approx(expected, rel=1e-6)
    said = mean + scale * logits.double().numpy()
    assert objective.score(logits, labels) == pytest.approx(r2_score(labels.numpy(), said))
    found = objective.tested([(logits[:4], labels[:4]), (logits[4:], labels[4:])], None, 1.0)
    errors = np.abs(said - labels.numpy()).ravel()
    assert found.metrics["test_mae"] == pytest.approx(errors.mean())
    assert found.metrics["test_rmse"] == pytest.approx(math.sqrt((errors**2).mean()))
    assert [row["predicted"] for row in found.rows] == pytest.approx(said.ravel().tolist())


def test_huge_numbers_are_learned_as_well() -> None:
    objective = Number.of([1e90, 3e90])
    labels = torch.tensor([[1e90], [3e90]], dtype=torch.float64)
    assert float(objective.loss(torch.tensor([[-1.0], [1.0]]), labels)) == pytest.approx(0)


def test_numbers_without_a_spread_have_no_share_of_it_explained() -> None:
    objective, labels = Number.of([0.0, 2.0]), torch.ones(3, 1, dtype=torch.float64)
    assert objective.score(torch.zeros(3, 1), labels) == 1.0
    assert objective.score(torch.ones(3, 1), labels) == 0.0


def test_ordered_classes_cost_more_the_farther_they_are() -> None:
    logits, labels = drawn(5, 3), torch.tensor([0, 1, 2, 2, 0])
    chances = softmax(logits.double().numpy(), axis=1)
    expected = 0.0
    for own, label in zip(chances, labels.tolist(), strict=True):
        expected -= math.log(own[label])
        expected += sum((own[: k + 1].sum() - (label <= k)) ** 2 for k in range(2))
    found = OrderedClasses(VALUES).loss(logits, labels)
    assert float(found) == pytest.approx(expected / 5, rel=1e-5)
    near, far = (torch.tensor([[2.0, 0.0, 0.0]]).roll(shift, 1) for shift in (1, 2))
    first, ordered = torch.tensor([0]), OrderedClasses(VALUES)
    plain = SingleLabel()
    assert float(plain.loss(near, first)) == pytest.approx(float(plain.loss(far, first)))
    assert float(ordered.loss(near, first)) < float(ordered.loss(far, first))


def test_ordered_classes_report_the_error_of_their_value() -> None:
    logits, labels = drawn(8, 3), torch.tensor([0, 1, 2, 2, 0, 1, 1, 0])
    found = OrderedClasses(VALUES).tested([(logits, labels)], None, 2.0)
    values = softmax(logits.double().numpy() / 2, axis=1) @ VALUES
    assert [row["value"] for row in found.rows] == pytest.approx(values.tolist())
    own = np.array(VALUES)[labels.numpy()]
    assert found.metrics["test_mae"] == pytest.approx(np.abs(values - own).mean())
    assert -1 <= found.metrics["test_quadratic_kappa"] <= 1
    right = torch.eye(3)[labels] * 9
    assert OrderedClasses(VALUES).tested([(right, labels)], None, 1.0).metrics[
        "test_quadratic_kappa"
    ] == pytest.approx(1)


def test_several_labels_are_scored_by_class() -> None:
    logits, marks = drawn(40, 3), (drawn(40, 3, seed=1) > 0.5).double()
    marks[:, 2] = 0
    objective = SeveralLabels(("a", "b", "nobody"))
    chances = expit(logits.double().numpy())
    has = marks.numpy()
    loss = -(has * np.log(chances) + (1 - has) * np.log(1 - chances)).mean()
    assert float(objective.loss(logits, marks)) == pytest.approx(loss, rel=1e-5)
    each = [average_precision_score(has[:, i], logits.numpy()[:, i]) for i in range(2)]
    assert objective.score(logits, marks) == pytest.approx(np.mean(each))
    target = MultiLabel(thresholds=(0.5, 0.5, 0.5))
    found = objective.tested([(logits[:13], marks[:13]), (logits[13:], marks[13:])], target, 1.0)
    says = chances >= 0.5
    assert found.metrics["test_exact_match"] == pytest.approx((says == has).all(axis=1).mean())
    precisions = [row["average_precision"] for row in found.metrics["class_scores"]]
    assert precisions == [pytest.approx(each[0]), pytest.approx(each[1]), None]
    assert found.rows[7]["labels"] == np.flatnonzero(has[7]).tolist()
    assert found.rows[7]["predicted"] == np.flatnonzero(says[7]).tolist()


def test_a_threshold_is_that_of_the_best_f1_between_two_scores() -> None:
    scores = np.array([[0.9, 0.8, 0.75, 0.7, 0.6, 0.3, 0.2, 0.1]]).T
    has = np.array([[1, 1, 1, 0, 1, 1, 0, 0]], bool).T
    assert choose_thresholds(scores, has) == (0.25,)
    few = has & (scores > 0.65)
    assert few.sum() == 3
    assert choose_thresholds(scores, few) == (USUAL,)


def test_the_temperature_of_several_labels_makes_overconfident_ones_true() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(400, 5, generator=generator) * 2
    marks = (torch.rand(400, 5, generator=generator) < logits.sigmoid()).double()
    found = calibrate_each(logits * 3, marks).calibration
    assert found is not None
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.error_after < found.error_before / 3
    few = calibrate_each(logits[: LEAST_IMAGES - 1], marks[: LEAST_IMAGES - 1])
    assert (few.calibration, few.reason[:2]) == (None, str(LEAST_IMAGES - 1))
    sure = calibrate_each(marks.float() - 0.5, marks)
    assert sure.reason == "every class of every validation image is named right"
