"""A stopped run goes on as if it had never stopped, and only as the same run."""

from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.vit.backbone import Backbone
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, make_model, toy_recipe, toy_set
from trainer.errors import OutputError, ResumeError, TrainingError
from trainer.methods.classifier import Classifier
from trainer.objectives.objective import Objective
from trainer.recipe import Recipe
from trainer.training import loop
from trainer.training.checkpoint import Progress
from trainer.training.loop import Job, Observer, Watch, steps_per_epoch, train

EPOCHS, STEPS = 3, 2
SPLITS = (toy_set(10), toy_set(6, seed=1))
Outcome = tuple[dict[str, torch.Tensor], Progress]


class Killed(BaseException):
    """The process dies: nothing of ours catches this."""


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone()


def run(
    backbone: Backbone,
    state: Path,
    watch: Watch = ignore,
    recipe: Recipe | None = None,
    observers: tuple[Observer, ...] = (),
) -> Outcome:
    recipe = recipe or toy_recipe()
    model = make_model(backbone, recipe)
    progress = train(
        Job(recipe, model, model, *SPLITS, state, recipe.provenance(), watch, observers)
    )
    return model.state_dict(), progress


def die_at(epoch: int, step: int) -> Watch:
    def watch(progress: Progress, reached: int, steps: int, loss: float) -> None:
        if (progress.epochs, reached) == (epoch, step):
            raise Killed

    return watch


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one[0].keys() == other[0].keys()
    assert all(torch.equal(one[0][key], other[0][key]) for key in one[0])
    assert one[1].losses == other[1].losses
    assert one[1].val_accuracies == other[1].val_accuracies


@pytest.fixture(scope="module", params=["spt-deep", "spt-shallow", "linear", "bias"])
def whole(
    request: pytest.FixtureRequest, backbone: Backbone, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, Outcome]:
    """Return a recipe and what it gives when nothing interrupts it."""
    recipe = toy_recipe(method=request.param)
    return recipe, run(backbone, tmp_path_factory.mktemp("whole") / "state.pt", recipe=recipe)


@pytest.mark.parametrize("step", [1, STEPS])
@pytest.mark.parametrize("epoch", range(EPOCHS))
def test_a_run_killed_at_any_point_ends_as_one_that_was_not(
    backbone: Backbone, tmp_path: Path, whole: tuple[Recipe, Outcome], epoch: int, step: int
):
    recipe, expected = whole
    with pytest.raises(Killed):
        run(backbone, tmp_path / "state.pt", die_at(epoch, step), recipe)
    torch.manual_seed(99)
    assert_same(run(backbone, tmp_path / "state.pt", recipe=recipe), expected)


def test_a_run_killed_in_mid_epoch_leaves_the_state_of_the_last_whole_one(
    backbone: Backbone, tmp_path: Path
):
    with pytest.raises(Killed):
        run(backbone, tmp_path / "state.pt", die_at(2, 1))
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert len(state["progress"]["losses"]) == 2


def test_a_run_killed_while_it_saves_keeps_the_state_before(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = run(backbone, tmp_path / "whole.pt")
    real, calls = torch.save, []

    def save(state: Any, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half a st")
            raise Killed
        real(state, path)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save)
        with pytest.raises(Killed):
            run(backbone, tmp_path / "state.pt")
    assert_same(run(backbone, tmp_path / "state.pt"), whole)


def test_a_finished_run_is_not_trained_again(backbone: Backbone, tmp_path: Path):
    first = run(backbone, tmp_path / "state.pt")
    assert_same(run(backbone, tmp_path / "state.pt", die_at(EPOCHS, 1)), first)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed 0, now 1"),
        ({"select": "best-validation"}, "select last, now best-validation"),
        ({"pixels": {"augment": "crop-flip"}}, "pixels.augment none, now crop-flip"),
    ],
)
def test_the_state_of_another_recipe_is_refused_and_what_differs_is_named(
    backbone: Backbone, tmp_path: Path, change: dict[str, object], named: str
):
    run(backbone, tmp_path / "state.pt")
    words = rf"state\.pt: this run was trained with {named}; start over with --fresh"
    with pytest.raises(ResumeError, match=words) as caught:
        run(backbone, tmp_path / "state.pt", recipe=toy_recipe(**change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"x" * 1000, b"half"])
def test_a_damaged_state_is_one_line_that_says_what_to_do(
    backbone: Backbone, tmp_path: Path, content: bytes
):
    run(backbone, tmp_path / "state.pt")
    whole = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(whole[: len(whole) // 2] if content == b"half" else content)
    with pytest.raises(ResumeError, match=r"state\.pt is damaged.*--fresh \(make: FRESH=1\)") as e:
        run(backbone, tmp_path / "state.pt")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("lacks", ["identity", "model", "optimizer", "progress", None, "sense"])
def test_a_state_that_is_whole_but_not_ours_is_one_line(
    backbone: Backbone, tmp_path: Path, lacks: str | None
):
    run(backbone, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    if lacks is None:
        state["model"].pop("head.bias")
    elif lacks == "sense":
        state["identity"] = "another one"
    else:
        state.pop(lacks)
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(ResumeError, match=r"state\.pt is damaged, or of another version") as caught:
        run(backbone, tmp_path / "state.pt")
    assert "\n" not in str(caught.value)


def test_a_state_that_cannot_be_written_is_one_line(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match=r"state\.partial cannot be written .*make room"):
        run(backbone, tmp_path / "state.pt")


def test_the_loss_falls_and_every_epoch_is_scored(backbone: Backbone, tmp_path: Path):
    _, progress = run(backbone, tmp_path / "state.pt")
    assert progress.losses[-1] < progress.losses[0]
    assert len(progress.val_accuracies) == progress.epochs == EPOCHS


@pytest.mark.parametrize(
    ("scores", "kept"), [((0.9, 0.5, 0.1), 0), ((0.1, 0.9, 0.5), 1), ((0.5, 0.5, 0.2), 1)]
)
def test_best_validation_restores_the_latest_of_the_best_epochs(
    backbone: Backbone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scores: tuple[float, ...],
    kept: int,
):
    after: list[dict[str, torch.Tensor]] = []

    def score(_: Objective, forward: Classifier, *__: object) -> float:
        after.append({k: v.clone() for k, v in forward.state_dict().items()})
        return scores[len(after) - 1]

    monkeypatch.setattr(loop, "validation_score", score)
    state, _ = run(backbone, tmp_path / "s.pt", recipe=toy_recipe(select="best-validation"))
    assert all(torch.equal(state[key], after[kept][key]) for key in state)
    assert not torch.equal(after[0]["prompts"], after[1]["prompts"])


def test_best_validation_survives_a_stop(backbone: Backbone, tmp_path: Path):
    recipe = toy_recipe(select="best-validation")
    whole = run(backbone, tmp_path / "whole.pt", recipe=recipe)
    with pytest.raises(Killed):
        run(backbone, tmp_path / "state.pt", die_at(2, 2), recipe)
    assert_same(run(backbone, tmp_path / "state.pt", recipe=recipe), whole)


def test_the_watch_is_told_of_every_step(backbone: Backbone, tmp_path: Path):
    told: list[tuple[int, int, int]] = []
    run(backbone, tmp_path / "s.pt", lambda p, step, steps, _: told.append((p.epochs, step, steps)))
    assert told == [(e, s, STEPS) for e in range(EPOCHS) for s in (1, 2)]


def test_fewer_images_than_a_batch_are_one_step():
    assert steps_per_epoch(toy_recipe(), toy_set(3)) == 1
    assert steps_per_epoch(toy_recipe(), toy_set(11)) == 2


def test_observers_look_before_the_first_epoch_and_after_each_and_survive_a_stop(
    backbone: Backbone, tmp_path: Path
):
    def count() -> Observer:
        seen = iter(range(100))
        return lambda: ("looks", next(seen))

    _, whole = run(backbone, tmp_path / "whole.pt", observers=(count(),))
    assert whole.observed == {"looks": [0, 1, 2, 3]}
    with pytest.raises(Killed):
        run(backbone, tmp_path / "s.pt", die_at(1, 1), observers=(count(),))
    _, resumed = run(backbone, tmp_path / "s.pt", observers=(count(),))
    assert resumed.observed == {"looks": [0, 1, 0, 1]}


@pytest.mark.parametrize("lr", [1e30, 1e38])
def test_a_loss_that_is_no_number_ends_the_run_in_one_line_and_keeps_the_state_before(
    backbone: Backbone, tmp_path: Path, lr: float
):
    recipe = toy_recipe(optim={"epochs": 3, "warmup_epochs": 1, "batch_size": 4, "lr": lr})
    with pytest.raises(TrainingError, match=r"toy, spt-deep: the training loss is \S+ in epoch"):
        run(backbone, tmp_path / "state.pt", recipe=recipe)
    if (tmp_path / "state.pt").exists():
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        assert all(tensor.isfinite().all() for tensor in state["model"].values())


def test_the_state_holds_trainable_parts_only(backbone: Backbone, tmp_path: Path):
    run(backbone, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert set(state["model"]) == {"prompts", "head.weight", "head.bias"}
