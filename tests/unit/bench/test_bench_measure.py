"""The arithmetic of the benchmarks, and that every result can be saved and printed."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.bench.measure import Spread, in_turns, speed_ratio
from tests.bench.result import Result, Settings
from tests.bench.table import show, written

ENGINE = [
    {"model": model, "precision": precision, "batch": batch, "candidate": candidate}
    | {"images_per_s": 300 * over, "over_plain": over, "low": over - 0.02, "high": over + 0.03}
    for model, precision in (("ViT-Ti/16", "float32"), ("ViT-B/16", "float32"))
    for batch in (8, 32)
    for candidate, over in (("plain", 1.0), ("one task", 0.93), ("32 tasks mixed", 0.91))
]
TASKS = [
    {"tasks": tasks, "popularity": popularity, "images_per_s": 280.0, "over_one_task": over}
    | {"low": over - 0.03, "high": over + 0.02, "hit_rate": 1.0}
    for popularity, drop in (("uniform", 0.02), ("zipf", 0.01))
    for tasks, over in ((1, 1.0), (10, 1 - drop), (100, 1 - 2 * drop), (1000, 1 - 3 * drop))
]
COLD = [
    {"measure": "resident", "median_ms": 0.2, "p99_ms": 0.4},
    {"measure": "from the store", "median_ms": 3.4, "p99_ms": 9.1},
]
HTTP = [
    {"service": "engine alone", "load": "batches", "offered_per_s": None, "answered_per_s": 230.0}
    | {"p50_ms": None, "p99_ms": None, "failed": 0, "workers_rss_mb": 700.0},
    {"service": "shared backbone", "load": "closed", "offered_per_s": None, "answered_per_s": 200.0}
    | {"p50_ms": 300.0, "p99_ms": 400.0, "failed": 0, "workers_rss_mb": 700.0},
] + [
    {"service": "shared backbone", "load": f"{share} %", "offered_per_s": 2.0 * share}
    | {"answered_per_s": 2.0 * share, "p50_ms": 20.0 + share / 5, "p99_ms": 40.0 + share}
    | {"failed": 0, "workers_rss_mb": 700.0}
    for share in (25, 50, 75, 90)
]
DECODE = [
    {"decoder": decoder, "threads": threads, "stage": stage, "images_per_s": 400.0 * threads}
    | {"over_pillow": 1.0, "max_difference": 0 if decoder == "Pillow" else 38}
    for stage, threads, decoder in product(("decode", "to pixels"), (1, 2), ("Pillow", "OpenCV"))
]
ROWS = {"engine": ENGINE, "tasks": TASKS, "cold": COLD, "http": HTTP, "decode": DECODE}


def result_of(name: str) -> Result:
    result = Result(name, rows=ROWS[name], notes=["[x] is a word of the note, not markup"])
    result.add_ratio("one_over_other", Spread(0.91234567, 0.9, 0.95))
    result.ratios["not_tried"] = None
    return result


def test_a_spread_is_median_and_quartiles() -> None:
    assert Spread.of([4.0, 1.0, 3.0, 2.0, 5.0]) == Spread(3.0, 2.0, 4.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)
    assert Spread(2.0, 1.0, 3.0).times(10) == Spread(20.0, 10.0, 30.0)


def test_candidates_take_turns_and_warm_up_does_not_count() -> None:
    order: list[str] = []
    candidates = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = in_turns(candidates, rounds=3, warm_up=1)
    assert "".join(order) == "baabbaab"
    assert [len(times) for times in seconds.values()] == [3, 3]


def test_ratios_compare_runs_of_one_round() -> None:
    seconds = {"slow": [2.0, 4.0, 6.0], "fast": [1.0, 2.0, 3.0]}
    assert speed_ratio(seconds, "fast", over="slow") == Spread(2.0, 2.0, 2.0)


@pytest.mark.parametrize("name", ROWS)
def test_a_result_is_saved_with_its_conditions(tmp_path: Path, name: str) -> None:
    saved = json.loads(result_of(name).save(Settings(tmp_path, short=True)).read_text())
    assert saved["rows"] == ROWS[name]
    assert saved["ratios"] == {"one_over_other": 0.9123, "not_tried": None}
    assert saved["spreads"] == {"one_over_other": [0.9, 0.95]}
    assert saved["conditions"]["short"] is True
    assert saved["conditions"]["cpu"]


@pytest.mark.parametrize("name", ROWS)
def test_a_result_is_printed(capsys: pytest.CaptureFixture[str], name: str) -> None:
    show(result_of(name))
    printed = capsys.readouterr().out
    assert "one_over_other = 0.912 (quartiles 0.9 to 0.95)" in printed
    assert "not_tried = not measured" in printed
    assert "- [x] is a word of the note, not markup" in printed


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("a", "a"), (32, "32"), (12345.6, "12,346"), (12.34, "12.3"), (0.01234, "0.0123")],
)
def test_numbers_have_three_digits_that_count(value: Any, text: str) -> None:
    assert written(value) == text
