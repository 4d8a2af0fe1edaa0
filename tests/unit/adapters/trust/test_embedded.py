"""A signature inside an artifact covers all that an adapter does, and nothing of the layout."""

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.codec import read_contents, version_of
from adapters.errors import ArtifactCorrupt, SignatureInvalid
from adapters.trust import embedded
from adapters.trust.envelope import key_id
from adapters.vit.adapter import Adapter, decode, encode
from tests.fakes.artifacts import make_adapter, make_artifact
from tests.fakes.embedded_signature import header_of, sign_inside, with_header, with_signature
from tests.unit.adapters.artifact.test_codec import GOLDEN

KEY, OTHER, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32) for i in range(3))
TRUSTED = {key_id(key.public_key()): key.public_key() for key in (KEY, OTHER)}
ARTIFACT = make_artifact()
SIGNED = sign_inside(ARTIFACT, KEY)

GOLDEN_KEY = "139e3940e64b5491"
GOLDEN_VERSION = "23e6c0fcc37dec723bbfb0db631095c74a0ef05c6c894aec687cd45e7b74d733"
"""Of format version 1, kept for ever: signed artifacts in stores must go on to be trusted."""


def signer_of(data: bytes) -> str | None:
    return embedded.signer(read_contents(data), TRUSTED)


def claimed_signer(data: bytes) -> str | None:
    return embedded.claimed_signer(read_contents(data))


def test_the_format_is_the_one_that_it_always_was() -> None:
    assert key_id(KEY.public_key()) == GOLDEN_KEY
    assert version_of(sign_inside(GOLDEN, KEY)) == GOLDEN_VERSION
    assert signer_of(sign_inside(GOLDEN, KEY)) == GOLDEN_KEY


def test_what_is_signed_is_what_the_module_says() -> None:
    header = header_of(SIGNED)
    metadata, start = header.pop("__metadata__"), 8 + int.from_bytes(SIGNED[:8], "little")
    fields = [b"spt signature 1", metadata["spt"].encode()]
    for name in sorted(header):
        first, last = header[name]["data_offsets"]
        shape = ",".join(str(size) for size in header[name]["shape"])
        fields += [name.encode(), b"F32", shape.encode(), SIGNED[start + first : start + last]]
    message = b"".join(struct.pack("<Q", len(field)) + field for field in fields)
    signature = json.loads(metadata["signature"])
    assert sorted(header) == ["head.bias", "head.weight", "prompts"]
    assert signature["key"] == GOLDEN_KEY
    digest = hashlib.sha256(message).digest()
    KEY.public_key().verify(base64.b64decode(signature["value"]), digest)


def test_a_signed_artifact_is_trusted_and_is_the_same_adapter() -> None:
    assert signer_of(SIGNED) == GOLDEN_KEY
    assert encode(decode(SIGNED)) == ARTIFACT
    assert version_of(SIGNED) != version_of(ARTIFACT)


def test_who_claims_to_have_signed_is_told_unchecked() -> None:
    assert claimed_signer(ARTIFACT) is None
    assert claimed_signer(SIGNED) == key_id(KEY.public_key())


def test_an_unsigned_artifact_has_no_signer() -> None:
    assert signer_of(ARTIFACT) is None


def test_a_strangers_signature_is_refused_with_his_key_and_ours() -> None:
    with pytest.raises(SignatureInvalid) as caught:
        signer_of(sign_inside(ARTIFACT, STRANGER))
    for key in (KEY, OTHER, STRANGER):
        assert key_id(key.public_key()) in str(caught.value)


def test_a_stranger_who_names_a_trusted_key_is_refused() -> None:
    text = header_of(sign_inside(ARTIFACT, STRANGER))["__metadata__"]["signature"]
    forged = text.replace(key_id(STRANGER.public_key()), key_id(KEY.public_key()))
    with pytest.raises(SignatureInvalid, match="it was changed since"):
        signer_of(with_signature(ARTIFACT, forged))


def test_who_trusts_nobody_refuses_everything() -> None:
    with pytest.raises(SignatureInvalid):
        embedded.signer(read_contents(SIGNED), {})


def signature_moved_to(adapter: Adapter) -> bytes:
    return with_signature(encode(adapter), header_of(SIGNED)["__metadata__"]["signature"])


CHANGES: dict[str, Callable[[Adapter], Adapter]] = {
    "a head's weight": lambda a: replace(a, head_weight=a.head_weight + 1e-6),
    "a head's bias": lambda a: replace(a, head_bias=-a.head_bias),
    "a prompt": lambda a: replace(a, prompts=a.prompts.flip(0)),
    "the order of classes": lambda a: replace(
        a, meta=a.meta.model_copy(update={"task": reordered(a)})
    ),
    "the pixels": lambda a: replace(
        a,
        meta=a.meta.model_copy(
            update={"preprocessing": a.meta.preprocessing.model_copy(update={"mean": (0, 0, 0)})}
        ),
    ),
}


def reordered(adapter: Adapter) -> Any:
    task = adapter.meta.task
    return task.model_copy(update={"class_names": task.class_names[::-1]})


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_changes_an_answer_breaks_the_signature(
    change: Callable[[Adapter], Adapter],
) -> None:
    adapter = decode(ARTIFACT)
    assert signer_of(signature_moved_to(adapter)) == GOLDEN_KEY
    with pytest.raises(SignatureInvalid, match=r"pets: expected what key .* it was changed since"):
        signer_of(signature_moved_to(change(adapter)))


def test_tensors_of_the_same_bytes_in_another_shape_break_the_signature() -> None:
    deep = make_adapter(depth=2, width=4, prompts=2)
    assert deep.prompts is not None
    shallow = replace(deep, prompts=deep.prompts.reshape(1, 4, 4))
    text = header_of(sign_inside(encode(deep), KEY))["__metadata__"]["signature"]
    with pytest.raises(SignatureInvalid, match="it was changed since"):
        signer_of(with_signature(encode(shallow), text))


def test_the_layout_of_the_file_is_not_signed() -> None:
    header = header_of(SIGNED)
    turned = dict(reversed(header.items()))
    assert signer_of(with_header(SIGNED, turned, indent=2)) == GOLDEN_KEY


def test_a_flipped_bit_in_a_tensor_breaks_the_signature_or_the_artifact() -> None:
    start = 8 + int.from_bytes(SIGNED[:8], "little")
    for position in range(start, len(SIGNED)):
        data = bytearray(SIGNED)
        data[position] ^= 1 << (position % 8)
        with pytest.raises((SignatureInvalid, ArtifactCorrupt)):
            signer_of(bytes(data))


GOOD_VALUE = json.loads(header_of(SIGNED)["__metadata__"]["signature"])["value"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "signed",
        "{}",
        "[]",
        "null",
        json.dumps({"key": GOLDEN_KEY}),
        json.dumps({"key": GOLDEN_KEY, "value": ""}),
        json.dumps({"key": GOLDEN_KEY, "value": "AAAA"}),
        json.dumps({"key": GOLDEN_KEY, "value": "!" * 88}),
        json.dumps({"key": GOLDEN_KEY, "value": GOOD_VALUE + GOOD_VALUE}),
        json.dumps({"key": GOLDEN_KEY.upper(), "value": GOOD_VALUE}),
        json.dumps({"key": GOLDEN_KEY, "value": GOOD_VALUE, "more": 1}),
    ],
)
def test_what_is_no_signature_is_refused_and_shown(text: str) -> None:
    data = with_signature(ARTIFACT, text)
    for ask in (signer_of, claimed_signer):
        with pytest.raises(SignatureInvalid, match="pets: expected a signature with 'key'"):
            ask(data)


def test_a_signature_that_is_no_text_is_a_corrupt_artifact() -> None:
    header = header_of(ARTIFACT)
    header["__metadata__"]["signature"] = {"key": GOLDEN_KEY}
    with pytest.raises(ArtifactCorrupt):
        signer_of(with_header(ARTIFACT, header))


def test_a_cut_artifact_is_corrupt_and_nothing_worse() -> None:
    for length in range(0, len(SIGNED), 7):
        with pytest.raises(ArtifactCorrupt):
            signer_of(SIGNED[:length])
