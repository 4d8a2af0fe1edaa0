"""CKA is Kornblith's, and sums over batches to that of all images."""

import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import tiny_backbone
from trainer.errors import DataError
from trainer.measures.cka import cka_of_layers, linear_cka
from trainer.measures.prompted_inputs import prompted_inputs

L, P, D = 3, 4, 16


def draw_pixels(count: int) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(7))


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def literal_cka(first: Tensor, second: Tensor) -> float:
    """Return HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)) with linear kernels and the centring matrix."""
    count = len(first)
    centring = torch.eye(count).double() - 1 / count
    kernel, other = first @ first.T, second @ second.T

    def hsic(one: Tensor, two: Tensor) -> Tensor:
        return torch.trace(one @ centring @ two @ centring)

    return float(hsic(kernel, other) / (hsic(kernel, kernel) * hsic(other, other)).sqrt())


def test_cka_is_the_normalised_hsic_of_linear_kernels():
    first, second = draw(9, 5), draw(9, 3, seed=1)
    assert linear_cka(first, second) == pytest.approx(literal_cka(first, second), rel=1e-10)


def test_a_matrix_is_like_itself_turned_moved_and_scaled():
    matrix = draw(9, 5)
    turn = torch.linalg.qr(draw(5, 5, seed=1))[0]
    for changed in (matrix, matrix @ turn, 3 * matrix, matrix + draw(1, 5, seed=2)):
        assert linear_cka(matrix, changed) == pytest.approx(1)


def test_sides_that_vary_apart_are_not_alike():
    first = torch.tensor([[1.0], [-1.0], [0.0], [0.0]])
    second = torch.tensor([[0.0], [0.0], [1.0], [-1.0]])
    assert linear_cka(first, second) == pytest.approx(0)


def test_a_side_that_does_not_vary_is_like_nothing():
    assert linear_cka(torch.ones(6, 2), draw(6, 3)) == 0


@pytest.mark.parametrize("layers", [L, 1])
def test_batches_add_up_to_all_images_at_once(layers: int):
    backbone, pixels = tiny_backbone(), draw_pixels(5)
    prompts = draw(layers, P, D).float()
    found = cka_of_layers(backbone, prompts, pixels.split(2))
    inputs = list(prompted_inputs(backbone, prompts, pixels))
    for i, mine in enumerate(inputs):
        for j, other in enumerate(inputs):
            whole = linear_cka(mine.prompts.flatten(0, 1).T, other.patches.flatten(0, 1).T)
            assert float(found[i, j]) == pytest.approx(whole, rel=1e-4)


def test_prompts_that_are_a_layers_own_tokens_are_most_like_that_layer():
    backbone, pixels = tiny_backbone(), draw_pixels(1)
    bare = prompted_inputs(backbone, None, pixels)
    prompts = torch.stack([entering.patches[0] for entering in bare])
    found = cka_of_layers(backbone, prompts, [pixels])
    assert float(found[0, 0]) == pytest.approx(1, rel=1e-5)
    assert found[0].argmax() == 0
    assert found[L - 1].argmax() == L - 1


def test_blocks_without_prompts_are_like_nothing():
    found = cka_of_layers(tiny_backbone(), draw(L - 1, P, D).float(), [draw_pixels(2)])
    assert not found[0].any()
    assert found[1:].all()


def test_no_images_are_one_clear_error():
    with pytest.raises(DataError, match="expected at least one, found none"):
        cka_of_layers(tiny_backbone(), draw(L, P, D), [])
