"""Runs of every kind of target, from rendered images to what a client is answered."""

import asyncio
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import serving.build
from adapters.artifact.codec import version_of
from adapters.artifact.target import MultiLabel, Ordinal, Regression
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import decode
from clients.client import AsyncClient
from serving.build_front import build_admission, decoder_settings
from serving.config import ServingConfig
from serving.device.device import Device
from serving.device.local import LocalDevice
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.protocol import Answer, MultiAnswer
from serving.runtime.front_engine import FrontEngine
from tests.unit.trainer.toy import read, toy_recipe, train
from trainer.experiment.run import Result
from trainer.report.page import write_report

SIDE = 32
CORNERS = {"red": (0, 0), "green": (0, 1), "blue": (1, 0)}
SPLITS = {"train": 60, "val": 50, "test": 16}


def render(folder: Path) -> Path:
    """Write images with coloured squares in some corners, and a list for each kind of target."""
    dice, images = np.random.default_rng(0), folder / "images"
    images.mkdir(parents=True)
    lists: dict[str, list[tuple[str, str, str]]] = {"several": [], "number": [], "ordered": []}
    for split, count in SPLITS.items():
        for i in range(count):
            has = [name for name in CORNERS if dice.random() < 0.5]
            pixels = dice.integers(0, 60, (SIDE, SIDE, 3), np.uint8)
            for name in has:
                row, column = (SIDE // 2 * place for place in CORNERS[name])
                channel = list(CORNERS).index(name)
                pixels[row : row + SIDE // 2, column : column + SIDE // 2, channel] = 220
            path = images / f"{split}, {i}.png"
            Image.fromarray(pixels).save(path)
            name = str(path) if i % 2 else f"images/{path.name}"
            lists["several"].append((name, "|".join(has) or "|", split))
            lists["number"].append((name, f"{len(has) * 12.5 - 100}", split))
            lists["ordered"].append((name, ("few", "some", "many", "all")[len(has)], split))
    for name, rows in lists.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
            writer.writerows([("path", "label", "split"), *rows])
    (folder / "groups.csv").write_text(
        "class,group\nfew,at most one\nsome,at most one\nmany,more\nall,more\n"
    )
    return folder


OPTIM = {"epochs": 12, "warmup_epochs": 1, "batch_size": 10, "lr": 2e-2}
SETTINGS: Mapping[str, dict[str, Any]] = {
    "several": {"target": "multi-label", "method": "linear"},
    "number": {"target": "regression", "optim": OPTIM | {"epochs": 3}},
    "ordered": {"target": "ordinal", "method": "linear"},
}
"""Recipes by task; the regression has prompts."""


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> None:
    """These runs are trained on the backbone that the service has, not on the tiny one."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    folder = render(tmp_path_factory.mktemp("data") / "corners")
    found = {}
    for task, settings in SETTINGS.items():
        data: dict[str, Any] = {}
        if task == "ordered":
            order = ("few", "some", "many", "all")
            data = {"class_order": order, "class_groups": folder / "groups.csv"}
        recipe = toy_recipe(task=task, **{"optim": OPTIM, "data": data} | settings)
        found[task] = train(recipe, folder / f"{task}.csv", folder / "runs" / task)[0]
    return found


@pytest.fixture(scope="module")
def answers(
    runs: dict[str, Result], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Answer]]:
    """What a client is told of each test image, by tasks of all kinds in one batch."""
    store = DirectoryStore(tmp_path_factory.mktemp("store"))
    for result in runs.values():
        assert result.artifact is not None
        store.publish(result.artifact.read_bytes())
    config = ServingConfig(store=store.root, max_batch=16)
    core = serving.build.build_core(config)
    device = LocalDevice(Device(core, max_batch=config.max_batch, patience_s=60.0), core)
    engine = FrontEngine(device, decoder_settings(config), 60.0)
    admission = build_admission(config)
    app = build_app(
        engine,
        admission,
        Vitals(Heartbeat(None), engine.probe),
        Bounds(config.image_limits.max_bytes, 1 << 30, threads=4),
    )
    paths = [Path(row["image"]) for row in read(runs["several"].folder, "predictions.json")]

    async def ask() -> dict[str, dict[str, Answer]]:
        transport, room = httpx.ASGITransport(app=app), asyncio.Semaphore(4)
        async with AsyncClient("http://service", transport=transport) as client:

            async def one(path: Path) -> MultiAnswer:
                async with room:
                    return await client.predict_many(path, tasks=list(runs), top_k=2)

            many = await asyncio.gather(*map(one, paths))
        found: dict[str, dict[str, Answer]] = {task: {} for task in runs}
        for path, said in zip(paths, many, strict=True):
            for answer in said.answers:
                assert isinstance(answer, Answer)
                found[answer.task][str(path)] = answer
        return found

    try:
        return asyncio.run(ask())
    finally:
        admission.close()
        engine.close()


def told(runs: dict[str, Result], task: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    folder = runs[task].folder
    return read(folder, "metrics.json"), read(folder, "predictions.json")


def test_several_labels_are_answered_as_the_run_has_scored_them(
    runs: dict[str, Result], answers: dict[str, dict[str, Answer]]
) -> None:
    metrics, predictions = told(runs, "several")
    assert metrics["class_names"] == ["blue", "green", "red"]
    assert metrics["test_map"] > 0.9
    assert len(metrics["val_scores"]) == OPTIM["epochs"]
    assert "test_accuracy" not in metrics
    for row in predictions:
        answer = answers["several"][row["image"]]
        names = metrics["class_names"]
        assert answer.target == "multi-label"
        assert set(answer.labels or ()) == {names[place] for place in row["predicted"]}
        scores = {one.index: one.score for one in answer.predictions}
        assert len(scores) == 2
        for place, score in row["scores"]:
            assert scores.get(place, score) == pytest.approx(score, abs=1e-5)


def test_a_number_is_answered_as_the_run_has_scored_it(
    runs: dict[str, Result], answers: dict[str, dict[str, Answer]]
) -> None:
    metrics, predictions = told(runs, "number")
    assert metrics["test_r2"] > 0.5
    assert metrics["uncalibrated"] == "a number has no probability"
    for row in predictions:
        answer = answers["number"][row["image"]]
        assert answer.value == pytest.approx(row["predicted"], abs=1e-3)
        assert answer.predictions == ()


def test_ordered_classes_and_their_groups_are_answered_as_the_run_has_scored_them(
    runs: dict[str, Result], answers: dict[str, dict[str, Answer]]
) -> None:
    metrics, predictions = told(runs, "ordered")
    assert metrics["class_names"] == ["few", "some", "many", "all"]
    assert metrics["test_mae"] < 1
    for row in predictions:
        answer = answers["ordered"][row["image"]]
        assert answer.predictions[0].index == row["predicted"]
        assert answer.predictions[0].score == pytest.approx(row["score"], abs=1e-5)
        assert answer.value == pytest.approx(row["value"], abs=1e-5)
        assert {one.group for one in answer.groups or ()} == {"at most one", "more"}
        assert sum(one.score for one in answer.groups or ()) == pytest.approx(1)


def test_each_artifact_says_what_its_logits_stand_for(runs: dict[str, Result]) -> None:
    metas = {task: decode(one.artifact.read_bytes()).meta for task, one in runs.items()}
    several, number, ordered = (metas[task].target for task in SETTINGS)
    assert isinstance(several, MultiLabel)
    assert len(several.thresholds) == 3
    assert isinstance(number, Regression)
    assert number.scale > 0
    assert ordered == Ordinal(values=(0.0, 1.0, 2.0, 3.0))
    assert metas["ordered"].class_groups == ("at most one", "at most one", "more", "more")
    assert metas["several"].recipe["target"] == "multi-label"
    assert {metas[task].schema_version for task in metas} == {2}
    assert metas["number"].metrics.keys() == {"test_mae", "test_r2", "val_r2"}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("several", ["test mAP", "average precision", "green", "validation mAP by epoch"]),
        ("number", ["test R²", "MAE", "RMSE", "validation R² by epoch"]),
        ("ordered", ["test accuracy", "quadratic weighted kappa", "many"]),
    ],
)
def test_each_report_has_its_own_scores(
    runs: dict[str, Result], task: str, words: list[str]
) -> None:
    page = write_report(runs[task].folder).read_text()
    for word in (*words, f"--set target={SETTINGS[task]['target']}"):
        assert word in page
    assert version_of(runs[task].artifact.read_bytes()) in page
