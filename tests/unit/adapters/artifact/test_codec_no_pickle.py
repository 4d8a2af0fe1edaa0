"""A pickle is refused wherever it turns up, and nobody unpickles it to find out."""

import hashlib
import io
import json
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.artifact.codec import read_contents
from adapters.cache.cached_store import CachedStore
from adapters.errors import ArtifactCorrupt
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import decode
from tests.fakes.artifacts import make_artifact


def torch_file(**options: Any) -> bytes:
    stream = io.BytesIO()
    tensors = {"prompts": torch.zeros(2, 1, 4), "head.weight": torch.zeros(3, 4)}
    torch.save(tensors, stream, **options)
    return stream.getvalue()


PICKLES = {
    "torch's zip": torch_file(),
    "torch's old form": torch_file(_use_new_zipfile_serialization=False),
    "a bare pickle": pickle.dumps({"head.bias": [0.0]}),
    "a pickle after a safetensors header": make_artifact() + pickle.dumps([0.0]),
}


@pytest.fixture(autouse=True)
def nobody_unpickles(monkeypatch: pytest.MonkeyPatch) -> None:
    def caught(*_: object, **__: object) -> Any:
        pytest.fail("a pickle was opened")

    monkeypatch.setattr(torch, "load", caught)
    for name in ("load", "loads", "Unpickler", "_Unpickler", "_load", "_loads"):
        monkeypatch.setattr(pickle, name, caught)


def test_these_are_pickles() -> None:
    assert "data.pkl" in str(zipfile.ZipFile(io.BytesIO(PICKLES["torch's zip"])).namelist())
    assert list(pickletools.genops(PICKLES["a bare pickle"]))


@pytest.mark.parametrize("data", PICKLES.values(), ids=PICKLES.keys())
def test_a_pickle_is_no_artifact_and_is_never_opened(data: bytes) -> None:
    for read in (decode, read_contents):
        with pytest.raises(ArtifactCorrupt):
            read(data)


@pytest.mark.parametrize("data", PICKLES.values(), ids=PICKLES.keys())
def test_a_pickle_cannot_be_published(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "digits.safetensors"
    file.write_bytes(data)
    store = CachedStore(DirectoryStore(tmp_path / "store"))
    with pytest.raises(ArtifactCorrupt):
        store.publish(file.read_bytes())
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("data", PICKLES.values(), ids=PICKLES.keys())
def test_a_pickle_put_into_the_store_under_its_own_hash_is_refused_by_its_reader(
    tmp_path: Path, data: bytes
) -> None:
    store = DirectoryStore(tmp_path)
    good = store.publish(make_artifact())
    version = hashlib.sha256(data).hexdigest()
    folder = tmp_path / "pets"
    (folder / "versions" / f"{version}.safetensors").write_bytes(data)
    for path in folder.glob("*.json"):
        path.write_text(path.read_text().replace(good.version, version))
    assert store.current("pets").version == version
    with pytest.raises(ArtifactCorrupt):
        decode(store.read("pets", version))


def test_a_header_that_is_a_pickle_is_refused() -> None:
    text = pickle.dumps({"__metadata__": {"spt": json.dumps({})}})
    with pytest.raises(ArtifactCorrupt):
        decode(len(text).to_bytes(8, "little") + text)
