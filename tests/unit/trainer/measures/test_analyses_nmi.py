"""NMI is that of eq. 7 and 8, bounded, ordered and safe at the ends of the number line."""

import math

import pytest
import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor

from tests.fakes.tiny import tiny_backbone
from trainer.errors import DataError
from trainer.measures.attention import attention_scores
from trainer.measures.nmi import Reading, joint_distribution, nmi, nmi_of_joint, nmi_of_layers
from trainer.measures.prompted_inputs import prompted_inputs

L, P, N, D = 3, 4, 7, 16


def draw_pixels(count: int) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(7))


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def literal_nmi(prompts: Tensor, tokens: Tensor) -> float:
    """Return eq. 7 and 8 by loops over single numbers."""
    sigmoid = [
        [
            1 / (1 + math.exp(-sum(a * b for a, b in zip(p, e, strict=True))))
            for e in tokens.tolist()
        ]
        for p in prompts.tolist()
    ]
    total = sum(map(sum, sigmoid))
    joint = [[value / total for value in row] for row in sigmoid]
    of_p = [sum(row) for row in joint]
    of_e = [sum(column) for column in zip(*joint, strict=True)]
    shared = sum(
        value * math.log(value / (of_p[k] * of_e[j]))
        for k, row in enumerate(joint)
        for j, value in enumerate(row)
    )
    entropy = -sum(q * math.log(q) for q in of_p + of_e)
    return 2 * shared / entropy


def test_nmi_is_the_papers_formula():
    prompts, tokens = draw(P, D), draw(N, D, seed=1)
    assert nmi(prompts, tokens) == pytest.approx(literal_nmi(prompts, tokens), rel=1e-10)


def test_a_case_of_two_by_two_worked_out_by_hand():
    joint = torch.tensor([[0.4, 0.1], [0.1, 0.4]], dtype=torch.float64)
    expected = 1 + (0.8 * math.log(0.8) + 0.2 * math.log(0.2)) / math.log(2)
    assert float(nmi_of_joint(joint)) == pytest.approx(expected, rel=1e-12)
    scores = (joint / 0.5).logit()
    torch.testing.assert_close(joint_distribution(scores), joint)


def test_mutual_information_is_that_of_scikit_learn():
    counts = torch.tensor([[9, 2, 4], [1, 7, 3]])
    joint = (counts / counts.sum()).double()
    of_p, of_e = joint.sum(dim=1), joint.sum(dim=0)
    entropy = -(of_p @ of_p.log() + of_e @ of_e.log())
    shared = mutual_info_score(None, None, contingency=counts.numpy())
    assert float(nmi_of_joint(joint)) == pytest.approx(2 * shared / float(entropy), rel=1e-6)


def test_pairs_that_belong_to_each_other_alone_share_everything():
    assert float(nmi_of_joint(torch.eye(5, dtype=torch.float64) / 5)) == pytest.approx(1)
    far = 800.0 * (2 * torch.eye(5) - 1)
    assert nmi(far, torch.eye(5)) == pytest.approx(1)


def test_independent_sides_share_nothing():
    of_p, of_e = torch.tensor([0.2, 0.8]).double(), torch.tensor([0.5, 0.1, 0.4]).double()
    assert float(nmi_of_joint(torch.outer(of_p, of_e))) == pytest.approx(0, abs=1e-12)
    assert nmi(torch.zeros(P, D), draw(N, D)) == pytest.approx(0, abs=1e-12)
    assert nmi(draw(1, D).expand(P, D), draw(N, D, seed=1)) == pytest.approx(0, abs=1e-12)


def test_the_more_prompts_prefer_their_own_tokens_the_more_is_shared():
    values = [nmi(scale * (2 * torch.eye(5) - 1), torch.eye(5)) for scale in (0.0, 1.0, 3.0, 9.0)]
    assert values == sorted(values)
    assert values[0] < 1e-12
    assert 0.01 < values[-1] <= 1


def test_the_order_of_prompts_and_tokens_does_not_matter():
    prompts, tokens = draw(P, D), draw(N, D, seed=1)
    shuffled = nmi(prompts[[2, 0, 3, 1]], tokens.flip(0))
    assert shuffled == pytest.approx(nmi(prompts, tokens), rel=1e-12)
    assert nmi(tokens, prompts) == pytest.approx(nmi(prompts, tokens), rel=1e-12)


def test_a_rotation_of_both_sides_does_not_matter():
    prompts, tokens = draw(P, D).double(), draw(N, D, seed=1).double()
    turn = torch.linalg.qr(draw(D, D, seed=2).double())[0]
    assert nmi(prompts @ turn, tokens @ turn) == pytest.approx(nmi(prompts, tokens), rel=1e-10)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e3, 1e6, -1e6])
def test_nmi_stays_within_bounds_where_sigmoids_saturate(scale: float):
    assert 0 <= nmi(scale * draw(P, D).abs(), draw(N, D, seed=1).abs()) <= 1


def test_a_single_pair_has_nothing_to_share():
    assert nmi(draw(1, D), draw(1, D)) == 0


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="expected finite numbers, found infinity or NaN"):
        nmi(torch.full((P, D), torch.nan), draw(N, D))


@pytest.mark.parametrize("layers", [L, 1])
def test_a_layers_value_is_the_mean_over_images_however_they_are_batched(layers: int):
    backbone, pixels, prompts = tiny_backbone(), draw_pixels(5), draw(layers, P, D)
    found = nmi_of_layers(backbone, prompts, pixels.split(2))
    expected = [
        sum(nmi(entering.prompts[b], entering.patches[b]) for b in range(5)) / 5
        for entering in prompted_inputs(backbone, prompts, pixels)
    ]
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("reading", ["dots", "scaled", "attention"])
def test_blocks_without_prompts_share_nothing(reading: Reading):
    prompts = draw(L - 1, P, D)
    first, *later = nmi_of_layers(tiny_backbone(), prompts, [draw_pixels(2)], reading)
    assert first == 0
    assert all(value > 0 for value in later)


def test_scaled_dots_are_those_of_prompts_that_much_shorter():
    backbone, pixels, prompts = tiny_backbone(), draw_pixels(3), draw(L, P, D)
    first = nmi_of_layers(backbone, prompts, [pixels], "scaled")[0]
    assert first == pytest.approx(nmi_of_layers(backbone, prompts / D**0.5, [pixels])[0], rel=1e-4)


def test_the_attention_reading_takes_each_heads_own_scores():
    backbone, pixels, prompts = tiny_backbone(), draw_pixels(1), draw(L, P, D)
    entering = next(prompted_inputs(backbone, prompts, pixels))
    scores = attention_scores(entering.block, entering.prompts, entering.patches)
    heads = [float(nmi_of_joint(joint_distribution(head))) for head in scores[0]]
    found = nmi_of_layers(backbone, prompts, [pixels], "attention")[0]
    assert found == pytest.approx(sum(heads) / 2)


def test_the_attention_reading_does_not_see_the_length_of_prompts():
    backbone, pixels, prompts = tiny_backbone(), draw_pixels(2), draw(L, P, D)
    short = nmi_of_layers(backbone, prompts, [pixels], "attention")
    assert nmi_of_layers(backbone, 9 * prompts, [pixels], "attention") == pytest.approx(
        short, rel=1e-3
    )


def test_no_images_are_one_clear_error():
    with pytest.raises(DataError, match="expected at least one, found none"):
        nmi_of_layers(tiny_backbone(), draw(L, P, D), [])
