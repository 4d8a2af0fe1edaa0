"""Whole runs of the methods that build on prompts: what an artifact holds and what was learned."""

from pathlib import Path

import pytest
import torch

from adapters.vit.adapter import Adapter
from serving.rows.resident import make_resident
from serving.trunk.cpu import CpuBackend
from tests.fakes.rows import features_of
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, make_toy_folder, read, toy_recipe, train
from trainer.data.load import load_task
from trainer.errors import DataError
from trainer.experiment import attention
from trainer.experiment import materials as module
from trainer.experiment.run import run
from trainer.experiment.start import start_model
from trainer.training.images import ImageSet, batches

BACKBONE = tiny_backbone()
RULE = BACKBONE.preprocessing
TENSORS = {
    "e2vpt": {"prompts": (3, 2, 16), "keys_values": (3, 5, 2, 8)},
    "vfpt-deep": {"prompts": (3, 2, 16)},
    "vfpt-shallow": {"prompts": (1, 2, 16)},
    "pae": {"prompts": (3, 2, 16)},
    "da-vpt": {"prompts": (3, 2, 16)},
    "da-vpt-plus": {"prompts": (3, 2, 16), "biases": (3, 16)},
    "attention-bias": {"biases": (3, 16)},
}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_backbone", lambda *_, **__: BACKBONE)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_folder(tmp_path_factory.mktemp("data") / "toy")


def answers(adapter: Adapter, data: Path) -> list[int]:
    """Return the classes that a service takes the test images for."""
    resident = make_resident(adapter, BACKBONE)
    images = ImageSet(load_task("toy", data).test, adapter.meta.preprocessing)
    pixels = torch.cat([found.cpu() for found, _ in batches(images, 64)])
    features = features_of(CpuBackend(BACKBONE), [resident] * len(pixels), pixels)
    logits = features @ adapter.head_weight.T + adapter.head_bias
    return logits.argmax(dim=1).tolist()


@pytest.mark.parametrize("method", TENSORS)
def test_an_artifact_holds_what_its_method_adds_and_answers_as_the_run_did(
    method: str, data: Path, tmp_path: Path
):
    recipe = toy_recipe(method=method)
    result, adapter = train(recipe, data, tmp_path / "run")
    shapes = {name: tuple(one.shape) for name, one in adapter.tensors.items()}
    assert {n: s for n, s in shapes.items() if not n.startswith("head.")} == TENSORS[method]
    assert all(one.abs().max() > 0 for one in adapter.tensors.values())
    predicted = [one["predicted"] for one in read(result.folder, "predictions.json")]
    assert answers(adapter, data) == predicted
    assert run(recipe, data, result.folder, ignore).metrics == result.metrics


def first_loss(method: str, data: Path, folder: Path) -> float:
    optim = {"epochs": 1, "warmup_epochs": 1, "batch_size": 10, "lr": 1e-9}
    run(toy_recipe(method=method, optim=optim), data, folder, ignore)
    return float(read(folder, "metrics.json")["losses"][0])


def test_what_a_method_adds_is_in_the_loss(data: Path, tmp_path: Path):
    plain = first_loss("vpt-deep", data, tmp_path / "vpt")
    torch.manual_seed(0)
    model = start_model(
        toy_recipe(method="pae"), BACKBONE, 2, ImageSet(load_task("toy", data).train, RULE)
    )[0]
    expected = model.penalty(torch.zeros(1, dtype=torch.int64)).item()
    found = first_loss("pae", data, tmp_path / "pae") - plain
    assert found == pytest.approx(expected, rel=1e-3)
    assert first_loss("da-vpt", data, tmp_path / "da") > plain + 0.01


def test_a_picture_of_attention_is_refused_where_something_stands_beside_prompts(
    data: Path, tmp_path: Path
):
    result, _ = train(toy_recipe(method="e2vpt"), data, tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "load_backbone", lambda *_, **__: BACKBONE)
        with pytest.raises(DataError, match="its method has keys_values next to prompts"):
            attention.draw_attention(result.artifact, [], None, tmp_path / "a.svg")
