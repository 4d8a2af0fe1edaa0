"""What `spt tune` left is used where it holds, and is never in the way where it does not."""

import re

import pytest

from serving.build import build_core
from serving.cli import launching
from serving.config import ServingConfig, load_config
from serving.errors import ConfigError
from serving.tuning import choice as choices
from serving.tuning.choice import Choice, Measured, read_choice, this_machine, write_choice
from tests.fakes.tiny import tiny_backbone

SPEC = tiny_backbone().spec


def some_choice(**changes):
    values = {
        "machine": this_machine(),
        "backbone": SPEC,
        "precision": "float32",
        "measured": {"eager": Measured(images_per_s=9, ratio=1, low=1, high=1, start_s=1)},
        "chosen": "compiled",
        "why": "compiled has 1.20 times",
        "backend": "torch",
        "compile": True,
        "onnx": None,
    }
    return Choice(**values | changes)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "runs" / "tuned.json"
    write_choice(some_choice(), path)
    assert read_choice(path) == some_choice()
    assert [p.name for p in path.parent.iterdir()] == ["tuned.json"]


def test_it_holds_where_it_was_made():
    assert some_choice().unfit("tiny", "float32", SPEC) is None


@pytest.mark.parametrize(
    ("changes", "asked", "reason"),
    [
        ({}, ("huge", "float32"), "backbone tiny, not huge"),
        ({}, ("tiny", "bfloat16"), "float32, not bfloat16"),
        ({}, ("tiny", "float32", SPEC.model_copy(update={"weights_sha256": "0" * 64})), "sha256"),
        ({"machine": {"processor": "Z80"}}, ("tiny", "float32"), "processor was Z80"),
        ({"machine": {"cores": 999}}, ("tiny", "float32"), "cores was 999"),
        ({"machine": {"versions": {"torch": "1.0"}}}, ("tiny", "float32"), "versions was .*1.0"),
    ],
)
def test_it_does_not_hold_elsewhere(changes, asked, reason):
    machine = this_machine().model_copy(update=changes.get("machine", {}))
    found = some_choice(machine=machine).unfit(*asked)
    assert found is not None
    assert re.search(reason, found)


@pytest.mark.parametrize("content", [None, b"{}", b"\xff\xfe"])
def test_what_is_no_choice_is_an_error_in_one_line(tmp_path, content):
    path = tmp_path / "tuned.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"tuned\.json is not what `spt tune` writes \(.+\)$"):
        read_choice(path)


@pytest.mark.parametrize(
    ("settings", "is_tuned"),
    [
        ({}, False),
        ({"tuned": "x"}, True),
        ({"tuned": "x", "precision": "float32"}, True),
        ({"tuned": "x", "compile": False}, False),
        ({"tuned": "x", "backend": "torch"}, False),
    ],
)
def test_what_is_set_by_name_counts_more(settings, is_tuned, tmp_path):
    assert load_config(settings, tmp_path).is_tuned is is_tuned


@pytest.fixture
def tuned_here(tmp_path, monkeypatch):
    """Write a choice where `spt serve` looks for it."""
    monkeypatch.setattr(launching, "TUNED", tmp_path / "tuned.json")
    return lambda **changes: write_choice(some_choice(**changes), tmp_path / "tuned.json")


def test_a_launch_takes_it_and_says_so(tuned_here, tmp_path, capsys):
    tuned_here()
    found = launching._with_tuning({"max_batch": 8}, "tiny")
    assert found == {"max_batch": 8, "tuned": str(tmp_path / "tuned.json")}
    assert "as `spt tune` chose: compiled has 1.20 times" in capsys.readouterr().out


@pytest.mark.parametrize("settings", [{"backend": "onnx"}, {"compile": False}, {"tuned": None}])
def test_a_launch_says_nothing_where_something_is_set(settings, tuned_here, capsys):
    tuned_here()
    assert launching._with_tuning(settings, "tiny") == settings
    assert capsys.readouterr().out == ""


def test_a_launch_without_it_says_nothing(tuned_here, capsys):
    assert launching._with_tuning({}, "tiny") == {}
    assert capsys.readouterr().out == ""


def test_a_launch_ignores_one_of_another_backbone_in_one_line(tuned_here, capsys):
    tuned_here()
    assert launching._with_tuning({}, "huge") == {}
    said = capsys.readouterr().out
    assert "is ignored: it is of backbone tiny, not huge; run `spt tune` again" in said
    assert said.count("\n") == 1


@pytest.fixture
def _tiny(monkeypatch):
    monkeypatch.setattr("serving.build.load_backbone", lambda *_, **__: tiny_backbone())
    monkeypatch.setattr("serving.inference.core.Core.warm_up", lambda *_: None)


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_service_is_built_as_it_says_or_as_if_it_were_not_there(is_damaged, tmp_path, caplog):
    caplog.set_level("INFO")
    tuned, store = tmp_path / "tuned.json", tmp_path / "store"
    store.mkdir()
    write_choice(some_choice(), tuned)
    if is_damaged:
        tuned.write_text("?")
    core = build_core(ServingConfig(tuned=tuned, store=store))
    core.close()
    assert ("compiled" in caplog.text) is not is_damaged
    assert ("is ignored" in caplog.text) is is_damaged


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(choices, "PACKAGES", ("torch", "no-such-package"))
    assert list(this_machine().versions) == ["torch"]
