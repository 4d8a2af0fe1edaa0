"""`spt search`, what it leads to, and `spt import`: as a person types them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from adapters.vit.adapter import decode
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import make_toy_folder, read
from trainer.__main__ import main
from trainer.experiment import materials

BACKBONE = tiny_backbone()
Run = Callable[..., tuple[int, str, str]]
SETTINGS = ["--method", "linear"] + [
    f"--set=optim.{text}" for text in ("epochs=2", "warmup_epochs=1", "batch_size=4")
]


@pytest.fixture
def trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return what runs the command line in an empty folder: exit code, output, errors."""
    monkeypatch.setattr(materials, "load_backbone", lambda *_, **__: BACKBONE)
    monkeypatch.setattr("adapters.vit.backbone.load_backbone", lambda *_, **__: BACKBONE)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        code = main(list(map(str, words)))
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_the_best_recipe_of_a_search_trains_to_the_same_numbers(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    common = ["toy", "--data", data, *SETTINGS]
    code, output, _ = trainer("search", *common, "--trials", 2, "--vary", "optim.lr=1e-3:1:log")
    assert code == 0
    best = Path("runs/train/toy/vit_micro_patch8_64-linear/search/best.json")
    assert f"spt train toy --recipe {best}" in output
    points = json.loads(trainer("search", *common, "--trials", 2, "--json",
                                "--vary", "optim.lr=1e-3:1:log")[1])  # fmt: skip
    (chosen,) = [one for one in points if one["best"]]
    out = tmp_path / "final"
    code, _, errors = trainer(
        "train", "toy", "--data", data, "--recipe", best, "--out", out, "--no-publish"
    )
    assert (code, errors) == (0, "")
    assert read(out, "metrics.json")["val_accuracy"] == chosen["val_accuracy"]
    assert read(out, "recipe.json")["optim"]["lr"] == chosen["settings"]["optim.lr"]


def test_a_range_that_makes_no_sense_is_one_line_before_anything_is_read(trainer: Run):
    code, _, errors = trainer("search", "toy", "--data", "nowhere", "--vary", "optim.lr=2:1")
    assert code == 1
    assert errors.startswith("error: --vary optim.lr=2:1: expected a lower bound")
    with pytest.raises(SystemExit) as caught:
        trainer("search", "toy", "--trials", 0)
    assert caught.value.code == 2


def test_without_optuna_the_extra_is_named(trainer: Run, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith("trainer.search")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, errors = trainer("search", "toy")
    assert code == 1
    assert "pip install 'spt-serving[search]'" in errors


def test_the_heads_rate_is_varied_by_a_sweep(trainer: Run, tmp_path: Path):
    data = make_toy_folder(tmp_path / "toy")
    words = ["sweep", "toy", "--data", data, *SETTINGS, "--head-lr", "1e-3", "1e-2", "--json"]
    code, output, _ = trainer(*words)
    assert code == 0
    trials = json.loads(output)
    assert [trial["settings"]["head_lr"] for trial in trials] == [1e-3, 1e-2]
    assert trials[0]["train_loss"] != trials[1]["train_loss"]
    code, output, _ = trainer(*words[:-1])
    assert "--set optim.head_lr=" in output
    assert "head lr" in output


def test_a_head_is_imported_and_what_is_next_is_said(trainer: Run, tmp_path: Path):
    save_file({"weight": torch.zeros(2, 16)}, tmp_path / "head.safetensors")
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    words = ["import", "pets", "head.safetensors", "--classes", "names.txt"]
    assert trainer(*words)[:2] == (
        0,
        "wrote runs/import/pets.safetensors; next: spt publish runs/import/pets.safetensors\n",
    )
    meta = decode((tmp_path / "runs/import/pets.safetensors").read_bytes()).meta
    assert meta.task.class_names == ("cat", "dog")
    assert meta.preprocessing == BACKBONE.preprocessing
    code, _, errors = trainer(*words, "--resize-size", 1000)
    assert code == 1
    assert "the limit is 64" in errors


@pytest.mark.parametrize("command", ["train", "sweep", "search"])
def test_the_help_lists_every_setting_with_its_default(
    command: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.strip().startswith("optim.label_smoothing (0.0): share") for line in lines)
    assert any(line.strip().startswith("compute.accumulate (1): parts") for line in lines)
