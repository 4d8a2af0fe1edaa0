"""A file of tasks: what it may say, and that every bad line is refused at the start."""

from pathlib import Path

import pytest

from trainer.errors import RecipeError
from trainer.fleet.job import Job
from trainer.fleet.listing import read_jobs


def listed(folder: Path, text: str) -> tuple[list[Job], list[str]]:
    file = folder / "tasks.toml"
    file.write_text(text)
    jobs, faults = read_jobs(file, folder / "fleet")
    return jobs, list(map(str, faults))


def test_a_task_has_its_own_settings_over_the_defaults(tmp_path: Path):
    jobs, faults = listed(
        tmp_path,
        f"""
        [defaults]
        method = "linear"
        data = "{tmp_path}"
        set.optim.lr = 0.5
        set.optim.epochs = 7
        [tasks.pets]
        [tasks.cars]
        seed = 3
        method = "spt-deep"
        set.optim.lr = 0.25
        """,
    )
    assert faults == []
    pets, cars = jobs
    assert (pets.task, pets.recipe.method, pets.recipe.optim.lr) == ("pets", "linear", 0.5)
    assert (cars.recipe.seed, cars.recipe.method) == (3, "spt-deep")
    assert (cars.recipe.optim.lr, cars.recipe.optim.epochs) == (0.25, 7)
    assert (cars.data, cars.folder) == (tmp_path, tmp_path / "fleet/tasks/cars")


def test_every_bad_line_is_told_with_task_key_expected_and_found(tmp_path: Path):
    jobs, faults = listed(
        tmp_path,
        f"""
        [tasks.digits]
        seed = "x"
        [tasks.pets]
        data = "{tmp_path / "nowhere"}"
        set.optim.epochs = 0
        set.optim.lrr = 1
        set.metod = "linear"
        [tasks.cars]
        data = "{tmp_path}"
        method = "spt-deeep"
        set.optim.epochs = 0
        [tasks.dogs]
        data = "{tmp_path}"
        datta = "x"
        [tasks.cats]
        [tasks.birds]
        data = "{tmp_path}"
        backbone = "resnet50"
        [tasks.shapes]
        data = "{tmp_path}"
        [tasks.Bad]
        data = "{tmp_path}"
        [task]
        """,
    )
    assert jobs == []
    told = "\n".join(faults)
    assert "task: expected [defaults] and [tasks.NAME] alone, found 'task'" in told
    assert "digits: seed: expected a valid integer, found 'x'" in told
    assert "pets: set.metod: expected one of" in told
    assert "did you mean 'method'" in told
    assert "pets: set.optim.epochs: expected greater than or equal to 1, found 0" in told
    assert "pets: set.optim.lrr: expected a setting that" in told
    assert f"pets: data: expected a file or a folder, found nothing at {tmp_path}" in told
    assert "cars: method: there is no method 'spt-deeep'; expected one of" in told
    assert "cars: set.optim.epochs: expected greater than or equal to 1, found 0" in told
    assert "dogs: datta: expected one of data, backbone" in told
    assert "did you mean 'data'" in told
    assert "cats: data: expected the place of its images, found none" in told
    assert "birds: backbone: backbone 'resnet50': it is a ResNet" in told
    assert "shapes: data: expected none for a built-in task" in told
    assert "Bad: task: " in told


def test_a_fault_of_the_defaults_is_told_once(tmp_path: Path):
    _, faults = listed(
        tmp_path,
        """
        [defaults]
        set.optim.epochs = 0
        [tasks.digits]
        [tasks.shapes]
        """,
    )
    assert faults == [
        "defaults: set.optim.epochs: expected greater than or equal to 1, found 0",
    ]


@pytest.mark.parametrize("text", ["", "[tasks", "[defaults]\nseed = 1"])
def test_a_file_without_tasks_is_one_line(tmp_path: Path, text: str):
    with pytest.raises(RecipeError, match=r"\[tasks\.NAME\] for each task"):
        listed(tmp_path, text)
