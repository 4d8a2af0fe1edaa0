"""A run's folder: only what a run left is deleted or written over."""

import os
from pathlib import Path

import pytest

from tests.unit.trainer.toy import ignore, make_toy_folder, toy_recipe
from trainer.errors import DataError, OutputError, ResumeError
from trainer.experiment import folder as folder_module
from trainer.experiment.folder import check_writable, forget
from trainer.experiment.run import run

RECIPE = toy_recipe(method="linear")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_toy_folder(tmp_path / "toy")


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_starting_over_in_the_data_deletes_no_image(data: Path):
    before = tree(data)
    with pytest.raises(ResumeError, match="--fresh deletes only what a run left"):
        run(RECIPE, data, data, ignore, fresh=True)
    assert tree(data) == before


def test_starting_over_in_the_current_folder_deletes_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("mine")
    monkeypatch.chdir(home)
    with pytest.raises(ResumeError, match=r"thesis\.txt"):
        run(RECIPE, data, Path(), ignore, fresh=True)
    assert [path.name for path in home.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("recipe", ["", "{}", '{"task": "toy"}', "[1]", None])
def test_a_recipe_that_is_not_ours_protects_the_folder(
    data: Path, tmp_path: Path, recipe: str | None
):
    place = tmp_path / "kitchen"
    place.mkdir()
    (place / "metrics.json").write_text("of a cake")
    if recipe is not None:
        (place / "recipe.json").write_text(recipe)
    before = tree(place)
    for fresh in (True, False):
        with pytest.raises(ResumeError, match="another --out"):
            run(RECIPE, data, place, ignore, fresh=fresh)
    assert tree(place) == before


def test_the_refusal_comes_before_the_data_are_looked_at(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ResumeError):
        run(RECIPE, tmp_path / "no data", tmp_path, ignore, fresh=True)


def test_a_run_is_kept_when_the_data_of_the_new_one_cannot_be_read(data: Path, tmp_path: Path):
    run(RECIPE, data, tmp_path / "run", ignore)
    before = tree(tmp_path / "run")
    with pytest.raises(DataError):
        run(RECIPE, tmp_path / "no data", tmp_path / "run", ignore, fresh=True)
    assert tree(tmp_path / "run") == before


def test_what_somebody_put_into_a_run_stays(data: Path, tmp_path: Path):
    place = tmp_path / "run"
    run(RECIPE, data, place, ignore)
    (place / "tensorboard").mkdir()
    (place / "tensorboard" / "events.out.tfevents.1").touch()
    (place / ".metrics.json.0a1b.writing").touch()
    kept = [place / "notes.md", place / "seed-0" / "state.pt", place / "other.safetensors"]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    forget(place)
    assert sorted(tree(place)) == sorted(kept)
    assert not (place / "tensorboard").exists()


def test_links_are_deleted_and_what_they_point_to_stays(data: Path, tmp_path: Path):
    run(RECIPE, data, tmp_path / "run", ignore)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "events.out.tfevents.1").write_text("mine")
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run" / "state.partial").symlink_to(tmp_path / "precious")
    (tmp_path / "run" / "tensorboard").symlink_to(elsewhere)
    forget(tmp_path / "run")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (elsewhere / "events.out.tfevents.1").exists()


def test_a_link_to_a_folder_that_is_not_a_runs_is_refused(data: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(data)
    before = tree(data)
    with pytest.raises(ResumeError):
        run(RECIPE, data, tmp_path / "link", ignore, fresh=True)
    assert tree(data) == before


@pytest.mark.parametrize("task", ["../toy/train/red/0", "/etc/hosts", "a/b"])
def test_a_recipe_with_a_path_for_a_task_deletes_nothing_elsewhere(tmp_path: Path, task: str):
    place, outside = tmp_path / "run", tmp_path / "toy/train/red/0.safetensors"
    outside.parent.mkdir(parents=True)
    outside.write_text("mine")
    place.mkdir()
    keys = f'"task": "{task}", "backbone": "b", "method": "m", "optim": {{}}'
    (place / "recipe.json").write_text(f"{{{keys}}}")
    forget(place)
    assert outside.exists()


@pytest.mark.parametrize("inside", ["seed-0/recipe.json", "sweep/sweep.json", ".DS_Store"])
def test_a_folder_of_seeds_or_sweeps_is_no_obstacle_and_keeps_them(
    data: Path, tmp_path: Path, inside: str
):
    path = tmp_path / "run" / inside
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert run(RECIPE, data, tmp_path / "run", ignore, fresh=True).artifact is not None
    assert path.exists()


@pytest.mark.parametrize("place", ["file", "file/deeper", "file/deeper/still"])
def test_a_folder_that_is_a_file_is_one_line_before_the_data_are_read(tmp_path: Path, place: str):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"file is a file, expected a folder; .*--out"):
        run(RECIPE, tmp_path / "no data", tmp_path / place, ignore)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("place", ["locked", "locked/a/b"])
def test_a_folder_that_cannot_be_written_is_one_line_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
):
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "locked")
    with pytest.raises(OutputError, match=r"locked cannot be written: .*--out"):
        check_writable(tmp_path / place)
    assert not list((tmp_path / "locked").iterdir())
    check_writable(tmp_path / "elsewhere" / "new")


def test_what_the_system_refuses_later_is_one_line_that_names_the_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(path: Path, _: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(folder_module.os, "access", lambda *_: True)
    monkeypatch.setattr("adapters.store.durable.write", refuse)
    with pytest.raises(OutputError, match=r"recipe\.json: No space left on device; .*--out"):
        run(RECIPE, data, tmp_path / "run", ignore)


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000])
def test_a_name_that_the_system_does_not_take_is_one_line(tmp_path: Path, name: str):
    with pytest.raises(OutputError, match="File name too long"):
        run(RECIPE, tmp_path / "no data", tmp_path / name, ignore)
