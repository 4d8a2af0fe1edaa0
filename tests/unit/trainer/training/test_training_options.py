"""Each option of a step does what it says, is off by default, and survives a stop bit for bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.autograd.graph import saved_tensors_hooks

from adapters.vit.backbone import Backbone
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, make_model, toy_recipe, toy_set
from trainer.methods.classifier import Classifier
from trainer.recipe import Recipe
from trainer.training import loop
from trainer.training.checkpoint import Progress
from trainer.training.forward import recomputed
from trainer.training.images import batches
from trainer.training.loop import Job, Watch, train
from trainer.training.optimizer import make_optimizer, set_rates

OPTIM = {"epochs": 3, "warmup_epochs": 1, "batch_size": 5, "lr": 1e-2}
SPLITS = (toy_set(10), toy_set(6, seed=1))
STEPS = 2
EVERYTHING = {
    "optim": OPTIM
    | {"name": "sgd", "momentum": 0.8, "label_smoothing": 0.1, "clip_norm": 0.5, "ema": 0.9}
    | {"drop_path": 0.3, "patience": 2},
    "prompt": {"num_tokens": 2, "init_images": 4, "dropout": 0.3},
    "compute": {"accumulate": 2, "checkpoint": True},
}


class Killed(BaseException):
    """The process dies."""


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone()


def recipe_of(optim: dict[str, Any] | None = None, **changes: object) -> Recipe:
    return toy_recipe(optim=OPTIM | (optim or {}), **changes)


def run(
    backbone: Backbone,
    state: Path,
    recipe: Recipe,
    look: Callable[[Classifier], Watch] = lambda _: ignore,
) -> tuple[dict[str, torch.Tensor], Progress]:
    model = make_model(backbone, recipe)
    job = Job(recipe, model, model, *SPLITS, state, recipe.provenance(), look(model))
    progress = train(job)
    return model.state_dict(), progress


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one) and one.keys() == other.keys()


@pytest.mark.parametrize("select", ["last", "best-validation"])
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_stopped_run_with_every_option_ends_as_one_that_was_not(
    backbone: Backbone, tmp_path: Path, select: str, epoch: int
):
    recipe = toy_recipe(select=select, **EVERYTHING)

    def die(_: Classifier) -> Watch:
        def watch(progress: Progress, step: int, steps: int, loss: float) -> None:
            if (progress.epochs, step) == (epoch, STEPS):
                raise Killed

        return watch

    whole, expected = run(backbone, tmp_path / "whole.pt", recipe)
    with pytest.raises(Killed):
        run(backbone, tmp_path / "state.pt", recipe, die)
    torch.manual_seed(99)
    resumed, progress = run(backbone, tmp_path / "state.pt", recipe)
    assert same(resumed, whole)
    assert same(progress.average, expected.average)
    assert progress.losses == expected.losses
    assert progress.val_accuracies == expected.val_accuracies


@pytest.mark.parametrize(
    "optim",
    [{}, {"label_smoothing": 0.2}, {"name": "sgd", "momentum": 0.5}],
    ids=["defaults", "smoothing", "sgd"],
)
@pytest.mark.parametrize("method", ["spt-deep", "spt-shallow", "linear"])
def test_training_is_the_plain_loop_bit_for_bit(
    backbone: Backbone, tmp_path: Path, method: str, optim: dict[str, Any]
):
    recipe = recipe_of(optim, method=method)
    found, _ = run(backbone, tmp_path / "state.pt", recipe)
    model = make_model(backbone, recipe)
    optimizer = make_optimizer(model, recipe.optim)
    kind = torch.optim.SGD if optim.get("name") == "sgd" else torch.optim.AdamW
    assert type(optimizer) is kind
    for epoch in range(3):
        torch.manual_seed(epoch)
        for step, (pixels, labels) in enumerate(batches(SPLITS[0], 5, shuffle=True)):
            set_rates(optimizer, recipe.optim, epoch * STEPS + step, STEPS)
            optimizer.zero_grad()
            smoothing = optim.get("label_smoothing", 0.0)
            F.cross_entropy(model(pixels), labels, label_smoothing=smoothing).backward()
            optimizer.step()
    assert same(found, model.state_dict())


def test_a_batch_in_parts_has_the_gradients_and_the_loss_of_the_whole_one(
    backbone: Backbone, tmp_path: Path
):
    """Batches of five are parts of two, two and one."""
    plain, expected = run(backbone, tmp_path / "plain.pt", recipe_of())
    parts, progress = run(backbone, tmp_path / "parts.pt", recipe_of(compute={"accumulate": 3}))
    assert progress.losses == pytest.approx(expected.losses, rel=1e-5)
    for key, tensor in plain.items():
        torch.testing.assert_close(parts[key], tensor, rtol=1e-4, atol=1e-6)


def test_no_step_has_gradients_above_the_norm(backbone: Backbone, tmp_path: Path):
    def norms(recipe: Recipe) -> list[float]:
        found: list[float] = []

        def look(model: Classifier) -> Watch:
            def watch(*_: object) -> None:
                grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
                found.append(float(torch.cat(grads).norm()))

            return watch

        run(backbone, tmp_path / f"{recipe.optim.clip_norm}.pt", recipe, look)
        return found

    free = norms(recipe_of())
    limit = min(free) / 2
    assert norms(recipe_of({"clip_norm": limit})) == pytest.approx([limit] * len(free), rel=1e-3)


def test_the_average_is_scored_and_left_and_steps_go_on_from_the_weights_themselves(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    decay, after, scored = 0.3, [], []

    def look(model: Classifier) -> Watch:
        return lambda *_: after.append(model.head.weight.detach().clone())

    def score(_: object, forward: Classifier, *__: object) -> float:
        scored.append(forward.head.weight.detach().clone())
        return 0.5

    monkeypatch.setattr(loop, "validation_score", score)
    recipe = recipe_of({"ema": decay})
    average = make_model(backbone, recipe).head.weight.detach().clone()
    left, _ = run(backbone, tmp_path / "ema.pt", recipe, look)
    for step, weight in enumerate(after):
        kept = min(decay, (1 + step) / (10 + step))
        average = kept * average + (1 - kept) * weight
        if step % STEPS == STEPS - 1:
            torch.testing.assert_close(scored[step // STEPS], average)
    torch.testing.assert_close(left["head.weight"], average)
    own, averaged = list(after), left
    after.clear()
    plain, _ = run(backbone, tmp_path / "plain.pt", recipe_of(), look)
    assert all(torch.equal(one, other) for one, other in zip(own, after, strict=True))
    assert not torch.equal(plain["head.weight"], averaged["head.weight"])


def test_the_best_epochs_average_is_what_is_left(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scored: list[torch.Tensor] = []

    def score(_: object, forward: Classifier, *__: object) -> float:
        scored.append(forward.head.weight.detach().clone())
        return (0.9, 0.5, 0.1)[len(scored) - 1]

    monkeypatch.setattr(loop, "validation_score", score)
    left, _ = run(backbone, tmp_path / "s.pt", recipe_of({"ema": 0.5}, select="best-validation"))
    assert torch.equal(left["head.weight"], scored[0])


def test_training_stops_after_epochs_that_bring_nothing_and_a_resumed_one_stops_there_too(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scores = iter([0.5, 0.7, 0.7, 0.6, 0.9, 0.9])
    monkeypatch.setattr(loop, "validation_score", lambda *_: next(scores))
    recipe = recipe_of({"epochs": 6, "patience": 2})
    left, progress = run(backbone, tmp_path / "state.pt", recipe)
    assert progress.val_accuracies == [0.5, 0.7, 0.7, 0.6]
    again, resumed = run(backbone, tmp_path / "state.pt", recipe)
    assert (resumed.epochs, resumed.restored) == (4, 4)
    assert same(again, left)


@pytest.mark.parametrize("method", ["spt-deep", "spt-shallow"])
def test_blocks_that_are_computed_again_keep_less_and_have_the_same_gradients(
    backbone: Backbone, method: str
):
    def gradients(recipe: Recipe) -> tuple[int, list[torch.Tensor]]:
        model, kept = make_model(backbone, recipe), [0]

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            kept[0] += tensor.nbytes
            return tensor

        with recomputed(model, recipe):
            with saved_tensors_hooks(pack, lambda tensor: tensor):
                loss = model(SPLITS[0].tensors[0]).square().sum()
            loss.backward()
        return kept[0], [p.grad for p in model.parameters()]

    much, plain = gradients(toy_recipe(method=method))
    little, again = gradients(toy_recipe(method=method, compute={"checkpoint": True}))
    assert little < 0.6 * much
    for one, other in zip(plain, again, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    assert gradients(toy_recipe(method=method))[0] == much
