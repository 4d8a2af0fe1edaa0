"""Heads of any sizes answered together give what each gives alone."""

import pytest
import torch

from serving.forward import heads
from serving.forward.heads import best_classes, margins
from serving.rows.resident import make_resident
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone

SIZES = (2, 7, 1, 100, 3)
TEMPERATURES = (None, 3.0, 0.5, 2.0, None)


@pytest.fixture(scope="module")
def residents():
    backbone = tiny_backbone()
    return [
        make_resident(
            make_adapter(classes=c, seed=c, backbone=backbone.spec, temperature=t), backbone
        )
        for c, t in zip(SIZES, TEMPERATURES, strict=True)
    ]


@pytest.mark.parametrize("order", [(0,), (1, 1, 1), (4, 3, 2, 1, 0), (0, 3, 0, 2, 3)])
@pytest.mark.parametrize("top_k", [1, 3, 1000])
def test_every_row_gets_the_best_classes_of_its_own_head(residents, order, top_k):
    features = torch.randn(len(order), 16)
    rows = [residents[i] for i in order]
    scores, classes = best_classes(features, rows, top_k)
    for feature, row, found, where in zip(features, rows, scores, classes, strict=True):
        logits = row.head_weight @ feature + row.head_bias
        alone = (logits / row.meta.temperature).softmax(dim=0)
        best = alone.topk(min(top_k, len(alone)))
        torch.testing.assert_close(found[: len(best.values)], best.values)
        assert where[: len(best.values)].tolist() == best.indices.tolist()
        assert not found[len(best.values) :].any()


def test_classes_whose_probability_vanishes_still_come_before_places_that_are_no_class(residents):
    features = torch.full((2, 16), 1e4)
    _, classes = best_classes(features, [residents[1], residents[3]], 100)
    assert sorted(classes[0, :7].tolist()) == list(range(7))


def test_one_row_of_numbers_that_are_none_does_not_touch_the_others(residents):
    features = torch.randn(2, 16)
    features[0] = torch.nan
    scores, _ = best_classes(features, [residents[0], residents[1]], 5)
    assert scores[0].isnan().any()
    assert scores[1].isfinite().all()


def test_bfloat16_features_give_float32_probabilities(residents):
    backbone = tiny_backbone(dtype=torch.bfloat16)
    resident = make_resident(make_adapter(classes=5, backbone=backbone.spec), backbone)
    scores, _ = best_classes(torch.randn(3, 16).bfloat16(), [resident] * 3, 5)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.sum(dim=1), torch.ones(3))


def test_a_head_is_never_rounded_whatever_the_trunk_computes_in():
    adapter = make_adapter(classes=1000, backbone=tiny_backbone().spec)
    resident = make_resident(adapter, tiny_backbone(dtype=torch.bfloat16))
    assert torch.equal(resident.head_weight, adapter.head_weight)
    assert torch.equal(resident.head_bias, adapter.head_bias)
    features = torch.randn(256, 16)
    _, classes = best_classes(features, [resident] * 256, 1)
    expected = (features @ adapter.head_weight.T + adapter.head_bias).argmax(dim=1)
    assert torch.equal(classes[:, 0], expected)


def test_on_the_cpu_no_head_is_copied(residents, monkeypatch):
    def explode(*_):
        raise AssertionError("heads were copied")

    monkeypatch.setattr(torch, "cat", explode)
    best_classes(torch.randn(5, 16), residents, 5)


def test_the_heads_joined_and_one_by_one_give_the_same(residents):
    features, rows = torch.randn(6, 16), [residents[i] for i in (0, 3, 0, 2, 4, 1)]
    one_by_one, joined = heads._one_by_one(features, rows), heads._joined(features, rows)
    torch.testing.assert_close(one_by_one, joined)


def test_the_margin_to_the_next_class_is_infinite_where_there_is_none(residents):
    found = margins(torch.randn(3, 16), [residents[2], residents[3], residents[2]])
    assert found.isinf().tolist() == [True, False, True]
