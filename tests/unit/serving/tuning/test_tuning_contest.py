"""Backends are timed in turns; the simplest stays unless another is clearly faster, and soon."""

import json

import pytest

from serving.cli import tune
from serving.tuning import contest
from serving.tuning.choice import Measured, read_choice
from serving.tuning.contest import choose, measure, prepare
from tests.fakes.tiny import tiny_backbone


def measured(ratio, start_s=1.0):
    return Measured(images_per_s=100 * ratio, ratio=ratio, low=ratio, high=ratio, start_s=start_s)


@pytest.mark.parametrize(
    ("found", "best"),
    [
        ({"eager": measured(1), "openvino": measured(1.02)}, "eager"),
        ({"eager": measured(1), "openvino": measured(1.2), "compiled": measured(1.22)}, "openvino"),
        ({"eager": measured(1), "openvino": measured(1.2), "compiled": measured(1.3)}, "compiled"),
        ({"eager": measured(1), "compiled": measured(0.8)}, "eager"),
    ],
)
def test_a_simpler_backend_stays_unless_another_is_worth_it(found, best):
    chosen, why = choose(found)
    assert chosen == best
    assert why.startswith(f"{best} has {found[best].ratio:.2f} times")


def test_what_cannot_be_warm_in_time_is_not_chosen_and_that_is_said():
    chosen, why = choose({"eager": measured(1), "compiled": measured(2, start_s=400)})
    assert chosen == "eager"
    assert "compiled takes 400 s to start" in why


@pytest.fixture
def _no_compiler(monkeypatch):
    found = contest.candidates
    monkeypatch.setattr(
        contest,
        "candidates",
        lambda export: {k: v for k, v in found(export).items() if k != "compiled"},
    )


@pytest.mark.usefixtures("_no_compiler")
def test_what_is_not_there_is_left_out_and_says_why(tmp_path):
    said = []
    ready = dict(prepare(tiny_backbone(), "bfloat16", tmp_path, said.append))
    assert list(ready) == ["eager"]
    assert any(line.startswith("onnx: left out: ") and "bfloat16" in line for line in said)
    assert all("\n" not in line for line in said)
    found = measure(ready, seconds=0.01, told=said.append)
    assert said[-1] == "timing eager in turns: 0 of 0 s"
    assert found["eager"].ratio == 1
    assert found["eager"].images_per_s > 0


@pytest.mark.usefixtures("_no_compiler")
def test_the_command_writes_what_it_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("adapters.vit.backbone.load_backbone", lambda *_, **__: tiny_backbone())
    monkeypatch.setattr("serving.trunk.allocator.disable_malloc_trim", lambda: True)
    args = [f"--out={tmp_path / 'tuned.json'}", f"--onnx={tmp_path / 'none'}", "--seconds=0.01"]
    parser = tune.argparse.ArgumentParser()
    tune.add_arguments(parser)
    assert tune.run(parser.parse_args([*args, "--json"])) == 0
    choice = read_choice(tmp_path / "tuned.json")
    assert json.loads(capsys.readouterr().out) == choice.model_dump(mode="json")
    assert (choice.chosen, choice.backend, choice.compile) == ("eager", "torch", False)
    assert tune.run(parser.parse_args(args)) == 0
    assert "spt serve` takes it unless" in capsys.readouterr().out


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_seconds_must_be_above_zero(seconds, capsys):
    parser = tune.argparse.ArgumentParser()
    tune.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--seconds", seconds])
    assert "expected seconds above 0" in capsys.readouterr().err
