"""The masked autoencoder sees a quarter of the patches and answers for the others only."""

import pytest
import torch
from torch import Tensor

from tests.fakes.tiny import tiny_trunk
from trainer.pretraining.mae import MaskedAutoencoder, sincos_position

SIDE, PATCH, PATCHES = 32, 8, 16
SEED = 3


def make_model() -> MaskedAutoencoder:
    torch.manual_seed(0)
    trunk = tiny_trunk(img_size=SIDE).requires_grad_(True).train()
    return MaskedAutoencoder(trunk, decoder_width=24)


def images(count: int = 4) -> Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def loss_of(model: MaskedAutoencoder, pixels: Tensor) -> float:
    torch.manual_seed(SEED)
    with torch.no_grad():
        return model(pixels).item()


def is_hidden(model: MaskedAutoencoder, count: int = 4) -> Tensor:
    """Return which patches the mask of `SEED` hides, by row."""
    torch.manual_seed(SEED)
    order = torch.rand(count, PATCHES).argsort(dim=1)
    return torch.ones(count, PATCHES, dtype=torch.bool).scatter(1, order[:, : model.num_kept], 0)


def per_pixel(patches: Tensor) -> Tensor:
    """Spread a value per patch over the patch's pixels."""
    grid = patches.reshape(-1, 1, SIDE // PATCH, SIDE // PATCH)
    return grid.repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)


def test_the_loss_falls_within_a_few_steps():
    model, pixels = make_model(), images(8)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = model(pixels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])


def test_a_quarter_of_the_patches_is_kept():
    model = make_model()
    assert model.num_kept == PATCHES // 4
    assert is_hidden(model).sum(dim=1).tolist() == [12] * 4


@pytest.mark.parametrize(("which", "counts"), [("hidden", True), ("visible", False)])
def test_only_the_targets_of_hidden_patches_count(
    which: str, counts: bool, monkeypatch: pytest.MonkeyPatch
):
    model, pixels = make_model(), images()
    before = loss_of(model, pixels)
    hidden, real = is_hidden(model), model._normalised_patches
    changed = hidden if which == "hidden" else ~hidden
    monkeypatch.setattr(
        model, "_normalised_patches", lambda x: real(x) + 100 * changed[..., None].float()
    )
    assert (loss_of(model, pixels) != before) == counts


def test_the_encoder_does_not_see_hidden_patches():
    model, pixels = make_model(), images()
    hidden = per_pixel(is_hidden(model))
    brighter = torch.where(hidden, pixels * 3 + 5, pixels)
    assert loss_of(model, brighter) == pytest.approx(loss_of(model, pixels), rel=1e-4)
    seen = torch.where(hidden, pixels, pixels * 3 + 5)
    assert loss_of(model, seen) != pytest.approx(loss_of(model, pixels), rel=1e-4)


def test_targets_are_patches_of_mean_zero_and_variance_one_in_reading_order():
    model = make_model()
    pixels = images(2)
    targets = model._normalised_patches(pixels)
    assert targets.mean(dim=2).abs().max() < 1e-5
    torch.testing.assert_close(targets.var(dim=2), torch.ones(2, PATCHES), rtol=1e-4, atol=0)
    fifth = pixels[0, :, PATCH : 2 * PATCH, :PATCH].flatten()
    torch.testing.assert_close(targets[0, 4], (fifth - fifth.mean()) / (fifth.var() + 1e-6).sqrt())


def test_masks_are_fresh_each_time_and_decided_by_the_seed():
    model, pixels = make_model(), images()
    assert loss_of(model, pixels) == loss_of(model, pixels)
    torch.manual_seed(SEED)
    assert model(pixels).item() != model(pixels).item()


def test_positions_are_fixed_and_everything_else_is_trained():
    model = make_model()
    model(images()).backward()
    untrained = {name for name, p in model.named_parameters() if p.grad is None}
    assert untrained == {"encoder.pos_embed", "decoder_position"}
    assert torch.equal(model.encoder.pos_embed, sincos_position(4, 16))


def test_every_position_is_another_and_the_class_tokens_is_zero():
    position = sincos_position(4, 16)[0]
    assert position.shape == (17, 16)
    assert (position[0] == 0).all()
    assert len({tuple(row.tolist()) for row in position}) == 17
