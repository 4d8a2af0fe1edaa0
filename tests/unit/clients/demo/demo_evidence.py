"""A small demo that might have happened: two tasks, a swap, and files to read."""

from collections.abc import Sequence
from pathlib import Path

from clients.demo.conditions import Conditions
from clients.demo.records import Pick, Record, offline_of
from clients.demo.scenario import DemoResult
from clients.demo.summary import Summary, summarise_swap, summarise_task, summarise_traffic
from clients.demo.traffic import Publication
from clients.demo.trained import Metrics, Prediction, Trained
from clients.errors import NotReady
from clients.load.closed import Outcome
from clients.wire import BatchInfo
from serving.protocol import Answer, LabelScore

OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)
CONDITIONS = Conditions(
    date="2026-01-02T03:04:05Z",
    duration_s=321.0,
    command="python -m clients demo --out runs/demo",
    cpu="A processor",
    cores=2,
    os="Linux",
    python="3.11.7",
    packages={"torch": "2.0"},
    backbone="vit",
    device="cpu",
    seed=0,
    concurrency=4,
)


def trained(folder: Path, *, right: Sequence[bool], labels: Sequence[str] = ("a", "b")) -> Trained:
    """An adapter that is right about the images where `right` says so; all are of class 0."""
    folder.mkdir(parents=True)
    (folder / "x.safetensors").write_bytes(b"x" * 2000)
    predictions = []
    for i, is_right in enumerate(right):
        image = folder.parent / f"{i:06d}.png"
        image.write_bytes(PNG)
        predictions.append(Prediction(image=image, label=0, predicted=1 - is_right, score=0.75))
    metrics = Metrics(
        test_accuracy=sum(right) / len(right), val_accuracy=0.5, train_seconds=3, backbone="vit",
        backbone_parameters=1_000_000, trainable_parameters=5000, class_names=tuple(labels),
        train_images=10, test_images=len(right), device="cpu", losses=(2.0, 1.0),
        val_accuracies=(0.25, 0.5),
    )  # fmt: skip
    return Trained(folder / "x.safetensors", metrics, tuple(predictions))


def record(  # noqa: PLR0913 (one argument per column of the file)
    sample: Prediction,
    version: str | None,
    index: int = 0,
    *,
    at: float = 0.0,
    task: str = "digits",
    phase: str = "swap",
    batch: BatchInfo | None = None,
) -> Record:
    """One request about `sample`; without a version it failed."""
    if version is None:
        outcome = Outcome(0, 503, at, 0.01, error=NotReady("no", status=503))
        return Record(phase, Pick(task, sample), outcome)
    rows = (LabelScore(label="a", index=index, score=0.5),)
    answer = Answer(task=task, version=version, predictions=rows)
    return Record(phase, Pick(task, sample), Outcome(0, 200, at, 0.01, answer=answer, batch=batch))


def evidence(folder: Path, labels: Sequence[str] = ("a", "b")) -> DemoResult:
    """Two tasks; the first is swapped from its linear probe, half right, to prompts."""
    digits = {
        "linear": trained(folder / "d" / "linear", right=[True, False], labels=labels),
        "spt-deep": trained(folder / "d" / "spt", right=[True, True], labels=labels),
    }
    shapes = {
        "linear": trained(folder / "s" / "linear", right=[False, False], labels=labels),
        "spt-deep": trained(folder / "s" / "spt", right=[True, False], labels=labels),
    }
    first, second = digits["linear"].predictions
    third = shapes["spt-deep"].predictions[1]
    mixed, lone = BatchInfo("1", 3, 2), BatchInfo("2", 1, 1)
    records = (
        record(first, OLD, 0, at=0.0, phase="mixed", batch=mixed),
        record(third, OTHER, 1, at=0.0, task="shapes", phase="mixed", batch=mixed),
        record(second, OLD, 1, at=1.0, batch=lone),
        record(second, NEW, 0, at=3.0, batch=BatchInfo("3", 1, 1)),
    )
    offline = {
        OLD: offline_of(digits["linear"].predictions),
        NEW: offline_of(digits["spt-deep"].predictions),
        OTHER: offline_of(shapes["spt-deep"].predictions),
    }
    runs = {"digits": digits, "shapes": shapes}
    versions = {"digits": OLD, "shapes": OTHER}
    summary = Summary(
        tasks={name: summarise_task(run["linear"], run["spt-deep"]) for name, run in runs.items()},
        served=summarise_traffic(records, offline),
        swap=summarise_swap(records, Publication(NEW, 1.5, 2.0), versions, "digits"),
        conditions=CONDITIONS,
    )
    return DemoResult(summary, runs, records)
