"""Nothing unsigned comes near the device, wherever it was read."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.signature import Verifier, sign
from adapters.cache.signed_source import ArtifactSource, SignedSource
from adapters.errors import SignatureInvalid, TaskNotFound
from adapters.store.directory import DirectoryStore
from tests.fakes.artifacts import make_artifact

KEY, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
VERIFIER = Verifier([KEY.public_key()])
PETS = make_artifact("pets")


class OneFile:
    """Gives the same bytes for whatever is asked."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, task: str, version: str) -> bytes:
        return self.data


def test_a_signed_artifact_passes_as_it_is() -> None:
    signed = sign(PETS, KEY)
    source = SignedSource(OneFile(signed), VERIFIER)
    assert isinstance(source, ArtifactSource)
    assert source.read("pets", "0" * 64) == signed


@pytest.mark.parametrize("data", [PETS, sign(PETS, STRANGER)], ids=["unsigned", "stranger"])
def test_what_no_trusted_key_has_signed_does_not(data: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        SignedSource(OneFile(data), VERIFIER).read("pets", "0" * 64)


def test_a_signed_artifact_under_another_tasks_name_does_not() -> None:
    source = SignedSource(OneFile(sign(PETS, KEY)), VERIFIER)
    with pytest.raises(SignatureInvalid, match="as an adapter of cars, and was signed as"):
        source.read("cars", "0" * 64)


def test_errors_of_the_store_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(TaskNotFound):
        SignedSource(DirectoryStore(tmp_path), VERIFIER).read("pets", "0" * 64)
