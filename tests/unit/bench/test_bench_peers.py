"""The peers of the benchmarks compute what they are compared for, and go when they are done."""

from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import torch

from adapters.vit.backbone import Backbone
from tests.bench.contest import best_of, fastest, pipelined
from tests.bench.models import random_pixels
from tests.bench.neighbours import busy_neighbours
from tests.bench.plain.graph import export_plain
from tests.bench.plain.int8 import quantise_plain
from tests.bench.plain.on_onnxruntime import onnxruntime_settings
from tests.bench.plain.on_openvino import OnOpenvino, openvino_settings
from tests.bench.services.running import NEEDS, SERVICES, missing
from tests.bench.services.target import LITSERVE, PeerClient
from tests.fakes.tiny import tiny_backbone, tiny_trunk


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone(tiny_trunk(depth=2))


@pytest.fixture(scope="module")
def graph(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    export_plain(backbone, path)
    return path


@torch.inference_mode()
def test_plain_peers_compute_timms_features_in_every_setting(backbone: Backbone, graph: Path):
    pixels = random_pixels(backbone, 5)
    exact = backbone.trunk(pixels)
    for forward in (*openvino_settings(graph, "float32").values(),
                    *onnxruntime_settings(graph).values()):  # fmt: skip
        torch.testing.assert_close(forward(pixels), exact, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_the_plain_int8_graph_is_near_the_exact_one_but_rounded(
    backbone: Backbone, graph: Path, tmp_path: Path
):
    pixels = random_pixels(backbone, 4)
    quantise_plain(graph, tmp_path / "int8.onnx", pixels)
    exact = backbone.trunk(pixels)
    distance = (OnOpenvino(tmp_path / "int8.onnx", "float32")(pixels) - exact).abs().max()
    assert 0 < distance < 0.3 * exact.abs().max()


def test_neighbours_are_there_for_the_block_alone():
    with busy_neighbours(2) as running:
        processes = [psutil.Process(one.pid) for one in running]
        assert all(one.is_running() for one in processes)
    assert not any(one.is_running() for one in processes)


def test_neighbours_end_when_an_error_ends_the_block():
    with pytest.raises(RuntimeError, match="measured wrong"), busy_neighbours(1) as running:
        raise RuntimeError("measured wrong")
    assert running[0].poll() is not None


def test_the_best_has_the_shortest_median_and_one_setting_is_not_tried():
    seconds = {"a": [1.0, 9.0, 1.0], "b": [2.0, 2.0, 2.0], "c": [0.1, 0.1, 0.1]}
    assert best_of(seconds, {"a", "b"}) == "a"

    def never(pixels: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    assert fastest({"only": never}, torch.zeros(1)) == "only"


def test_batches_in_flight_are_all_computed_without_gradients():
    seen: list[bool] = []

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        seen.append(torch.is_inference_mode_enabled())
        return pixels

    seconds = pipelined({"one": forward}, torch.zeros(1), batches=4, rounds=2)
    assert len(seconds["one"]) == 2
    assert seen == [True] * 4 * 3  # a round warms up


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_whose_package_is_missing_is_said_to_be(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tests.bench.services.running.find_spec", lambda _: None)
    told = missing(name)
    assert (told is None) == (name not in NEEDS)
    assert told is None or (name in told and "not installed" in told)


def test_a_service_whose_package_is_there_is_measured():
    assert find_spec("torch") is not None
    assert missing("asgi") is None


def test_litserve_is_sent_json():
    client = PeerClient("http://127.0.0.1:1", LITSERVE)
    assert client.head("a-task", 1).startswith("POST /predict HTTP/1.1")
    assert client.sent(b"an image") == b'{"image": "YW4gaW1hZ2U="}'
