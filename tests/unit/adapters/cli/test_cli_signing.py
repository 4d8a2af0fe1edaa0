"""Keys are made, and artifacts signed on their way into the store, at the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.__main__ import main
from adapters.artifact.keys import load_public_key
from adapters.artifact.signature import Verifier
from adapters.store.directory import DirectoryStore
from tests.fakes.artifacts import make_artifact


@pytest.fixture
def artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("REDIS_URL", raising=False)
    path = tmp_path / "pets.safetensors"
    path.write_bytes(make_artifact())
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_what_is_published_with_a_key_is_signed_by_it_and_show_says_so(
    artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = run(capsys, "keygen", tmp_path / "keys" / "release")
    store = ("--store", tmp_path / "store")
    published = run(capsys, "publish", artifact, "--sign", key["private"], *store)
    data = DirectoryStore(tmp_path / "store").read(published["task"], published["version"])
    Verifier([load_public_key(Path(key["public"]))]).check(data)
    assert run(capsys, "show", published["task"], *store)["signed_by"] == key["key"]


def test_what_is_published_without_a_key_is_not_signed(
    artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--store", tmp_path / "store")
    published = run(capsys, "publish", artifact, *store)
    assert run(capsys, "show", published["task"], *store)["signed_by"] is None


def test_a_key_that_is_no_key_publishes_nothing(
    artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    assert main(["publish", artifact, "--sign", artifact, "--store", str(store)]) == 1
    assert artifact in capsys.readouterr().err
    assert not store.exists()
