"""What a person names is read whole, or refused at once in one line."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.__main__ import main
from adapters.named_file import MOST_BYTES, read_named
from adapters.trust.keys import generate_key
from tests.fakes.artifacts import make_artifact


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)


def link_to_what_never_ends(path: Path) -> None:
    path.symlink_to("/dev/zero")


STRANGE = {
    "pipe": (os.mkfifo, "found a pipe or a device"),
    "endless": (link_to_what_never_ends, "found a pipe or a device"),
    "sparse": (sparse, "bytes at most, found 268,435,457"),
}


@pytest.fixture(params=STRANGE)
def strange(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    make: Callable[[Path], None]
    make, said = STRANGE[request.param]
    make(tmp_path / request.param)
    return tmp_path / request.param, said


def test_a_file_is_read_whole_and_so_is_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"all of it")
    (tmp_path / "link").symlink_to("file")
    assert read_named(tmp_path / "link", 9) == b"all of it"


@pytest.mark.parametrize("place", ["FILE", "--sign", "--trust", "signed file", "sidecar"])
def test_what_never_ends_or_is_far_too_large_is_one_line(
    place: str,
    strange: tuple[Path, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    path, said = strange
    private, _ = generate_key(tmp_path / "key")
    good = tmp_path / "pets.safetensors"
    good.write_bytes(make_artifact())
    words: dict[str, list[object]] = {
        "FILE": ["publish", path],
        "--sign": ["publish", good, "--sign", path],
        "--trust": ["publish", good, "--trust", path],
        "signed file": ["sign", path, "--key", private],
        "sidecar": ["publish", good],
    }
    if place == "sidecar":
        path.rename(tmp_path / "pets.safetensors.sig.json")
    code = main([*map(str, words[place]), "--store", str(tmp_path / "store")])
    out = capsys.readouterr()
    assert code == 1
    assert said in " ".join((out.out + out.err).split())
    assert "Traceback" not in out.err
