"""Pre-training leaves weights that our own loader takes, however often it was stopped."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.vit.architecture import create_trunk
from adapters.vit.weights import digest, load_weights
from trainer.errors import ResumeError
from trainer.pretraining import run as module
from trainer.pretraining.run import PretrainRecipe, pretrain

RECIPE = PretrainRecipe(epochs=2, batch_size=4, warmup_epochs=0.5)


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (10, 3, 32, 32), generator=generator, dtype=torch.uint8)
    monkeypatch.setattr(module, "load_cifar10", lambda *_: (images, torch.zeros(10)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


def weights_of(folder: Path, recipe: PretrainRecipe = RECIPE) -> Path:
    return pretrain(recipe, Path("unused"), folder)


def losses_of(folder: Path) -> list[float]:
    return json.loads((folder / "pretrain.json").read_text())["loss_per_epoch"]


def test_two_epochs_leave_half_precision_weights_that_load_strictly(whole: Path):
    path = weights_of(whole)
    assert path.name == "backbone.safetensors"
    tensors = load_file(path)
    trunk, untrained = create_trunk(EMBEDDED), digest(create_trunk(EMBEDDED))
    assert tensors.keys() == trunk.state_dict().keys()
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    load_weights(trunk, EMBEDDED, path)
    assert digest(trunk) != untrained
    assert all(torch.equal(v, tensors[k].float()) for k, v in trunk.state_dict().items())


def test_the_report_has_the_curve_and_the_recipe(whole: Path):
    weights_of(whole)
    report = json.loads((whole / "pretrain.json").read_text())
    assert len(report["loss_per_epoch"]) == 2
    assert all(0.2 < loss < 5 for loss in report["loss_per_epoch"])
    assert report["recipe"] == RECIPE.model_dump()


def test_a_stopped_run_goes_on_to_the_same_weights(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    expected = weights_of(whole).read_bytes()
    real = module._epoch

    def die_in_the_second(epoch: int, *rest: object) -> float:
        if epoch == 1:
            raise KeyboardInterrupt
        return real(epoch, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_epoch", die_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            weights_of(tmp_path)
    assert weights_of(tmp_path).read_bytes() == expected
    assert losses_of(tmp_path) == losses_of(whole)


def test_the_state_of_another_recipe_is_refused(whole: Path):
    weights_of(whole)
    with pytest.raises(ResumeError, match="state of another recipe"):
        weights_of(whole, RECIPE.model_copy(update={"seed": 1}))


def test_crops_stay_within_the_images_values_and_have_the_backbones_size():
    torch.manual_seed(0)
    batch = torch.rand(4, 3, 32, 32) * 2 - 1
    crops = module._random_crop_and_flip(batch, 0.3)
    assert crops.shape == (4, 3, 64, 64)
    assert crops.abs().max() <= batch.abs().max() + 1e-6


def test_biases_and_norms_are_not_decayed():
    model = module.MaskedAutoencoder(create_trunk(EMBEDDED))
    decayed, free = module._decay_groups(model, 0.05)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.05, 0.0)
    assert all(p.ndim <= 1 for p in free["params"])
    listed = {id(p) for group in (decayed, free) for p in group["params"]}
    assert listed == {id(p) for p in model.parameters() if p.requires_grad}
