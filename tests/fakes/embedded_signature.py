"""Signatures inside artifacts, as earlier versions of this project made them."""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.trust.envelope import key_id


def header_of(data: bytes) -> dict[str, Any]:
    """Return an artifact's header."""
    header: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return header


def with_header(data: bytes, header: dict[str, Any], **layout: Any) -> bytes:
    """Return the artifact with another header before the same tensors."""
    end = 8 + int.from_bytes(data[:8], "little")
    text = json.dumps(header, ensure_ascii=False, **layout).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def with_signature(data: bytes, signature: str) -> bytes:
    """Return the artifact with this text where its signature stands; all else stays the same."""
    header = header_of(data)
    header["__metadata__"]["signature"] = signature
    return with_header(data, header, separators=(",", ":"))


def sign_inside(data: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return the artifact with a signature of `key` inside, in place of any that it had."""
    value = base64.b64encode(key.sign(_digest(data))).decode()
    text = json.dumps({"key": key_id(key.public_key()), "value": value}, separators=(",", ":"))
    return with_signature(data, text)


def _digest(data: bytes) -> bytes:
    header = header_of(data)
    document = header.pop("__metadata__")["spt"]
    tensors = memoryview(data)[8 + int.from_bytes(data[:8], "little") :]
    fields: list[bytes | memoryview] = [b"spt signature 1", document.encode()]
    for name, tensor in sorted(header.items()):
        first, last = tensor["data_offsets"]
        shape = ",".join(map(str, tensor["shape"]))
        fields += [name.encode(), b"F32", shape.encode(), tensors[first:last]]
    sha = hashlib.sha256()
    for field in fields:
        sha.update(len(field).to_bytes(8, "little"))
        sha.update(field)
    return sha.digest()
