"""Keys that sign adapters, as PEM files. Knows nothing of artifacts.

A private key is PKCS8, unencrypted, readable by its owner alone; a public key is
SubjectPublicKeyInfo.
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from adapters.errors import KeyFileInvalid
from adapters.named_file import read_named

_OTHERS = 0o077
_MOST_BYTES = 1 << 16
_PUBLIC = b"BEGIN PUBLIC KEY"
_PRIVATE = b"PRIVATE KEY"


def generate_key(path: Path) -> tuple[Path, Path]:
    """Make a new key, as two files; its folder is made if need be.

    Args:
        path: folder and name, such as keys/release.

    Returns:
        The file of the private key, `release.private.pem`, with mode 600, and that of the
        public key, `release.public.pem`, which services are told to trust.

    Raises:
        KeyFileInvalid: one of the two exists already, or cannot be written.
    """
    private, public = (path.with_name(f"{path.name}.{kind}.pem") for kind in ("private", "public"))
    for file in (private, public):
        if file.exists():
            raise KeyFileInvalid(
                f"key file {file} exists already and is never overwritten; choose another name, "
                "or move it away"
            )
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(private, pem, 0o600)
        _write_new(public, public_pem, 0o644)
    except OSError as error:
        raise KeyFileInvalid(
            f"key file {error.filename or path} cannot be written ({error.strerror}); choose "
            "another folder"
        ) from error
    return private, public


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Return the key that signs.

    Raises:
        KeyFileInvalid: the file is missing, damaged, of another kind of key, or readable by
            others than its owner.
    """
    data = _read(path)
    if _PUBLIC in data:
        raise _the_other(path, "private", "public")
    mode = path.stat().st_mode & 0o777
    if mode & _OTHERS:
        raise KeyFileInvalid(
            f"key file {path}: expected mode 600, found {mode:o}: others may have read this "
            f"private key; make a new one, or if you are sure that nobody has: chmod 600 {path}"
        )
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _not_a_key(path, "an unencrypted private key (PKCS8)", str(error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _not_a_key(path, "a private key", type(key).__name__)
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Return a key to trust.

    Raises:
        KeyFileInvalid: the file is missing, damaged or of another kind of key.
    """
    data = _read(path)
    if _PRIVATE in data:
        raise _the_other(path, "public", "private")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not_a_key(path, "a public key (SubjectPublicKeyInfo)", str(error)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _not_a_key(path, "a public key", type(key).__name__)
    return key


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    try:
        return read_named(path, _MOST_BYTES)
    except OSError as error:
        raise KeyFileInvalid(
            f"key file {path} cannot be read ({error.strerror}); check the path, or make a key "
            "with 'spt keygen'"
        ) from error


def _the_other(path: Path, expected: str, found: str) -> KeyFileInvalid:
    return KeyFileInvalid(
        f"key file {path}: expected a {expected} key of Ed25519 in PEM, found a {found} key; "
        f"give the other file of the pair, which 'spt keygen' calls NAME.{expected}.pem"
    )


def _not_a_key(path: Path, expected: str, found: str) -> KeyFileInvalid:
    return KeyFileInvalid(
        f"key file {path}: expected {expected} of Ed25519 in PEM, found something else "
        f"({found[:200]}); make one with 'spt keygen'"
    )
