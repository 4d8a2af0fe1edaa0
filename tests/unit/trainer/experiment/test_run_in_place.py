"""A run on images inside other files is the run on the same images in folders."""

import json
import shutil
from pathlib import Path

import pytest

from adapters.artifact.codec import read_contents
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.data.readers.formats.packed import make_shard
from tests.unit.trainer.toy import ignore, make_toy_folder, read, toy_recipe
from trainer.errors import ResumeError
from trainer.experiment import materials as module
from trainer.experiment.run import run
from trainer.report.page import write_report

RECIPE = toy_recipe(method="linear")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny_backbone()
    monkeypatch.setattr(module, "load_backbone", lambda *_, **__: backbone)


def files_of(split: Path) -> dict[str, bytes]:
    """Return a shard's files with the images of a split, in their order."""
    files = {}
    for i, image in enumerate(sorted(split.rglob("*.png"))):
        files |= {f"{i}.png": image.read_bytes(), f"{i}.cls": image.parent.name.encode()}
    return files


def test_shards_give_the_same_adapter_as_folders_and_another_shard_is_another_run(
    tmp_path: Path,
) -> None:
    data = make_toy_folder(tmp_path / "data")
    shards = tmp_path / "shards"
    for split in ("train", "val", "test"):
        make_shard(shards / f"{split}-000.tar", files_of(data / split))
    plain = run(RECIPE, data, tmp_path / "plain", ignore)
    result = run(RECIPE, shards, tmp_path / "run", ignore)
    scores = {name: one for name, one in plain.metrics.items() if not name.endswith("seconds")}
    assert scores.items() <= result.metrics.items()
    images = [one["image"] for one in read(result.folder, "predictions.json")]
    assert images == [f"{shards}/test-000.tar!{i}.png" for i in range(10)]
    assert result.artifact is not None
    assert plain.artifact is not None
    adapters = [read_contents(one.artifact.read_bytes()) for one in (result, plain)]
    cards = [one.meta.card for one in adapters]
    assert cards[0] != cards[1]  # they name the lists, which are others
    documents = [json.loads(one.document) | {"card": None} for one in adapters]
    assert documents[0] == documents[1]
    for name, array in adapters[0].tensors.items():
        assert array.tobytes() == adapters[1].tensors[name].tobytes()
    other = {"0.png": (data / "val/blue/0.png").read_bytes()}
    make_shard(shards / "train-000.tar", files_of(data / "train") | other)
    with pytest.raises(ResumeError, match="other train images"):
        run(RECIPE, shards, result.folder, ignore)


def test_a_report_tells_of_copies_and_of_a_drawn_test_split(tmp_path: Path) -> None:
    data = make_toy_folder(tmp_path / "data", per_class=10)
    shutil.rmtree(data / "test")
    original = data / "train/blue/0.png"
    (data / "val/blue/0.png").write_bytes(original.read_bytes())
    told: list[str] = []
    result = run(RECIPE, data, tmp_path / "run", ignore, tell=told.append)
    assert "18 training, 20 validation and 2 test images (the seed drew" in told[0]
    assert told[1].startswith("warning: 1 images are in two splits")
    metrics = read(result.folder, "metrics.json")
    assert metrics["held_out"] == ["test"]
    assert metrics["copies"]["count"] == 1
    page = write_report(result.folder).read_text()
    assert "The data name no test images." in page
    assert "1 images are in two splits" in page
