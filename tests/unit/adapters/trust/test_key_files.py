"""Keys as files: made once, never overwritten, and private ones kept private."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from adapters.errors import KeyFileInvalid
from adapters.trust.envelope import key_id, sign
from adapters.trust.keys import generate_key, load_private_key, load_public_key


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return generate_key(tmp_path / "keys" / "release")


def test_a_new_pair_signs_and_is_trusted(pair: tuple[Path, Path]) -> None:
    private, public = pair
    assert [path.name for path in pair] == ["release.private.pem", "release.public.pem"]
    trusted = load_public_key(public)
    name = key_id(trusted)
    assert sign(b"word", load_private_key(private)).signers({name: trusted}) == {name}


def test_the_private_file_is_for_its_owner_alone(pair: tuple[Path, Path]) -> None:
    assert pair[0].stat().st_mode & 0o777 == 0o600
    assert b"BEGIN PRIVATE KEY" in pair[0].read_bytes()
    assert b"BEGIN PUBLIC KEY" in pair[1].read_bytes()


def test_two_pairs_differ(tmp_path: Path) -> None:
    publics = [generate_key(tmp_path / name)[1].read_bytes() for name in ("a", "b")]
    assert publics[0] != publics[1]


@pytest.mark.parametrize("which", [0, 1])
def test_an_existing_file_is_never_overwritten(pair: tuple[Path, Path], which: int) -> None:
    kept, other = pair[which], pair[1 - which]
    before = kept.read_bytes()
    other.unlink()
    with pytest.raises(KeyFileInvalid, match="exists already and is never overwritten"):
        generate_key(kept.parent / "release")
    assert kept.read_bytes() == before
    assert not other.exists()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileInvalid, match="cannot be written"):
        generate_key(tmp_path / "file" / "release")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_private_key_that_others_can_read_is_refused_with_the_cure(
    pair: tuple[Path, Path], mode: int
) -> None:
    pair[0].chmod(mode)
    with pytest.raises(KeyFileInvalid, match=rf"expected mode 600, found {mode:o}.*chmod 600"):
        load_private_key(pair[0])


def test_a_missing_file_is_told_with_its_path(tmp_path: Path) -> None:
    for load in (load_private_key, load_public_key):
        with pytest.raises(KeyFileInvalid, match=r"none\.pem cannot be read .*keygen"):
            load(tmp_path / "none.pem")


def foreign_private_keys() -> dict[str, bytes]:
    pkcs8 = (Encoding.PEM, PrivateFormat.PKCS8)
    own = ed25519.Ed25519PrivateKey.generate()
    return {
        "another kind": ec.generate_private_key(ec.SECP256R1()).private_bytes(
            *pkcs8, NoEncryption()
        ),
        "with a password": own.private_bytes(*pkcs8, BestAvailableEncryption(b"secret")),
        "public": own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "cut": own.private_bytes(*pkcs8, NoEncryption())[:60],
        "empty": b"",
        "bytes": bytes(range(256)),
    }


@pytest.mark.parametrize("data", foreign_private_keys().values(), ids=foreign_private_keys().keys())
def test_what_is_no_private_key_of_ours_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(KeyFileInvalid, match=r"key\.pem: expected .* of Ed25519 in PEM, found"):
        load_private_key(path)


def foreign_public_keys() -> dict[str, bytes]:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    own = ed25519.Ed25519PrivateKey.generate()
    return {
        "another kind": other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "private": own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "raw": own.public_key().public_bytes_raw(),
        "empty": b"",
    }


@pytest.mark.parametrize("data", foreign_public_keys().values(), ids=foreign_public_keys().keys())
def test_what_is_no_public_key_of_ours_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(data)
    with pytest.raises(KeyFileInvalid, match=r"key\.pem: expected .* of Ed25519 in PEM, found"):
        load_public_key(path)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_wrong_file_of_a_pair_is_named_whatever_its_mode(
    pair: tuple[Path, Path], mode: int
) -> None:
    private, public = pair
    for path in pair:
        path.chmod(mode)
    with pytest.raises(KeyFileInvalid, match=r"found a public key; give .*NAME\.private\.pem"):
        load_private_key(public)
    with pytest.raises(KeyFileInvalid, match=r"found a private key; give .*NAME\.public\.pem"):
        load_public_key(private)
