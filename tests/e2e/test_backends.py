"""A service whose trunk runs in ONNX Runtime answers what the engine of this process answers."""

import json
from pathlib import Path

import pytest

from adapters.ports import free_ports
from clients.client import Client
from clients.load.closed import Ask
from serving.__main__ import main
from serving.inference.engine import Engine, Query
from serving.launch.launch import Launch
from serving.protocol import Answer
from serving.service import start, stop
from tests.e2e.service import TASKS, Published, asks


@pytest.fixture
def exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The command's export, which says how near it is and how to serve it."""
    folder = tmp_path / "onnx"
    assert main(["export", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "largest relative difference from torch" in said
    assert f"--set onnx={folder}" in said
    report = json.loads((folder / "trunk.json").read_text())
    assert report["backbone"]["pooling"] == "mean-with-prompts"
    assert max(report["errors"].values()) < 1e-5
    return folder


def test_an_exported_trunk_is_served_with_the_same_answers(
    published: Published, exported: Path, tmp_path: Path
) -> None:
    api, management, metrics = free_ports(3)
    launch = Launch(
        folder=tmp_path / "serve",
        store=published.source.store.root,
        ports=(api, management, metrics),
        settings={"backend": "onnx", "onnx": str(exported), "preload": "all"},
    )
    process = start(launch)
    try:
        with Client(process.url, timeout_s=60) as client:
            for ask in asks(2 * len(TASKS)):
                assert_same(client.predict(ask.image, task=ask.task), ask, published.engine)
    finally:
        stop(launch.folder)


def assert_same(found: Answer, ask: Ask, engine: Engine) -> None:
    (expected,) = engine.predict([Query(ask.image, ask.task)])
    assert isinstance(expected, Answer)
    assert [p.index for p in found.predictions] == [p.index for p in expected.predictions]
    for one, other in zip(found.predictions, expected.predictions, strict=True):
        assert abs(one.score - other.score) < 1e-5
