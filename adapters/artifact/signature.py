"""Who vouches for an artifact: Ed25519 signatures inside it, made and checked.

A signature stands next to the meta in the artifact and is `{"key": …, "value": …}`: the id of the
key, and 64 bytes in base64. Signed is the sha256 of these fields, each after its length in bytes
as 8 bytes, little-endian:

1. `spt signature 1`;
2. the meta, as the JSON text in the artifact, UTF-8;
3. for every tensor, in ascending order of names: its name, `F32`, its shape as decimal numbers
   joined by commas, and its values, row by row, each 4 bytes, little-endian.

So it covers all that an adapter does, and nothing of how the file is laid out. It does not say
that a version is the newest: who can write to a store can still bring back an old signed one.
Knows nothing of stores.
"""

import base64
import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.artifact.codec import Contents, read_contents, with_signature
from adapters.errors import SignatureInvalid

_DOMAIN: Final = b"spt signature 1"


class Signature(BaseModel):
    """What stands in a signed artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[0-9a-f]{16}$", description="id of the key that signed")
    value: str = Field(pattern=r"^[A-Za-z0-9+/]{86}==$", description="64 bytes in base64")


def key_id(key: Ed25519PublicKey) -> str:
    """Return what people call a key: 16 hex digits, the first of the sha256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def sign(data: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return the artifact with a signature of `key`, in place of any that it had.

    The same artifact and key give the same bytes, and so the same version.

    Raises:
        ArtifactCorrupt: `data` is not a whole artifact; nothing damaged is ever signed.
    """
    value = base64.b64encode(key.sign(_digest(read_contents(data)))).decode()
    signature = Signature(key=key_id(key.public_key()), value=value)
    return with_signature(data, signature.model_dump_json())


def claimed_signer(data: bytes) -> str | None:
    """Return the id of the key that an artifact says has signed it, unchecked; None if unsigned.

    Raises:
        ArtifactCorrupt: not a whole artifact.
        SignatureInvalid: there is something in its place that is no signature.
    """
    contents = read_contents(data)
    return None if contents.signature is None else _parse(contents).key


class Verifier:
    """Refuses artifacts that none of some keys has signed; safe for many threads.

    Args:
        keys: anyone who holds the private half of one of them is trusted.
    """

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys = {key_id(key): key for key in keys}

    def check(self, data: bytes) -> str:
        """Return the task of an artifact that one of the keys has signed as it is.

        Raises:
            ArtifactCorrupt: not a whole artifact.
            SignatureInvalid: unsigned, signed by another key, or changed since.
        """
        contents = read_contents(data)
        signature, task = _parse(contents), contents.meta.task.id
        key = self._keys.get(signature.key)
        if key is None:
            raise SignatureInvalid(
                f"artifact of {task}: expected a signature by a trusted key "
                f"({', '.join(sorted(self._keys))}), found one by {signature.key}; trust that "
                "key, or have the artifact signed and published again"
            )
        try:
            key.verify(base64.b64decode(signature.value), _digest(contents))
        except InvalidSignature as error:
            raise SignatureInvalid(
                f"artifact of {task}: expected what key {signature.key} has signed, found another "
                "meta or other tensors; it was changed since: sign and publish the original again"
            ) from error
        return task


def _parse(contents: Contents) -> Signature:
    task = contents.meta.task.id
    if contents.signature is None:
        raise SignatureInvalid(
            f"artifact of {task}: expected a signature, found none; sign it and publish it again"
        )
    try:
        return Signature.model_validate_json(contents.signature)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SignatureInvalid(
            f"artifact of {task}: expected a signature with 'key' and 'value', found "
            f"{contents.signature[:80]!r} ({first['msg']}); sign it and publish it again"
        ) from error


def _digest(contents: Contents) -> bytes:
    fields: list[bytes | memoryview] = [_DOMAIN, contents.document.encode()]
    for name, tensor in sorted(contents.tensors.items()):
        shape = ",".join(map(str, tensor.shape))
        values = np.ascontiguousarray(tensor, dtype="<f4").data.cast("B")
        fields += [name.encode(), b"F32", shape.encode(), values]
    sha = hashlib.sha256()
    for field in fields:
        sha.update(len(field).to_bytes(8, "little"))
        sha.update(field)
    return sha.digest()
