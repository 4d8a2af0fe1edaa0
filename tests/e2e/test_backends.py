"""A service whose trunk runs in ONNX Runtime answers what the engine of this process answers."""

from pathlib import Path

import pytest

from adapters.vit.backbone import load_backbone
from clients.client import Client
from clients.load.closed import Ask
from serving.inference.engine import Engine, Query
from serving.launch.launch import Launch, free_ports
from serving.onnx.export import export_trunk
from serving.protocol import Answer
from serving.service import start, stop
from tests.e2e.service import TASKS, asks, expecting_engine, publish_all


@pytest.fixture
def engine(tmp_path: Path):
    backbone = load_backbone()
    publish_all(tmp_path / "store", None, backbone.spec)
    export_trunk(backbone, tmp_path / "onnx")
    engine = expecting_engine(backbone, tmp_path / "store")
    yield engine
    engine.close()


def test_an_exported_trunk_is_served_with_the_same_answers(engine: Engine, tmp_path: Path) -> None:
    api, management, metrics = free_ports(3)
    launch = Launch(
        folder=tmp_path / "serve",
        store=tmp_path / "store",
        ports=(api, management, metrics),
        settings={"backend": "onnx", "onnx": str(tmp_path / "onnx"), "preload": "all"},
    )
    process = start(launch)
    try:
        with Client(process.url, timeout_s=60) as client:
            for ask in asks(2 * len(TASKS)):
                assert_same(client.predict(ask.image, task=ask.task), ask, engine)
    finally:
        stop(launch.folder)


def assert_same(found: Answer, ask: Ask, engine: Engine) -> None:
    (expected,) = engine.predict([Query(ask.image, ask.task)])
    assert isinstance(expected, Answer)
    assert [p.index for p in found.predictions] == [p.index for p in expected.predictions]
    for one, other in zip(found.predictions, expected.predictions, strict=True):
        assert abs(one.score - other.score) < 1e-5
