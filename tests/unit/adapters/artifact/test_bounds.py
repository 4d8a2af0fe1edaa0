"""An artifact that asks for the moon is refused with the reason, when published and when loaded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.__main__ import main
from adapters.artifact import bounds
from adapters.errors import ArtifactMismatch
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import Adapter, decode, encode
from tests.fakes.artifacts import make_adapter

IMAGE_SIZE = 16


def with_pixels(**changes: Any) -> Adapter:
    adapter = make_adapter()
    rule = adapter.meta.preprocessing.model_copy(update=changes)
    return replace(adapter, meta=adapter.meta.model_copy(update={"preprocessing": rule}))


def of_classes(count: int) -> Adapter:
    adapter = make_adapter(classes=1, width=4)
    names = tuple(map(str, range(count)))
    task = adapter.meta.task.model_copy(update={"class_names": names})
    return Adapter(
        adapter.prompts,
        torch.zeros(count, 4),
        torch.zeros(count),
        adapter.meta.model_copy(update={"task": task}),
    )


MOONS = {
    "prompts": (lambda: make_adapter(prompts=1025), "1,025 prompts, the limit is 1,024"),
    "shallow prompts": (lambda: make_adapter(prompts=1025, method="spt-shallow"), "1,025 prompts"),
    "resize": (lambda: with_pixels(resize_size=4 * IMAGE_SIZE + 1), "65 pixels .* limit is 64"),
    "classes": (lambda: of_classes(50_001), "50,001 classes, the limit is 50,000"),
    "mean": (lambda: with_pixels(mean=(0.5, 0.5, 11.0)), "mean"),
    "tiny std": (lambda: with_pixels(std=(0.5, 1e-300, 0.5)), "std"),
    "huge std": (lambda: with_pixels(std=(0.5, 1e30, 0.5)), "std"),
}


@pytest.mark.parametrize("moon", MOONS)
def test_what_no_adapter_needs_is_neither_published_nor_loaded(moon: str, tmp_path: Path) -> None:
    make, reason = MOONS[moon]
    data = encode(make())
    store = DirectoryStore(tmp_path / "store")
    store.max_prompts = bounds.MAX_PROMPTS
    with pytest.raises(ArtifactMismatch, match=reason):
        store.publish(data)
    assert not store.root.exists(), "nothing is written"
    with pytest.raises(ArtifactMismatch, match=reason):
        decode(data)


def test_a_mean_that_is_no_number_is_refused() -> None:
    for wrong in (float("nan"), float("inf")):
        rule = make_adapter().meta.preprocessing.model_copy(update={"mean": (0.5, wrong, 0.5)})
        with pytest.raises(ArtifactMismatch, match="mean"):
            bounds.check_pixels("pets", rule, IMAGE_SIZE)


def test_an_artifact_of_too_many_bytes_is_refused_before_its_tensors_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encode(make_adapter())
    monkeypatch.setattr(bounds, "MAX_BYTES", len(data) - 1)
    monkeypatch.setattr("adapters.artifact.codec.deserialize", None)
    with pytest.raises(ArtifactMismatch, match="bytes, the limit is"):
        decode(data)


def test_the_bounds_themselves_are_allowed() -> None:
    assert decode(encode(make_adapter(prompts=bounds.MAX_PROMPTS))).prompts is not None
    assert decode(encode(with_pixels(resize_size=4 * IMAGE_SIZE))).meta is not None
    assert decode(encode(of_classes(bounds.MAX_CLASSES))).num_parameters > bounds.MAX_CLASSES


def test_more_prompts_than_usual_are_published_only_by_who_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, store = tmp_path / "pets.safetensors", tmp_path / "store"
    file.write_bytes(encode(make_adapter(prompts=300)))
    command = ["publish", str(file), "--store", str(store)]
    assert main(command) != 0
    assert "300 prompts, the limit is 256" in capsys.readouterr().err
    assert main([*command, "--max-prompts", "300"]) == 0
