"""The benchmark of a GPU says that it needs one, and its picture says what was measured."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from tests.bench import bench_gpu
from tests.bench.figure import draw, write_page
from tests.bench.measure import Spread
from tests.bench.result import Result, Settings


def test_without_a_gpu_it_says_so_before_anything_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="needs a CUDA device"):
        bench_gpu.run(Settings(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_its_picture_and_its_page_can_be_made_though_some_ratios_were_not_measured(
    tmp_path: Path,
) -> None:
    result = Result("gpu", dict.fromkeys(bench_gpu.RATIOS), notes=list(bench_gpu.NOTES))
    for batch in bench_gpu.BATCHES:
        bench_gpu._add(result, batch, {bench_gpu.OURS: [1.0], bench_gpu.PLAIN: [1.25]})
    result.add_ratio("images_per_s", Spread(1.0, 1.0, 1.0))
    saved = result.save(Settings(tmp_path))
    words = " ".join(ElementTree.parse(draw(saved)).getroot().itertext())
    assert "1.25" in words
    assert "not measured" in write_page(saved).read_text()
