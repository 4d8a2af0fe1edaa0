"""Signatures next to what they sign: a DSSE envelope with any number of them, read within bounds.

Signed is DSSE's pre-authentication encoding of the payload and its type, never a bare digest. So
a signature that a key made of anything else counts for nothing here, nor one of ours elsewhere.
Knows nothing of stores, of what a payload means, nor of whom to trust.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from adapters.errors import SignatureInvalid

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"

MAX_BYTES: Final = 65_536
"""Of one envelope, as JSON."""

MAX_SIGNATURES: Final = 64
"""Of one version; each may be tried with every trusted key."""


_STANDARD: Final = str.maketrans("-_", "+/")
"""DSSE lets either alphabet be written."""


def _from_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    return base64.b64decode(value.translate(_STANDARD), validate=True)


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


Base64 = Annotated[bytes, BeforeValidator(_from_base64), PlainSerializer(_to_base64)]


class Signature(BaseModel):
    """One signature; fields that others add are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    keyid: str = Field("", description="which key to try; anyone may write anything here")
    sig: Base64


class Envelope(BaseModel):
    """A payload and its signatures; fields that others add are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    payload: Base64
    payload_type: str = Field(alias="payloadType")
    signatures: tuple[Signature, ...] = Field(max_length=MAX_SIGNATURES)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Which keys the signatures name, unchecked and as they stand there."""
        return tuple(one.keyid for one in self.signatures)

    def signers(self, keys: Mapping[str, Ed25519PublicKey]) -> frozenset[str]:
        """Return the ids of those of some keys that have signed the payload."""
        message = pre_authentication_encoding(self.payload_type, self.payload)
        return frozenset(
            name
            for one in self.signatures
            # a key id is a hint; others call the same key by another name
            for name in ([one.keyid] if one.keyid in keys else keys)
            if _has_signed(keys[name], one.sig, message)
        )

    def joined_with(self, other: "Envelope") -> "Envelope":
        """Return one envelope with the signatures of two over the same payload, each once.

        Raises:
            SignatureInvalid: they would be too many.
        """
        added = tuple(one for one in other.signatures if one not in self.signatures)
        every = self.signatures + added
        if len(every) > MAX_SIGNATURES:
            raise SignatureInvalid(
                f"expected {MAX_SIGNATURES} signatures of one version at most, found "
                f"{len(every)}; delete its .sig.json in the store and sign it again"
            )
        return self.model_copy(update={"signatures": every})

    def to_json(self) -> bytes:
        """Return what a file holds."""
        return self.model_dump_json(by_alias=True).encode()


def key_id(key: Ed25519PublicKey) -> str:
    """Return what people call a key: 16 hex digits, the first of the sha256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: `DSSEv1`, then type and payload, each after its length in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, key: Ed25519PrivateKey) -> Envelope:
    """Return the payload with one signature; the same key gives the same envelope."""
    signature = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    return Envelope(
        payload=payload,
        payloadType=PAYLOAD_TYPE,
        signatures=(Signature(keyid=key_id(key.public_key()), sig=signature),),
    )


def parse_envelope(data: bytes, where: str) -> Envelope:
    """Return the envelope that a file holds.

    Args:
        data: the file, or its first `MAX_BYTES` + 1 bytes.
        where: named in errors.

    Raises:
        SignatureInvalid: it is too large, or holds something else.
    """
    if len(data) > MAX_BYTES:
        raise SignatureInvalid(
            f"{where}: expected signatures of {MAX_BYTES:,} bytes at most, found more; delete the "
            "file and sign again"
        )
    try:
        return Envelope.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise SignatureInvalid(
            f"{where}: expected a DSSE envelope with payload, payloadType and signatures, found "
            f"something else ({field}: {first['msg']}); delete the file and sign again"
        ) from error


def _has_signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
