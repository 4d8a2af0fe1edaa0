"""Nothing unsigned comes near the device, wherever it was read; nor is it parsed."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact import codec
from adapters.artifact.codec import decode_meta, version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.signed_source import ArtifactSource, SignedSource
from adapters.errors import (
    ArtifactCorrupt,
    SignatureInvalid,
    StoreUnavailable,
    TaskNotFound,
    VersionNotFound,
)
from adapters.store.directory import DirectoryStore
from adapters.trust.envelope import Envelope, sign
from adapters.trust.policy import Trust, TrustedKey
from adapters.trust.statement import statement
from tests.fakes.artifacts import make_artifact
from tests.fakes.embedded_signature import sign_inside
from tests.unit.adapters.cache.world import World

KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
TRUST = Trust([TrustedKey(KEY.public_key())])
STRICT = Trust([TrustedKey(KEY.public_key(), embedded=False)])
PETS = make_artifact("pets")
VERSION = version_of(PETS)


def signed(task: str, data: bytes, key: Ed25519PrivateKey = KEY) -> Envelope:
    return sign(statement(task, version_of(data)), key)


class OneFile(ArtifactSource):
    """Gives the same bytes and signatures for whatever is asked, and counts how often."""

    def __init__(self, data: bytes, envelope: Envelope | None = None) -> None:
        self.data = data
        self.signatures = None if envelope is None else envelope.to_json()
        self.reads = self.looks = 0

    def read(self, task: str, version: str) -> bytes:
        self.reads += 1
        return self.data

    def envelope(self, task: str, version: str) -> bytes | None:
        self.looks += 1
        return self.signatures


def forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def caught(*_: object, **__: object) -> None:
        pytest.fail("bytes that nobody vouches for were parsed")

    monkeypatch.setattr(codec, "_read_header", caught)
    monkeypatch.setattr(codec, "deserialize", caught)


def test_a_signed_artifact_passes_as_it_is() -> None:
    source = SignedSource(OneFile(PETS, signed("pets", PETS)), TRUST)
    assert isinstance(source, ArtifactSource)
    assert source.read("pets", VERSION) == PETS
    assert source.describe("pets", VERSION) == decode_meta(PETS)


def test_one_that_is_signed_inside_passes_too() -> None:
    data = sign_inside(PETS, KEY)
    file = OneFile(data)
    assert SignedSource(file, TRUST).read("pets", version_of(data)) == data
    assert file.reads == 1


@pytest.mark.parametrize(
    "envelope", [None, signed("pets", PETS, STRANGER)], ids=["unsigned", "by a stranger"]
)
def test_what_no_trusted_key_has_signed_is_neither_read_nor_parsed(
    monkeypatch: pytest.MonkeyPatch, envelope: Envelope | None
) -> None:
    forbid_parsing(monkeypatch)
    for data in (PETS, sign_inside(PETS, KEY), b"\x80\x04K\x01."):
        file = OneFile(data, envelope)
        source = SignedSource(file, STRICT)
        for ask in (source.read, source.describe):
            with pytest.raises(SignatureInvalid):
                ask("pets", version_of(data) if envelope is None else VERSION)
        assert file.reads == 0


def test_other_bytes_than_those_that_are_signed_are_not_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forbid_parsing(monkeypatch)
    for data in (PETS + b"\0", make_artifact("pets", 1), b"{}"):
        source = SignedSource(OneFile(data, signed("pets", PETS)), TRUST)
        for ask in (source.read, source.describe):
            with pytest.raises(ArtifactCorrupt, match="expected the bytes of version"):
                ask("pets", VERSION)


def test_the_store_parses_nothing_before_it_knows_that_the_bytes_are_the_signed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path)
    store.publish(PETS, envelope=signed("pets", PETS))
    forbid_parsing(monkeypatch)
    store.files.artifact("pets", VERSION).write_bytes(PETS + b"\0")
    with pytest.raises(ArtifactCorrupt, match="the sha256 of its"):
        SignedSource(CachedStore(store), TRUST).read("pets", VERSION)


def test_a_signed_artifact_under_another_tasks_name_does_not_pass() -> None:
    source = SignedSource(OneFile(PETS, signed("pets", PETS)), TRUST)
    with pytest.raises(SignatureInvalid, match="found those of pets"):
        source.read("cars", VERSION)


def test_a_version_is_vouched_for_once() -> None:
    file = OneFile(PETS, signed("pets", PETS))
    source = SignedSource(file, TRUST)
    for _ in range(3):
        source.read("pets", VERSION)
    assert (file.reads, file.looks) == (3, 1)
    file.data = PETS + b"\0"
    with pytest.raises(ArtifactCorrupt):
        source.read("pets", VERSION)


def test_a_signature_that_is_added_later_counts_from_then_on() -> None:
    file = OneFile(PETS)
    source = SignedSource(file, STRICT)
    with pytest.raises(SignatureInvalid):
        source.read("pets", VERSION)
    file.signatures = signed("pets", PETS).to_json()
    assert source.read("pets", VERSION) == PETS


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.cache.signed_source._MAX_VOUCHED", 2)
    files = {task: make_artifact(task) for task in ("cars", "cats", "dogs")}
    source = SignedSource(OneFile(b""), TRUST)
    for task, data in files.items():
        source._source = OneFile(data, signed(task, data))
        assert source.read(task, version_of(data)) == data
    assert len(source._vouched) <= 2


def test_errors_of_the_store_stay_what_they_are(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    source = SignedSource(CachedStore(store), TRUST)
    with pytest.raises(StoreUnavailable):
        source.read("pets", VERSION)
    store.publish(make_artifact("pets", 1))
    with pytest.raises(VersionNotFound):
        source.read("pets", VERSION)
    with pytest.raises(TaskNotFound):
        source.read("cars", VERSION)


def test_artifacts_from_redis_are_checked_with_signatures_from_the_store(tmp_path: Path) -> None:
    world = World(tmp_path / "store")
    process = world.process()
    process.publish(PETS, envelope=signed("pets", PETS))
    source = SignedSource(process, STRICT)
    assert source.read("pets", VERSION) == PETS
    world.store.is_dead = True
    assert source.read("pets", VERSION) == PETS
    with pytest.raises(StoreUnavailable):
        SignedSource(world.process(), STRICT).read("pets", VERSION)
    world.store.is_dead = False
    world.redis.artifacts[VERSION] = make_artifact("pets", 1)
    with pytest.raises(ArtifactCorrupt):
        source.read("pets", VERSION)
