"""The command line: what a person types, sees and is left with."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adapters.store.directory import DirectoryStore
from adapters.trust.keys import generate_key, load_public_key
from adapters.trust.policy import Trust, TrustedKey
from adapters.vit.adapter import decode
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.replicas import make_cars, make_vtab
from tests.unit.trainer.toy import make_toy_folder
from trainer.__main__ import main
from trainer.experiment import attention, materials

BACKBONE = tiny_backbone()
SETTINGS = [
    "--set=prompt.num_tokens=2",
    "--set=optim.epochs=2",
    "--set=optim.warmup_epochs=1",
    "--set=optim.batch_size=4",
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return what runs the command line in an empty folder: exit code, output, errors."""
    monkeypatch.setattr(materials, "load_backbone", lambda *_, **__: BACKBONE)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trainer", *map(str, words)])
        code = main()
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def train(trainer: Run, data: Path, *more: object) -> tuple[int, str, str]:
    return trainer("train", "toy", "--data", data, *SETTINGS, *more)


def assert_one_line(outcome: tuple[int, str, str], *words: str) -> None:
    code, _, errors = outcome
    assert code == 1
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert all(word in errors for word in words), errors


def assert_nothing_left(folder: Path) -> None:
    assert not list(folder.rglob("*.safetensors"))
    assert not list(folder.rglob("*.partial"))
    assert not list((folder / "runs/store").rglob("current*"))


def test_train_publishes_an_artifact_and_leaves_a_report(trainer: Run, tmp_path: Path):
    code, output, _ = train(trainer, make_toy_folder(tmp_path / "toy"))
    assert code == 0
    folder = tmp_path / "runs/train/toy" / "vit_micro_patch8_64-spt-deep"
    assert (folder / "report.html").exists()
    assert (folder / "toy.safetensors").exists()
    assert "published version" in output
    assert list((tmp_path / "runs/store").rglob("*.safetensors"))


def test_what_is_trained_may_be_signed_on_its_way_into_the_store(trainer: Run, tmp_path: Path):
    private, public = generate_key(tmp_path / "release")
    data = make_toy_folder(tmp_path / "toy")
    assert_one_line(train(trainer, data, "--sign", public), "release.public.pem")
    assert not (tmp_path / "runs").exists()
    assert train(trainer, data, "--sign", private)[0] == 0
    store = DirectoryStore(tmp_path / "runs/store")
    store.trust = Trust([TrustedKey(load_public_key(public))])
    assert store.check_trusted("toy", store.current("toy").version) is not None


def test_a_key_without_anything_to_sign_is_wrong_usage(trainer: Run, tmp_path: Path):
    for words in (["--no-publish"], ["--seeds", "2"]):
        with pytest.raises(SystemExit) as caught:
            train(trainer, tmp_path, "--sign", tmp_path / "key.pem", *words)
        assert caught.value.code == 2


def test_a_log_tells_what_was_found_every_epoch_and_whole_paths(trainer: Run, tmp_path: Path):
    out = tmp_path / "a folder [red] with a name" / ("that is long " * 10).strip()
    _, output, _ = train(trainer, make_toy_folder(tmp_path / "toy"), "--out", out)
    lines = output.splitlines()
    assert "2 classes, 10 training, 10 validation and 10 test images" in lines[1]
    assert sum(" epoch 1/2 " in line for line in lines) == 1
    assert sum(" epoch 2/2 " in line for line in lines) == 1
    assert f"report {out / 'report.html'}" in lines


def test_the_same_command_again_says_that_the_run_was_finished(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    train(trainer, data)
    code, output, _ = train(trainer, data)
    assert code == 0
    assert "this run was finished already" in output


def test_a_changed_setting_is_one_line_and_fresh_is_the_way_out(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    train(trainer, data)
    assert_one_line(train(trainer, data, "--seed", 1), "seed 0, now 1", "FRESH=1")
    assert train(trainer, data, "--seed", 1, "--fresh")[0] == 0


def test_a_store_that_cannot_be_written_is_one_line_before_training(trainer: Run, tmp_path: Path):
    (tmp_path / "file").touch()
    data = make_toy_folder(tmp_path / "toy")
    assert_one_line(train(trainer, data, "--store", tmp_path / "file" / "store"), "file is a file")
    assert not (tmp_path / "runs").exists()


def test_a_method_that_cannot_be_served_says_why_and_publishes_nothing(
    trainer: Run, tmp_path: Path
):
    code, output, _ = train(trainer, make_toy_folder(tmp_path / "toy"), "--method", "bias")
    assert code == 0
    assert "no artifact: bias is not served" in output
    assert not (tmp_path / "runs/store").exists()


def test_seeds_are_trained_side_by_side_and_summed_up(trainer: Run, tmp_path: Path):
    code, output, _ = train(trainer, make_toy_folder(tmp_path / "toy"), "--seeds", 3)
    folder = tmp_path / "runs/train/toy" / "vit_micro_patch8_64-spt-deep"
    summary = json.loads((folder / "seeds.json").read_text())
    assert code == 0
    assert len(summary["test_accuracies"]) == 3
    assert f"{summary['mean']:.4f} ± {summary['deviation']:.4f} (3 seeds)" in output
    seeds = [
        json.loads((folder / f"seed-{seed}" / "recipe.json").read_text())["seed"]
        for seed in range(3)
    ]
    assert seeds == [0, 1, 2]
    assert not (tmp_path / "runs/store").exists()


@pytest.mark.parametrize("more", [("--seeds", 1), ("--seeds", 2, "--seed", 0)])
def test_seeds_that_make_no_sense_are_refused(
    trainer: Run, tmp_path: Path, more: tuple[object, ...]
):
    outcome = train(trainer, make_toy_folder(tmp_path / "toy"), *more)
    assert_one_line(outcome, "--seeds", "expected 2 or more")


def test_a_sweep_prints_its_trials_and_the_options_of_the_best(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    words = ("sweep", "toy", "--data", data, *SETTINGS, "--lr", 1e-3, 1e-1)
    code, output, _ = trainer(*words)
    assert code == 0
    assert "--set optim.lr=" in output
    assert "0.001" in output
    assert trainer(*words)[0] == 0


def test_a_sweeps_trials_are_json_for_programs(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    words = ("sweep", "toy", "--data", data, *SETTINGS, "--lr", 1e-3, 1e-1, "--json")
    code, output, _ = trainer(*words)
    trials = json.loads(output)
    assert code == 0
    assert [trial["settings"]["lr"] for trial in trials] == [1e-3, 1e-1]
    assert [trial["best"] for trial in trials].count(True) == 1


def test_a_task_that_is_none_is_answered_with_the_one_that_was_meant(trainer: Run):
    assert_one_line(trainer("train", "digts"), "digts", "did you mean 'digits'")


def test_a_labels_file_with_a_gap(trainer: Run, tmp_path: Path):
    data = make_vtab(tmp_path / "toy")
    for name in ("train800.txt", "val200.txt", "test.txt"):
        lines = (data / name).read_text().splitlines()
        moved = [
            " ".join([*line.split()[:-1], "9" if line.endswith(" 1") else "0"]) for line in lines
        ]
        (data / name).write_text("\n".join(moved) + "\n")
    assert_one_line(train(trainer, data), "toy")
    assert_nothing_left(tmp_path)


def test_a_class_with_one_image(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    alone = data / "train" / "green"
    alone.mkdir()
    shutil.copy(data / "train" / "red" / "0.png", alone / "0.png")
    assert_one_line(train(trainer, data), "green")
    assert_nothing_left(tmp_path)


def test_a_zero_byte_image(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    (data / "train" / "red" / "2.png").write_bytes(b"")
    assert_one_line(train(trainer, data), "2.png", "1 of 30 images cannot be read")
    assert_nothing_left(tmp_path)


def test_a_wrong_mat_file(trainer: Run, tmp_path: Path):
    data = make_cars(tmp_path / "stanford_cars")
    next(data.rglob("cars_train_annos.mat")).write_bytes(b"this is no MATLAB file")
    words = ("train", "stanford_cars", "--data", data, *SETTINGS)
    assert_one_line(trainer(*words), "cars_train_annos.mat")
    assert_nothing_left(tmp_path)


def test_a_list_that_names_a_missing_file(trainer: Run, tmp_path: Path):
    data = make_vtab(tmp_path / "toy")
    gone = next(data.glob("images/train800/*"))
    gone.unlink()
    assert_one_line(train(trainer, data), gone.name, "1 of")
    assert_nothing_left(tmp_path)


def test_a_loss_that_is_no_number(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    assert_one_line(train(trainer, data, "--set=optim.lr=1e38"), "the training loss is")
    assert_nothing_left(tmp_path)


def test_a_run_that_is_stopped_leaves_the_store_as_it_was(
    trainer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = make_toy_folder(tmp_path / "toy")
    train(trainer, data)
    before = {p: p.read_bytes() for p in (tmp_path / "runs/store").rglob("*") if p.is_file()}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.experiment.run.finish", stop)
    code, _, errors = train(trainer, data, "--seed", 1, "--fresh")
    after = {p: p.read_bytes() for p in (tmp_path / "runs/store").rglob("*") if p.is_file()}
    assert (code, after) == (130, before)
    assert "goes on from the last finished epoch" in errors


def test_attention_is_drawn_with_and_without_the_prompts(
    trainer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(attention, "load_backbone", lambda *_, **__: BACKBONE)
    data = make_toy_folder(tmp_path / "toy")
    train(trainer, data)
    artifact = tmp_path / "runs/train/toy/vit_micro_patch8_64-spt-deep/toy.safetensors"
    images = [data / "test" / name / "0.png" for name in ("red", "blue")]
    code, output, _ = trainer("attention", artifact, *images, "--out", "seen.svg")
    assert (code, output) == (0, "wrote seen.svg\n")
    panels = attention.attention_panels(BACKBONE, decode(artifact.read_bytes()), images[0])
    titles = [panel.title.partition(":")[0] for panel in panels]
    assert titles == ["0.png", "without prompts", "with"]
    assert not np.array_equal(panels[1].weights, panels[2].weights)


def test_attention_to_what_cannot_be_read_is_one_line(
    trainer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(attention, "load_backbone", lambda *_, **__: BACKBONE)
    assert_one_line(trainer("attention", "none.safetensors", "a.png"), "none.safetensors")
    train(trainer, make_toy_folder(tmp_path / "toy"))
    artifact = tmp_path / "runs/train/toy/vit_micro_patch8_64-spt-deep/toy.safetensors"
    (tmp_path / "a.png").write_bytes(b"no image")
    assert_one_line(trainer("attention", artifact, "a.png"), "a.png")
