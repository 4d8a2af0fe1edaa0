"""A run tells how sure its answers are, and which images it would not name."""

from pathlib import Path

import pytest

from adapters.images.decode import decode_image
from adapters.vit.pixels import to_pixels
from tests.fakes.reference import reference_scores
from tests.unit.trainer.toy import BACKBONE, ignore, make_toy_folder, read, toy_recipe, train
from trainer.errors import DataError
from trainer.experiment.run import run
from trainer.report.record import read_record


def test_a_run_with_enough_validation_images_is_calibrated_and_says_so(tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy", per_class=25)
    for name in ("0.png", "1.png"):  # mislabelled, so that certainty is punished
        (data / "val" / "red" / name).rename(data / "val" / "blue" / f"red-{name}")
    result, adapter = train(toy_recipe(method="linear"), data, tmp_path / "run")
    found = adapter.meta.calibration
    assert found is not None
    metrics = read(result.folder, "metrics.json")
    assert metrics["calibration"] == found.model_dump()
    assert (found.images, metrics["uncalibrated"]) == (50, "")
    assert found.temperature != 1
    for row in read(result.folder, "predictions.json")[::7]:
        pixels = to_pixels(
            decode_image(Path(row["image"]).read_bytes()), adapter.meta.preprocessing
        )
        scores = reference_scores(BACKBONE.trunk, adapter, pixels)
        assert row["score"] == pytest.approx(scores.max().item(), abs=1e-5)


def test_a_run_with_few_validation_images_says_why_it_is_not_calibrated(data: Path, tmp_path: Path):
    result, adapter = train(toy_recipe(method="linear"), data, tmp_path / "run")
    assert adapter.meta.calibration is None
    assert b'\\"calibration\\":' not in result.artifact.read_bytes()
    metrics = read(result.folder, "metrics.json")
    assert metrics["calibration"] is None
    assert metrics["uncalibrated"] == "10 validation images are too few, expected 50 or more"
    assert metrics["test_calibration_error"] == metrics["test_calibration_error_before"]


@pytest.mark.parametrize("score", ["energy", "probability", "distance"])
def test_a_run_may_choose_when_an_image_is_unknown(score: str, data: Path, tmp_path: Path):
    asked = {"score": score, "share": 0.3, "other_task": "other"}
    other = make_toy_folder(tmp_path / "other", per_class=3)
    recipe = toy_recipe(method="linear", unknown=asked | {"other_data": other})
    result, adapter = train(recipe, data, tmp_path / "run")
    rule = adapter.meta.unknown
    assert rule is not None
    assert (rule.score, rule.images, rule.false_reject_rate) == (score, 10, 0.3)
    assert adapter.meta.recipe["unknown"] == asked
    metrics = read(result.folder, "metrics.json")
    assert metrics["unknown"] == rule.model_dump()
    assert metrics["test_false_reject_rate"] in {i / 10 for i in range(11)}
    found = metrics["other_task"]
    assert (found["task"], found["images"]) == ("other", 6)
    assert 0 <= found["auroc"] <= 1
    assert read_record(result.folder).metrics.other_task is not None


def test_without_a_threshold_nothing_is_said_of_unknown_images(data: Path, tmp_path: Path):
    result, adapter = train(toy_recipe(method="linear"), data, tmp_path / "run")
    assert adapter.meta.unknown is None
    assert "unknown" not in adapter.meta.recipe
    assert b'\\"unknown\\":' not in result.artifact.read_bytes()
    assert "test_false_reject_rate" not in read(result.folder, "metrics.json")


def test_another_task_that_is_not_there_is_told_before_training(data: Path, tmp_path: Path):
    asked = {"score": "energy", "other_task": "other", "other_data": tmp_path / "nowhere"}
    with pytest.raises(DataError, match="nowhere does not exist"):
        run(toy_recipe(method="linear", unknown=asked), data, tmp_path / "run", ignore)
    assert not (tmp_path / "run").exists()
