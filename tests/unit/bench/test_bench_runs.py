"""The benchmarks run from the command line, and leave the figures that goals are set for."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.processor import has_int8_dot_products

ROOT = Path(__file__).parents[3]
MEASURED = {
    "engine": {
        "best_over_best_plain",
        "best_over_best_plain_tiny",
        "best_over_best_plain_busy",
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
    "front": {
        f"{figure}{where}"
        for figure in (
            "idle_share",
            "idle_share_of_one_process",
            "cpu_ms_per_image",
            "cpu_ms_of_one_process",
        )
        for where in ("", "_cropped_by_fronts")
    },
    "image-tasks": {
        "rows_for_16_linear_tasks",
        "time_of_16_linear_over_1",
        "time_of_16_equal_over_1",
        "time_of_16_different_over_1",
        "cost_of_16_by_first_block",
    },
}
NOT_IN_SHORT = {
    "engine": {
        "compiled_over_plain",
        "compiled_over_compiled_plain",
        "cuda_mixed_over_compiled_plain",
        "int8_over_openvino_int8",
    }
}
if has_int8_dot_products():
    MEASURED["engine"].add("int8_over_openvino_int8")
    NOT_IN_SHORT["engine"].remove("int8_over_openvino_int8")
COLUMNS = {
    "engine": {"model", "precision", "batch", "candidate", "images_per_s", "over_plain", "rounds"}
    | {"figure", "busy_neighbours"},
    "tasks": {"tasks", "popularity", "images_per_s", "over_one_task", "low", "high", "hit_rate"},
    "cold": {"measure", "median_ms", "p99_ms"},
    "lookups": {"what", "tasks", "p99_ms", "store_reads_per_s", "redis_calls_per_s"},
    "front": {"crops_on", "part", "cpu_ms", "low", "high", "images_per_s"},
    "image-tasks": {"tasks", "kind", "trunk_rows", "ms", "over_one", "low", "high"},
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
    for ratio in MEASURED[name]:
        found = result["ratios"][ratio]
        assert all(map(math.isfinite, found.values() if isinstance(found, dict) else [found]))


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


def test_the_figures_of_the_engine_are_kept_apart(folder: Path) -> None:
    rows = json.loads((folder / "engine.json").read_text())["rows"]
    plain = {"plain", "plain openvino", "plain onnx"}
    cells = {
        cell: {row["candidate"] for row in rows if (row["figure"], row["busy_neighbours"]) == cell}
        for cell in (("device time", 0), ("device time", 1), ("pipelined", 0))
    }
    assert all({"mixed", "onnx", "openvino"} | plain <= candidates for candidates in cells.values())
    assert "token form" in cells["device time", 0]


def test_sixteen_linear_tasks_of_one_image_cost_one_row_of_the_trunk(folder: Path) -> None:
    result = json.loads((folder / "image-tasks.json").read_text())
    assert result["ratios"]["rows_for_16_linear_tasks"] == 1
    rows = {(row["tasks"], row["kind"]): row["trunk_rows"] for row in result["rows"]}
    assert rows[16, "of equal prompts"] == 1
    assert rows[16, "of different prompts"] == 16
