"""The benchmarks run from the command line, and leave the figures that goals are set for."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
MEASURED = {
    "engine": {
        "mixed_over_plain",
        "mixed_over_token_form",
        "mixed_over_per_task_loop",
        "onnx_over_plain_fp32",
        "int8_over_plain_fp32",
        "int8_agreement",
        "float32_relative_error",
        "float32_same_labels",
    },
    "tasks": {"loss_1_to_1000"},
    "cold": {"added_ms_median", "warm_p99_ratio", "warm_p99_ratio_prefetched", "rss_growth"},
    "lookups": {
        "p99 of look-ups alone, with Redis",
        "p99 of look-ups alone, without Redis",
        "p99 of batches, with Redis",
    },
}
NOT_IN_SHORT = {
    "engine": {
        "compiled_over_plain",
        "compiled_over_compiled_plain",
        "cuda_mixed_over_compiled_plain",
    }
}
COLUMNS = {
    "engine": {"model", "precision", "batch", "candidate", "images_per_s", "over_plain", "rounds"},
    "tasks": {"tasks", "popularity", "images_per_s", "over_one_task", "low", "high", "hit_rate"},
    "cold": {"measure", "median_ms", "p99_ms"},
    "lookups": {"what", "tasks", "p99_ms", "store_reads_per_s", "redis_calls_per_s"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run them in a process of their own, whose allocator they change for good."""
    out = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "tests.bench", *MEASURED, "--short", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(params=MEASURED)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def result(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}.json").read_text())


def test_it_measures_what_it_promises(name: str, result: dict[str, Any]) -> None:
    missing = {ratio for ratio, value in result["ratios"].items() if value is None}
    assert missing == NOT_IN_SHORT.get(name, set())
    assert result["ratios"].keys() - missing == MEASURED[name]
    assert all(math.isfinite(result["ratios"][ratio]) for ratio in MEASURED[name])


def test_its_rows_have_what_the_pictures_need(
    folder: Path, name: str, result: dict[str, Any]
) -> None:
    assert all(COLUMNS[name] <= row.keys() for row in result["rows"])
    assert result["notes"]
    assert (folder / f"{name}.svg").is_file()


def test_the_forwards_are_exact(folder: Path) -> None:
    ratios = json.loads((folder / "engine.json").read_text())["ratios"]
    assert ratios["float32_relative_error"] < 1e-5
    assert ratios["float32_same_labels"] == 1
