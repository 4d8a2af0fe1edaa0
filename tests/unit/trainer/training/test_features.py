"""Features of a frozen model are computed once, and anew for any other model."""

from pathlib import Path

import pytest
import torch

from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import make_toy_folder, toy_recipe
from trainer.experiment import materials as materials_module
from trainer.experiment.materials import Materials, prepare
from trainer.experiment.start import start_model
from trainer.methods.classifier import Classifier
from trainer.training import features as module
from trainer.training.features import FeatureCache


@pytest.fixture
def materials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Materials:
    monkeypatch.setattr(materials_module, "load_backbone", lambda *_, **__: tiny_backbone())
    return prepare(toy_recipe(), make_toy_folder(tmp_path / "toy"))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    real = module.features_of
    monkeypatch.setattr(module, "features_of", lambda *a: (calls.append(1), real(*a))[1])
    return calls


def model_of(materials: Materials, seed: int, **changes: object) -> Classifier:
    recipe = toy_recipe(seed=seed, **changes)
    return start_model(recipe, materials.backbone, 2, materials.training)[0]


def test_heads_of_other_seeds_share_the_features(materials: Materials, computed: list[int]):
    cache = FeatureCache()
    one, other = (model_of(materials, seed, method="linear") for seed in (0, 1))
    assert not torch.equal(one.head.weight, other.head.weight)
    assert cache.of(one, materials.training, 4) is cache.of(other, materials.training, 4)
    assert len(computed) == 1


def test_other_frozen_prompts_have_features_of_their_own(materials: Materials, computed: list[int]):
    cache = FeatureCache()
    frozen = {"num_tokens": 2, "frozen": True}
    one, other = (model_of(materials, seed, prompt=frozen) for seed in (0, 1))
    first = cache.of(one, materials.training, 4).tensors[0]
    second = cache.of(other, materials.training, 4).tensors[0]
    assert len(computed) == 2
    assert not torch.equal(first, second)
    assert torch.equal(first, cache.of(one, materials.training, 4).tensors[0])
