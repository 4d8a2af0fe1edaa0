"""Rows near a boundary are computed again, exactly; the others keep what they have."""

import numpy as np
import pytest
import torch

from adapters.vit.pixels import normalise_batch
from serving.forward.forward import collect, launch
from serving.forward.heads import best_classes, margins
from serving.rows.resident import make_resident
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.rows import features_of, seated
from tests.fakes.tiny import tiny_backbone

SIZES = (2, 5, 3, 40)


class Rounded:
    """A backend whose features are coarse, and which counts how many rows are asked again."""

    steps = None
    forks = None

    def __init__(self, backbone, below):
        self.backbone, self.key_alignment = backbone, 1
        self.exact = Counted(backbone)
        self.below = below

    def warm_up(self, examples):
        self.exact.warm_up(examples)

    def features(self, form, pixels, prompts):
        exact = CpuBackend(self.backbone).features(form, pixels, prompts)
        return exact + 0.05 * exact.norm(dim=1, keepdim=True) * torch.randn_like(exact)

    def doubt(self, form):
        return self.below


class Counted(CpuBackend):
    rows = 0

    def features(self, form, pixels, prompts):
        self.rows += len(pixels)
        return super().features(form, pixels, prompts)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture(scope="module")
def residents(backbone):
    made = [
        make_resident(
            make_adapter(f"t{i}", c, seed=i, prompts=1 + i, backbone=backbone.spec), backbone
        )
        for i, c in enumerate(SIZES)
    ]
    return [made[i % len(made)] for i in range(24)]


def images(residents):
    """Return crops, and their pixels by each resident's rule."""
    crops = np.random.default_rng(0).integers(0, 256, (len(residents), 16, 16, 3), np.uint8)
    rules = [resident.meta.preprocessing for resident in residents]
    return crops, normalise_batch(torch.from_numpy(crops), rules)


def labels_through(backend, residents, crops):
    rows = [seated(resident, own) for resident, own in zip(residents, crops, strict=True)]
    again = collect(launch(backend, rows))
    assert again is None or [row for row in rows if row.is_pending] == list(again.rows)
    assert again is None or collect(again) is None
    return [row.outcome.predictions[0].index for row in rows]


def test_a_margin_is_the_shortest_change_that_swaps_the_two_best_classes(residents):
    features = torch.randn(len(residents), 16).double()
    for feature, resident, margin in zip(
        features, residents, margins(features, residents), strict=True
    ):
        weight, bias = resident.head_weight.double(), resident.head_bias.double()
        first, second = (weight @ feature + bias).topk(2).indices
        toward = weight[second] - weight[first]
        step = margin * feature.norm() * toward / toward.norm()
        for share, expected in ((0.999, first), (1.001, second)):
            logits = weight @ (feature + share * step) + bias
            assert (
                logits[first] > logits[second]
                if expected == first
                else logits[second] > logits[first]
            )


def test_all_rows_in_doubt_give_the_exact_labels(backbone, residents):
    crops, pixels = images(residents)
    backend = Rounded(backbone, below=torch.inf)
    exact = features_of(CpuBackend(backbone), residents, pixels)
    expected = best_classes(exact, residents, 1)[1][:, 0].tolist()
    assert labels_through(backend, residents, crops) == expected
    assert backend.exact.rows == len(residents)


def test_only_rows_in_doubt_are_computed_again(backbone, residents):
    crops, pixels = images(residents)
    sure = Rounded(backbone, below=0.0)
    torch.manual_seed(1)
    before = labels_through(sure, residents, crops)
    assert sure.exact.rows == 0
    torch.manual_seed(1)
    coarse = features_of(sure, residents, pixels)
    middle = float(margins(coarse, residents).median())
    backend = Rounded(backbone, below=middle)
    torch.manual_seed(1)
    after = labels_through(backend, residents, crops)
    doubtful = (margins(coarse, residents) < middle).tolist()
    assert backend.exact.rows == sum(doubtful)
    assert 0 < sum(doubtful) < len(doubtful)
    exact = features_of(CpuBackend(backbone), residents, pixels)
    labels = best_classes(exact, residents, 1)[1][:, 0].tolist()
    assert after == [labels[i] if doubtful[i] else before[i] for i in range(len(before))]


def test_a_margin_that_is_no_number_is_a_doubt(backbone, residents, monkeypatch):
    backend = Rounded(backbone, below=1e-9)
    monkeypatch.setattr(backend, "features", lambda *_: torch.full((1, 16), torch.nan))
    crops, pixels = images(residents[:1])
    (found,) = labels_through(backend, residents[:1], crops)
    exact = features_of(CpuBackend(backbone), residents[:1], pixels)
    assert found == best_classes(exact, residents[:1], 1)[1].item()


def test_one_class_is_infinitely_far_from_another_and_never_in_doubt(backbone, residents):
    single = make_resident(make_adapter(classes=1, backbone=backbone.spec), backbone)
    assert margins(torch.randn(1, 16), [single]).tolist() == [torch.inf]
    first, second = margins(torch.randn(2, 16), [single, residents[3]]).tolist()
    assert first == torch.inf
    assert second < 1e9
