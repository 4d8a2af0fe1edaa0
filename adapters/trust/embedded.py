"""Signatures inside an artifact, as earlier versions made them: understood, and made no more.

Such a signature stands next to the meta and is `{"key": …, "value": …}`: the id of the key, and 64
bytes in base64. Signed is the sha256 of these fields, each after its length in bytes as 8 bytes,
little-endian:

1. `spt signature 1`;
2. the meta, as the JSON text in the artifact, UTF-8;
3. for every tensor, in ascending order of names: its name, `F32`, its shape as decimal numbers
   joined by commas, and its values, row by row, each 4 bytes, little-endian.

It covers all that an adapter does, and nothing of how the file is laid out: several versions may
have one such signature. An artifact has to be parsed before it can be checked.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.artifact.codec import Contents
from adapters.errors import SignatureInvalid

_DOMAIN: Final = b"spt signature 1"


class EmbeddedSignature(BaseModel):
    """What stands in an artifact that was signed so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[0-9a-f]{16}$", description="id of the key that signed")
    value: str = Field(pattern=r"^[A-Za-z0-9+/]{86}==$", description="64 bytes in base64")


def claimed_signer(contents: Contents) -> str | None:
    """Return the id of the key that an artifact says has signed it, unchecked; None if unsigned.

    Raises:
        SignatureInvalid: there is something in its place that is no signature.
    """
    return None if contents.signature is None else _parse(contents, contents.signature).key


def signer(contents: Contents, keys: Mapping[str, Ed25519PublicKey]) -> str | None:
    """Return the id of the key that has signed an artifact as it is; None if unsigned.

    Args:
        contents: the artifact.
        keys: those that count, by their ids.

    Raises:
        SignatureInvalid: signed by another key, or changed since.
    """
    if contents.signature is None:
        return None
    signature, task = _parse(contents, contents.signature), contents.meta.task.id
    key = keys.get(signature.key)
    if key is None:
        raise SignatureInvalid(
            f"artifact of {task}: expected a signature by a key that is trusted for it "
            f"({', '.join(sorted(keys))}), found one by {signature.key}; trust that key, or "
            f"sign the artifact with a trusted one: 'spt sign {task} --key KEY'"
        )
    try:
        key.verify(base64.b64decode(signature.value), _digest(contents))
    except InvalidSignature as error:
        raise SignatureInvalid(
            f"artifact of {task}: expected what key {signature.key} has signed, found another "
            "meta or other tensors; it was changed since: publish the original again"
        ) from error
    return signature.key


def _parse(contents: Contents, text: str) -> EmbeddedSignature:
    try:
        return EmbeddedSignature.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SignatureInvalid(
            f"artifact of {contents.meta.task.id}: expected a signature with 'key' and 'value', "
            f"found {text[:80]!r} ({first['msg']}); publish the original again"
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
