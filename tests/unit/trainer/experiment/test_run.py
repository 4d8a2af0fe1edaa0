"""A whole run, from image files to an artifact that says the truth about itself."""

import shutil
from pathlib import Path

import pytest
import torch

from adapters.errors import ArtifactMismatch
from adapters.images.decode import decode_image
from adapters.vit.adapter import Adapter, decode
from adapters.vit.pixels import to_pixels
from tests.fakes.reference import reference_scores
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, make_toy_folder, read, toy_recipe, train
from trainer.errors import DataError, RecipeError, TrainingError
from trainer.experiment import materials as module
from trainer.experiment.folder import forget
from trainer.experiment.run import Result, run
from trainer.training.checkpoint import Progress

METHODS = ["spt-deep", "spt-shallow", "vpt-deep", "vpt-shallow", "linear"]
OPTIM = {"epochs": 3, "warmup_epochs": 1, "batch_size": 4, "lr": 1e-2}
BACKBONE = tiny_backbone()


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_backbone", lambda *_, **__: BACKBONE)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_folder(tmp_path_factory.mktemp("data") / "toy")


def assert_same_tensors(one: Adapter, other: Adapter) -> None:
    assert torch.equal(one.head_weight, other.head_weight)
    assert torch.equal(one.head_bias, other.head_bias)
    assert (one.prompts is None) == (other.prompts is None)
    assert one.prompts is None or torch.equal(one.prompts, other.prompts)


@pytest.fixture(scope="module", params=METHODS)
def usual(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Result, Adapter]:
    """A method, and its run with the usual recipe: to be looked at."""
    folder = tmp_path_factory.mktemp("usual") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_backbone", lambda *_, **__: BACKBONE)
        return request.param, *train(toy_recipe(method=request.param), data, folder)


def test_a_run_leaves_an_artifact_that_fits_the_task_and_the_backbone(
    usual: tuple[str, Result, Adapter],
):
    method, result, adapter = usual
    adapter.check_fits(BACKBONE.spec)
    assert adapter.meta.task.model_dump() == {"id": "toy", "class_names": ("blue", "red")}
    assert (adapter.meta.method, adapter.meta.backbone) == (method, BACKBONE.spec)
    assert adapter.meta.recipe == toy_recipe(method=method).provenance()
    layers = 3 if method.endswith("deep") else 1
    shape = None if method == "linear" else (layers, 2, 16)
    assert (None if adapter.prompts is None else tuple(adapter.prompts.shape)) == shape
    names = {"recipe.json", "state.pt", "metrics.json", "predictions.json", "toy.safetensors"}
    assert {path.name for path in result.folder.iterdir()} == names


def test_an_artifact_says_at_which_block_its_prompts_begin(data: Path, tmp_path: Path):
    recipe = toy_recipe(prompt={"num_tokens": 2, "init_images": 4, "first_block": 1})
    result, adapter = train(recipe, data, tmp_path / "run")
    assert adapter.meta.first_block == 1
    assert adapter.prompts is not None
    assert adapter.prompts.shape == (2, 2, 16)
    assert run(recipe, data, result.folder, ignore).metrics == result.metrics


def test_the_metrics_are_those_of_the_predictions_and_of_the_artifact(
    usual: tuple[str, Result, Adapter],
):
    _, result, adapter = usual
    predictions = read(result.folder, "predictions.json")
    right = sum(row["label"] == row["predicted"] for row in predictions)
    assert len(predictions) == 10
    assert result.metrics["test_accuracy"] == right / 10
    assert adapter.meta.metrics["test_accuracy"] == right / 10
    assert read(result.folder, "metrics.json")["test_accuracy"] == right / 10
    for row in predictions:
        image = decode_image(Path(row["image"]).read_bytes())
        scores = reference_scores(
            BACKBONE.trunk, adapter, to_pixels(image, adapter.meta.preprocessing)
        )
        assert row["score"] == pytest.approx(scores.max().item(), abs=1e-5)
        assert row["predicted"] == scores.argmax().item()
        assert Path(row["image"]).parent.name == adapter.meta.task.class_names[row["label"]]


def test_the_curves_and_counts_are_written(usual: tuple[str, Result, Adapter]):
    _, result, adapter = usual
    metrics = read(result.folder, "metrics.json")
    assert len(metrics["losses"]) == len(metrics["val_accuracies"]) == 3
    assert metrics["train_loss"] == metrics["losses"][-1]
    assert metrics["trainable_parameters"] == adapter.num_parameters
    assert (metrics["train_images"], metrics["test_images"], metrics["classes"]) == (10, 10, 2)


@pytest.mark.parametrize(("select", "reported"), [("last", 0.5), ("best-validation", 0.9)])
def test_the_validation_accuracy_is_that_of_the_epoch_which_is_kept(
    select: str, reported: float, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scores = iter([0.2, 0.9, 0.5])
    monkeypatch.setattr("trainer.training.loop.validation_score", lambda *_: next(scores))
    result, adapter = train(toy_recipe(method="linear", select=select), data, tmp_path / "run")
    assert result.metrics["val_accuracy"] == adapter.meta.metrics["val_accuracy"] == reported


@pytest.mark.parametrize(
    ("method", "head_start"),
    [
        ("spt-deep", "random"),
        ("spt-shallow", "fitted"),
        ("vpt-deep", "random"),
        ("linear", "random"),
    ],
)
def test_a_seed_gives_one_artifact_and_another_seed_another(
    method: str, head_start: str, data: Path, tmp_path: Path
):
    recipe = toy_recipe(method=method, optim=OPTIM | {"head_start": head_start})
    first, second, other = (
        train(recipe.model_copy(update={"seed": seed}), data, tmp_path / place)[0].artifact
        for place, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert None not in (first, second, other)
    assert first.read_bytes() == second.read_bytes()
    weights = [decode(path.read_bytes()).head_weight for path in (first, other)]
    assert not torch.equal(*weights)


def test_a_run_learns_what_can_be_learned(data: Path, tmp_path: Path):
    result, _ = train(toy_recipe(optim=OPTIM | {"epochs": 20, "lr": 2e-2}), data, tmp_path / "run")
    assert result.metrics["test_accuracy"] == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_test_set_never_touches_what_is_trained(method: str, data: Path, tmp_path: Path):
    mislabelled = tmp_path / "toy"
    shutil.copytree(data, mislabelled)
    (mislabelled / "test" / "red").rename(tmp_path / "aside")
    (mislabelled / "test" / "blue").rename(mislabelled / "test" / "red")
    (tmp_path / "aside").rename(mislabelled / "test" / "blue")
    recipe = toy_recipe(method=method, select="best-validation")
    honest, adapter = train(recipe, data, tmp_path / "honest")
    wrong, other = train(recipe, mislabelled, tmp_path / "wrong")
    assert_same_tensors(adapter, other)
    assert wrong.metrics["test_accuracy"] == pytest.approx(1 - honest.metrics["test_accuracy"])
    assert adapter.meta.data_sha256 == other.meta.data_sha256


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_unreadable_image_of_any_split_is_named_before_training(
    split: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broken = tmp_path / "toy"
    shutil.copytree(data, broken)
    path = broken / split / "red" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    monkeypatch.setattr("trainer.experiment.run.train", lambda *_: pytest.fail("training began"))
    with pytest.raises(DataError, match=rf"{path}: .*1 of 30 images cannot be read"):
        run(toy_recipe(), broken, tmp_path / "run", ignore)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("method", "head_start"),
    [("spt-deep", "random"), ("spt-shallow", "fitted"), ("linear", "random")],
)
def test_a_stopped_run_goes_on_to_the_same_artifact(
    method: str, head_start: str, data: Path, tmp_path: Path
):
    def stop(progress: Progress, step: int, *_: object) -> None:
        if (progress.epochs, step) == (1, 2):
            raise KeyboardInterrupt

    recipe = toy_recipe(method=method, optim=OPTIM | {"head_start": head_start})
    whole, _ = train(recipe, data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(recipe, data, tmp_path / "stopped", stop)
    resumed, _ = train(recipe, data, tmp_path / "stopped")
    assert resumed.artifact.read_bytes() == whole.artifact.read_bytes()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_augmentation_is_for_training_only(data: Path, tmp_path: Path):
    recipe = toy_recipe(method="linear", pixels={"augment": "crop-flip"})
    _, augmented = train(recipe, data, tmp_path / "augmented")
    _, plain = train(toy_recipe(method="linear"), data, tmp_path / "plain")
    assert not torch.equal(augmented.head_weight, plain.head_weight)
    assert augmented.meta.preprocessing == plain.meta.preprocessing


def test_the_resize_rule_of_the_recipe_reaches_the_artifact(data: Path, tmp_path: Path):
    pixels = {"resize": "shorter", "resize_size": 20, "decoder": "draft"}
    recipe = toy_recipe(method="linear", pixels=pixels)
    rule = train(recipe, data, tmp_path / "run")[1].meta.preprocessing
    assert (rule.resize, rule.resize_size, rule.crop) == ("shorter", 20, 16)
    assert rule.decoder == "draft"


def test_more_prompts_than_patch_tokens_are_refused(data: Path, tmp_path: Path):
    recipe = toy_recipe(prompt={"num_tokens": 9, "init_images": 2})
    words = r"num_tokens is 9, but 2 images have only 8 patch tokens to start from"
    with pytest.raises(RecipeError, match=words):
        run(recipe, data, tmp_path / "run", ignore)


def test_forgetting_a_run_starts_it_over(data: Path, tmp_path: Path):
    train(toy_recipe(method="linear"), data, tmp_path / "run")
    forget(tmp_path / "run")
    forget(tmp_path / "run")
    result, adapter = train(toy_recipe(method="linear", seed=4), data, tmp_path / "run")
    assert adapter.meta.seed == 4
    assert result.folder == tmp_path / "run"


def test_frozen_prompts_stay_as_they_started_and_only_the_head_learns(data: Path, tmp_path: Path):
    prompt = {"num_tokens": 2, "init_images": 4, "frozen": True}
    short = OPTIM | {"epochs": 1, "warmup_epochs": 0}
    _, one = train(toy_recipe(prompt=prompt, optim=short), data, tmp_path / "one")
    result, two = train(toy_recipe(prompt=prompt), data, tmp_path / "two")
    assert torch.equal(one.prompts, two.prompts)
    assert not torch.equal(one.head_weight, two.head_weight)
    assert read(result.folder, "metrics.json")["parts"] == {"head": 34}


def test_a_method_that_cannot_be_served_leaves_scores_and_no_artifact(data: Path, tmp_path: Path):
    result = run(toy_recipe(method="bias"), data, tmp_path / "run", ignore)
    assert result.artifact is None
    assert 0 <= result.metrics["test_accuracy"] <= 1
    assert not list((tmp_path / "run").glob("*.safetensors"))
    assert set(read(result.folder, "metrics.json")["parts"]) == {"head", "biases"}


def test_a_share_of_the_training_images_leaves_the_other_splits_whole(data: Path, tmp_path: Path):
    result, _ = train(toy_recipe(data_proportion=0.4), data, tmp_path / "run")
    metrics = read(result.folder, "metrics.json")
    assert [metrics[f"{split}_images"] for split in ("train", "val", "test")] == [4, 10, 10]


def test_prompts_may_start_from_another_tasks_images(data: Path, tmp_path: Path):
    other = make_toy_folder(tmp_path / "other", per_class=3)
    (other / "train" / "red" / "0.png").unlink()
    prompt = {"num_tokens": 2, "init_images": None, "init_proportion": 1.0}
    from_other = prompt | {"init_task": "other", "init_data": other}
    result, adapter = train(toy_recipe(prompt=from_other), data, tmp_path / "run")
    assert read(result.folder, "metrics.json")["init"]["images"] == 5
    assert adapter.meta.recipe["prompt"]["init_task"] == "other"
    assert "init_data" not in adapter.meta.recipe["prompt"]


def test_what_is_measured_on_the_way_is_written_and_changes_nothing(data: Path, tmp_path: Path):
    _, plain = train(toy_recipe(), data, tmp_path / "plain")
    watched = toy_recipe(report={"nmi_images": 3, "test_each_epoch": True})
    result, adapter = train(watched, data, tmp_path / "watched")
    metrics = read(result.folder, "metrics.json")
    assert len(metrics["nmi"]) == len(metrics["test_accuracies"]) == 4
    assert metrics["test_accuracies"][-1] == metrics["test_accuracy"]
    assert_same_tensors(adapter, plain)


def test_bfloat16_changes_the_numbers_a_little_and_the_scores_are_the_served_ones(
    data: Path, tmp_path: Path
):
    _, exact = train(toy_recipe(), data, tmp_path / "exact")
    _, half = train(toy_recipe(compute={"precision": "bfloat16"}), data, tmp_path / "half")
    assert half.prompts.dtype == torch.float32
    assert not torch.equal(half.prompts, exact.prompts)
    assert torch.allclose(half.prompts, exact.prompts, atol=0.1)


def test_no_memory_left_names_what_to_lower(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("trainer.experiment.run.train", exhausted)
    words = r"toy, spt-deep .*out of memory .*optim.batch_size \(now 4\) or set compute.precision"
    with pytest.raises(TrainingError, match=words):
        run(toy_recipe(), data, tmp_path / "run", ignore)


def test_an_error_that_is_not_of_memory_is_not_explained_away(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def wrong(*_: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr("trainer.experiment.run.train", wrong)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run(toy_recipe(), data, tmp_path / "run", ignore)


def test_pixels_that_no_service_would_take_are_refused_before_training(data: Path, tmp_path: Path):
    recipe = toy_recipe(method="linear", pixels={"resize": "shorter", "resize_size": 65})
    with pytest.raises(ArtifactMismatch, match="65 pixels on its shorter side, the limit is 64"):
        train(recipe, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_rare_classes_count_as_much_in_the_means_over_classes(data: Path, tmp_path: Path):
    few = tmp_path / "toy"
    shutil.copytree(data, few)
    for i in range(3):
        (few / "test" / "red" / f"{i}.png").unlink()
    recipe = toy_recipe(method="linear", data={"shots": 4, "sampling": "balanced"})
    result, adapter = train(recipe, few, tmp_path / "run")
    rows = read(result.folder, "predictions.json")
    right = [[row["predicted"] == i for row in rows if row["label"] == i] for i in (0, 1)]
    assert [len(one) for one in right] == [5, 2]
    expected = sum(sum(one) / len(one) for one in right) / 2
    metrics = read(result.folder, "metrics.json")
    assert metrics["test_mean_class_accuracy"] == pytest.approx(expected)
    assert 0 <= metrics["test_macro_f1"] <= 1
    assert metrics["train_images"] == 8
    assert adapter.meta.metrics.keys() == {"test_accuracy", "val_accuracy"}
