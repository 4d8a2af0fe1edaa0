"""What a version says of itself is read from its header alone."""

from pathlib import Path

import pytest

from adapters.artifact.codec import decode_meta, version_of
from adapters.errors import ArtifactCorrupt, VersionNotFound
from adapters.store.directory import DirectoryStore
from tests.fakes.artifacts import make_artifact

ARTIFACT = make_artifact()
VERSION = version_of(ARTIFACT)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path / "store")
    store.publish(ARTIFACT)
    return store


def test_the_header_is_enough_and_the_tensors_may_be_cut(store: DirectoryStore) -> None:
    assert store.describe("pets", VERSION)[0] == decode_meta(ARTIFACT)
    store.files.artifact("pets", VERSION).write_bytes(ARTIFACT[:-20])
    assert store.describe("pets", VERSION)[0] == decode_meta(ARTIFACT)


def test_a_version_that_is_not_there_or_has_no_header_is_an_error(store: DirectoryStore) -> None:
    with pytest.raises(VersionNotFound):
        store.describe("pets", "0" * 64)
    store.files.artifact("pets", VERSION).write_bytes(ARTIFACT[:20])
    with pytest.raises(ArtifactCorrupt):
        store.describe("pets", VERSION)
