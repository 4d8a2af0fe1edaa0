"""A card says what its run measured, in the hub's form, and nothing that it did not measure."""

from typing import Any

import pytest
import yaml

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.vit.adapter import decode
from tests.fakes.artifacts import make_calibration, make_spec
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, make_toy_folder, read, toy_recipe
from trainer.card.card import MAX_BYTES, model_card
from trainer.card.origin import Origin, origin_of
from trainer.experiment import materials as materials_module
from trainer.experiment.run import Result, run
from trainer.recipe import Recipe
from trainer.report.page import write_report

FOUND = {
    "test_accuracy": 0.8125,
    "val_accuracy": 0.75,
    "classes": 2,
    "class_names": ["a: b", "c\nd"],
    "train_images": 1234,
    "val_images": 20,
    "test_images": 30,
    "trainable_parameters": 500,
    "uncalibrated": "too few images",
    "calibration": None,
    "unknown": None,
}


def card(recipe: Recipe | None = None, **changes: Any) -> str:
    return model_card(recipe or toy_recipe(), make_spec(), FOUND | changes)


def front(text: str) -> dict[str, Any]:
    _, matter, _ = text.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(matter)
    return found


def test_the_front_matter_is_the_hubs():
    found = front(card(toy_recipe(report={"licence": "apache-2.0"}), test_macro_f1=0.5))
    assert found["license"] == "apache-2.0"
    assert found["pipeline_tag"] == "image-classification"
    assert found["metrics"] == ["accuracy", "f1"]
    (result,) = found["model-index"][0]["results"]
    assert result["dataset"] == {"name": "toy", "type": "toy", "split": "test"}
    assert [one["value"] for one in result["metrics"]] == [0.8125, 0.5]


def test_a_licence_that_nobody_stated_is_not_made_up():
    text = card()
    assert front(text)["license"] == "unknown"
    assert "of the adapter: not stated by who trained it" in text
    assert "the licence of the images is not known to this program" in text
    assert "base_model" not in front(text)


def test_what_was_not_measured_is_not_told():
    text = card()
    for word in ("F1", "calibration error", "temperature", "AUROC", "averages", "Unknown images"):
        assert word not in text
    assert "every image is given one of the classes, whatever it shows" in text
    assert "1,234 for training" in text
    assert "the numbers above are of 30 test images, and of no others" in text


def test_calibration_average_and_rejection_are_told_where_they_were_measured():
    optim = {"epochs": 3, "ema": 0.99}
    text = card(
        toy_recipe(optim=optim),
        test_calibration_error=0.04,
        test_calibration_error_before=0.2,
        calibration=make_calibration(1.75).model_dump(),
        unknown={"score": "energy", "threshold": 1.25, "images": 9, "false_reject_rate": 0.05},
        test_false_reject_rate=0.06,
        other_task={"task": "shapes", "images": 40, "auroc": 0.9123, "rejected": 0.7},
    )
    assert "expected calibration error on test images, in 15 bins: 0.0400" in text
    assert "temperature: 1.75, fitted on 200 validation images" in text
    assert "averages over steps, with a decay of 0.99" in text
    assert "told from 40 images of shapes: AUROC 0.9123, rejected 0.7000" in text
    assert "whatever it shows" not in text


def test_names_are_shown_in_one_line_and_many_are_counted():
    assert "classes: a: b, c\\nd\n" in card()
    many = [f"class {i}" for i in range(10_000)]
    text = card(class_names=many, classes=len(many))
    assert "class 39, and 9,960 more" in text
    assert len(text.encode()) < MAX_BYTES


def test_the_origin_is_timms_word_and_no_guess():
    name = "vit_base_patch16_224.augreg_in21k"
    assert origin_of(name) == Origin("apache-2.0", f"timm/{name}")
    assert origin_of(EMBEDDED) == Origin("apache-2.0", None)
    for unknown in ("tiny", "vit_base_patch16_224", "vit_base_patch16_224.mocov3"):
        assert origin_of(unknown) == Origin(None, None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run that averages, and ends early."""
    folder = tmp_path_factory.mktemp("card")
    optim = {"epochs": 9, "warmup_epochs": 1, "batch_size": 4, "ema": 0.5, "patience": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(materials_module, "load_backbone", lambda *_, **__: tiny_backbone())
        patch.setattr("trainer.training.loop.validation_score", lambda *_: 0.5)
        recipe = toy_recipe(method="linear", optim=optim)
        told: list[str] = []
        data = make_toy_folder(folder / "toy")
        result = run(recipe, data, folder / "run", ignore, tell=told.append)
        assert told[1] == (
            "toy: stopped after epoch 2 of 9: no better validation accuracy in 1 epochs"
        )
        run(recipe, data, folder / "run", ignore, tell=told.append)
        assert "this run was finished already" in told[3]
    return result


def test_a_run_leaves_its_card_and_the_artifact_and_the_report_have_it(finished: Result):
    text = (finished.folder / "card.md").read_text()
    assert finished.artifact is not None
    assert decode(finished.artifact.read_bytes()).meta.card == text
    assert f"accuracy on test images: {finished.metrics['test_accuracy']:.4f}" in text
    page = write_report(finished.folder).read_text()
    assert "library_name: spt-serving" in page
    assert "averaged over steps with a decay of 0.5" in page
    assert "2 epochs, stopped early" in page


def test_the_metrics_say_which_weights_are_kept(finished: Result):
    metrics = read(finished.folder, "metrics.json")
    assert (metrics["ema"], metrics["stopped_early"], metrics["selected_epoch"]) == (0.5, True, 2)
