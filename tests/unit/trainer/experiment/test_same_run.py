"""A run never passes for another one: what differs is named, and nothing is written over."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adapters.vit.adapter import decode
from adapters.vit.backbone import Backbone
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import ignore, make_toy_folder, save_noisy, toy_recipe
from trainer.errors import ResumeError
from trainer.experiment import materials as module
from trainer.experiment.run import Result, run
from trainer.recipe import Recipe

LINEAR = toy_recipe(method="linear")
Change = Callable[[Path], None]


def train(tmp_path: Path, recipe: Recipe = LINEAR, **options: object) -> Result:
    return run(recipe, tmp_path / "toy", tmp_path / "run", ignore, **options)


def every_class(data: Path, change: Callable[[Path], object]) -> None:
    for split in ("train", "val", "test"):
        change(data / split / "blue")


def rename_a_class(data: Path) -> None:
    every_class(data, lambda folder: folder.rename(folder.with_name("violet")))


def rename_a_class_in_its_place(data: Path) -> None:
    every_class(data, lambda folder: folder.rename(folder.with_name("azure")))


def add_a_class(data: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        save_noisy(data / split / "green" / "0.png", (60, 220, 40), 700 + number)


def swap_the_content_of_two_classes(data: Path) -> None:
    one, other = (data / "train" / name / "0.png" for name in ("blue", "red"))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


CHANGES: list[tuple[Change, str]] = [
    (rename_a_class, "other classes (1 removed: blue; 1 added: violet; 1 moved: red 1 -> 0)"),
    (rename_a_class_in_its_place, "other classes (1 renamed: 0 blue -> azure)"),
    (add_a_class, "other classes (1 added: green; 1 moved: red 1 -> 2)"),
    (swap_the_content_of_two_classes, "other train images (content or order changed)"),
    (lambda data: (data / "train/red/0.png").unlink(), "10 train images, now 9"),
    (lambda data: (data / "val/red/0.png").unlink(), "10 val images, now 9"),
    (lambda data: (data / "test/red/0.png").unlink(), "10 test images, now 9"),
    (
        lambda data: (data / "val/red/0.png").rename(data / "val/blue/9.png") and None,
        "other val images (names or labels changed)",
    ),
    (
        lambda data: save_noisy(data / "test/red/0.png", (1, 2, 3), 5) and None,
        "other test images (content or order changed)",
    ),
]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module", params=["linear", "spt-deep"])
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, Path]:
    """A recipe, and a folder with its data and its finished run: to be copied."""
    recipe, folder = toy_recipe(method=request.param), tmp_path_factory.mktemp("finished")
    make_toy_folder(folder / "toy")
    train(folder, recipe)
    return recipe, folder


@pytest.mark.parametrize(("change", "named"), CHANGES)
def test_other_data_are_refused_by_name_and_nothing_is_written_over(
    tmp_path: Path, change: Change, named: str, finished: tuple[Recipe, Path]
):
    recipe, whole = finished
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    before = files(tmp_path / "run")
    change(tmp_path / "toy")
    with pytest.raises(ResumeError, match="this run was trained with") as caught:
        train(tmp_path, recipe)
    message = str(caught.value)
    assert named in message
    assert "start over with --fresh (make: FRESH=1)" in message
    assert "\n" not in message
    assert len(message) < 500
    assert files(tmp_path / "run") == before
    assert train(tmp_path, recipe, fresh=True).artifact is not None


def test_data_at_another_place_are_the_same_data(tmp_path: Path):
    make_toy_folder(tmp_path / "toy")
    first = train(tmp_path)
    before = files(first.folder)
    (tmp_path / "toy").rename(tmp_path / "moved")
    run(LINEAR, tmp_path / "moved", tmp_path / "run", ignore)
    after = files(first.folder)
    assert after["toy.safetensors"] == before["toy.safetensors"]


@pytest.mark.parametrize("stopped", [False, True], ids=["finished", "stopped"])
def test_other_weights_under_the_same_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: bool
):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    make_toy_folder(tmp_path / "toy")
    with monkeypatch.context() as patch:
        if stopped:
            patch.setattr("trainer.experiment.run.finish", stop)
            with pytest.raises(KeyboardInterrupt):
                train(tmp_path)
        else:
            train(tmp_path)
    monkeypatch.setattr(module, "load_backbone", lambda *_, **__: other_backbone())
    words = r"trained with backbone_spec.weights_sha256 [0-9a-f]{12}, now [0-9a-f]{12}; start over"
    with pytest.raises(ResumeError, match=words):
        train(tmp_path)


def other_backbone() -> Backbone:
    usual = tiny_backbone()
    digest = {"weights_sha256": "ab" * 32}
    return Backbone(usual.trunk, usual.spec.model_copy(update=digest), usual.preprocessing)


def test_the_keys_that_differ_are_named_and_many_are_counted(tmp_path: Path):
    make_toy_folder(tmp_path / "toy")
    train(tmp_path)
    optim = {"epochs": 8, "warmup_epochs": 2, "batch_size": 5, "lr": 2e-2, "weight_decay": 0}
    with pytest.raises(
        ResumeError, match=r"optim.epochs 3, now 8; .*; and 1 more; start"
    ) as caught:
        train(tmp_path, toy_recipe(method="linear", optim=optim))
    assert len(str(caught.value)) < 400
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["optim"]["epochs"] == 3


def test_images_that_prompts_start_from_are_part_of_the_run(tmp_path: Path):
    make_toy_folder(tmp_path / "toy")
    other = make_toy_folder(tmp_path / "other")
    prompt = {"num_tokens": 2, "init_images": 4, "init_task": "other", "init_data": other}
    train(tmp_path, toy_recipe(prompt=prompt))
    save_noisy(other / "train" / "red" / "0.png", (1, 2, 3), 5)
    with pytest.raises(ResumeError, match="other init task images"):
        train(tmp_path, toy_recipe(prompt=prompt))


def test_a_finished_run_says_so_and_a_first_one_says_what_it_found(tmp_path: Path):
    make_toy_folder(tmp_path / "toy")
    told: list[str] = []
    train(tmp_path, tell=told.append)
    assert len(told) == 1
    assert "2 classes, 10 training, 10 validation and 10 test images" in told[0]
    assert f" on {'cuda' if torch.cuda.is_available() else 'cpu'}" in told[0]
    assert tiny_backbone().spec.name in told[0]
    told.clear()
    train(tmp_path, tell=told.append)
    assert "this run was finished already" in told[1]
    assert "FRESH=1" in told[1]


def test_a_damaged_state_is_refused_before_anything_is_written(tmp_path: Path):
    make_toy_folder(tmp_path / "toy")
    train(tmp_path)
    (tmp_path / "run" / "state.pt").write_bytes(b"")
    before = files(tmp_path / "run")
    with pytest.raises(ResumeError, match=r"state\.pt is damaged"):
        train(tmp_path, toy_recipe(method="linear", seed=3))
    assert files(tmp_path / "run") == before


def test_what_cannot_be_read_is_left_out_on_request_and_the_digest_is_that_of_the_rest(
    tmp_path: Path,
):
    recipe = toy_recipe(method="linear", data={"skip_unreadable": True})
    make_toy_folder(tmp_path / "toy")
    broken = [tmp_path / "toy" / split / "red" / "0.png" for split in ("train", "val", "test")]
    for path in broken:
        path.write_bytes(b"no image")
    told: list[str] = []
    digest = data_digest(train(tmp_path, recipe, tell=told.append))
    assert "9 training, 9 validation and 9 test images (3 unreadable files left out)" in told[0]
    for path in broken:
        path.unlink()
    assert data_digest(run(recipe, tmp_path / "toy", tmp_path / "other", ignore)) == digest


def data_digest(result: Result) -> str:
    assert result.artifact is not None
    return decode(result.artifact.read_bytes()).meta.data_sha256
