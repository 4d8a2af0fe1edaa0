"""The signatures of a file that is in no store yet: `<file>.sig.json` next to it."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.named_file import read_named
from adapters.trust.envelope import MAX_BYTES, Envelope, parse_envelope, sign
from adapters.trust.policy import check_subject
from adapters.trust.statement import statement


def sidecar_of(file: Path) -> Path:
    """Return where the signatures of a file lie, if it has any."""
    return file.with_name(f"{file.name}.sig.json")


def read_sidecar(file: Path) -> bytes | None:
    """Return what lies there, None for nothing; raise OSError for what no signatures are."""
    try:
        return read_named(sidecar_of(file), MAX_BYTES)
    except FileNotFoundError:
        return None


def envelope_of(
    file: Path, task: str, version: str, key: Ed25519PrivateKey | None
) -> Envelope | None:
    """Return the signatures next to a file and one of `key`; None if there are none at all.

    Args:
        file: an artifact.
        task: the id that it has.
        version: its sha256, 64 hex digits.
        key: that signs it, too, if given.

    Raises:
        SignatureInvalid: what lies there is no envelope, or is about something else.
    """
    beside = read_sidecar(file)
    own = None if key is None else sign(statement(task, version), key)
    if beside is None:
        return own
    found = parse_envelope(beside, str(sidecar_of(file)))
    found = check_subject(found, task, version)
    return found if own is None else found.joined_with(own)
