"""Pictures of benchmarks say what their records say, also where a comparison is lost."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.bench.figure import draw, write_page
from tests.faults.page import write_page as write_faults

RESULTS = Path(__file__).parents[2] / "bench" / "results"
RECORDS = sorted(RESULTS.rglob("*.json"))


def drawn(record: dict[str, Any], folder: Path) -> str:
    """Return all words of a record's picture."""
    saved = folder / "changed.json"
    saved.write_text(json.dumps(record))
    return " ".join(ElementTree.parse(draw(saved)).getroot().itertext())


def read(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text())


@pytest.mark.parametrize("saved", RECORDS, ids=lambda path: str(path.relative_to(RESULTS)))
def test_the_picture_next_to_a_record_is_the_one_that_the_record_gives(saved: Path, tmp_path: Path):
    copy = Path(shutil.copy(saved, tmp_path))
    assert draw(copy).read_bytes() == saved.with_suffix(".svg").read_bytes()


@pytest.mark.parametrize("saved", RECORDS, ids=lambda path: str(path.relative_to(RESULTS)))
def test_a_picture_tells_its_finding_and_its_machine(saved: Path, tmp_path: Path):
    record = json.loads(saved.read_text())
    words = drawn(record, tmp_path)
    assert record["conditions"]["cpu"] in words
    assert record["conditions"]["measured_at"][:10] in words
    assert "short run" not in words


@pytest.mark.parametrize("saved", RECORDS, ids=lambda path: str(path.relative_to(RESULTS)))
def test_a_page_holds_the_picture_every_row_and_nothing_from_elsewhere(saved: Path, tmp_path: Path):
    page = write_page(Path(shutil.copy(saved, tmp_path))).read_text()
    record = json.loads(saved.read_text())
    assert page.count("<svg") == 1
    assert page.count("<tr>") == 1 + len(record["rows"])
    assert not [word for word in ("http:", "https:", "<script", "@import") if word in page]


def test_the_page_of_faults_says_how_many_goals_held(tmp_path: Path):
    summary = Path(
        shutil.copy(RESULTS.parents[1] / "faults" / "results" / "summary.json", tmp_path)
    )
    rows = json.loads(summary.read_text())
    rows[0]["holds"] = False
    summary.write_text(json.dumps(rows))
    page = write_faults(summary).read_text()
    held = sum(row["holds"] for row in rows)
    assert f"<h1>{held} of {len(rows)} goals held</h1>" in page
    assert page.count("<strong>no</strong>") == len(rows) - held


def test_a_short_run_is_said_to_be_one(tmp_path: Path):
    record = read("kmeans")
    record["conditions"]["short"] = True
    assert "A short run: its numbers mean little." in drawn(record, tmp_path)


@pytest.mark.parametrize(("over_plain", "told"), [(1.15, "less"), (0.87, "more")])
def test_a_batch_that_costs_more_than_the_plain_trunk_says_so(
    over_plain: float, told: str, tmp_path: Path
):
    record = read("engine")
    record["ratios"]["mixed_over_plain"] = over_plain
    for row in record["rows"]:
        if row["candidate"] == "mixed":
            row["over_plain"] = over_plain
    assert f"cost {told} than one plain ViT-B/16: {over_plain}" in drawn(record, tmp_path)


def test_throughput_that_falls_with_tasks_says_so(tmp_path: Path):
    record = read("tasks")
    for row in record["rows"]:
        row["over_one_task"] = 1.0
    assert "1,000 tasks are served as fast as one: 1.00" in drawn(record, tmp_path)
    for row in record["rows"]:
        row["over_one_task"] = 0.9
    assert "1,000 tasks have 0.90 of the throughput of one" in drawn(record, tmp_path)


def test_a_decoder_with_the_same_pixels_is_not_said_to_be_off(tmp_path: Path):
    record = read("decode")
    for row in record["rows"]:
        row["max_difference"] = 1
    assert "its pixels are off by up to 1" in drawn(record, tmp_path)
    for row in record["rows"]:
        row["max_difference"] = 0
    assert "its pixels are the same" in drawn(record, tmp_path)


def test_a_wait_that_falls_with_more_load_is_told(tmp_path: Path):
    record = read("http")
    falling = iter(range(300, 0, -10))
    for row in record["rows"]:
        row["p99_ms"] = float(next(falling))
    assert "lies above that at" in drawn(record, tmp_path)
    for row in record["rows"]:
        row["p99_ms"] = 100.0
    assert "lies above" not in drawn(record, tmp_path)


def test_a_longer_training_step_is_not_called_shorter(tmp_path: Path):
    record = read("h100/training")
    for row in record["rows"]:
        row["time_over_tokens"] = 1.23
    assert "is longer than with tokens: 1.23 in" in drawn(record, tmp_path)
