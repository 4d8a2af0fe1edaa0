"""A signature covers all that an adapter does, and nothing of how its file is laid out."""

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.artifact.codec import decode, decode_meta, encode, version_of, with_signature
from adapters.artifact.signature import Verifier, claimed_signer, key_id, sign
from adapters.errors import ArtifactCorrupt, SignatureInvalid
from adapters.vit.adapter import Adapter
from tests.fakes.artifacts import make_adapter, make_artifact
from tests.unit.adapters.artifact.test_codec import GOLDEN

KEY, OTHER, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32) for i in range(3))
TRUSTING = Verifier([KEY.public_key(), OTHER.public_key()])
ARTIFACT = make_artifact()
SIGNED = sign(ARTIFACT, KEY)

GOLDEN_KEY = "139e3940e64b5491"
GOLDEN_VERSION = "23e6c0fcc37dec723bbfb0db631095c74a0ef05c6c894aec687cd45e7b74d733"
"""Of format version 1, kept for ever: signed artifacts in stores must go on to be trusted."""


def header_of(data: bytes) -> dict[str, Any]:
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def with_header(data: bytes, header: dict[str, Any], **layout: Any) -> bytes:
    """Return the artifact with another header before the same tensors."""
    end = 8 + int.from_bytes(data[:8], "little")
    text = json.dumps(header, ensure_ascii=False, **layout).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def test_the_format_is_the_one_that_it_always_was() -> None:
    assert key_id(KEY.public_key()) == GOLDEN_KEY
    assert version_of(sign(GOLDEN, KEY)) == GOLDEN_VERSION


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
    assert TRUSTING.check(SIGNED) == "pets"
    assert encode(decode(SIGNED)) == ARTIFACT
    assert version_of(SIGNED) != version_of(ARTIFACT)


def test_signing_again_gives_the_same_bytes_and_another_key_takes_the_firsts_place() -> None:
    assert sign(ARTIFACT, KEY) == SIGNED == sign(SIGNED, KEY)
    both = sign(SIGNED, OTHER)
    assert both == sign(ARTIFACT, OTHER)
    assert claimed_signer(both) == key_id(OTHER.public_key())
    assert TRUSTING.check(both) == "pets"


def test_who_claims_to_have_signed_is_told_unchecked() -> None:
    assert claimed_signer(ARTIFACT) is None
    assert claimed_signer(SIGNED) == key_id(KEY.public_key())


def test_an_unsigned_artifact_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="pets: expected a signature, found none"):
        TRUSTING.check(ARTIFACT)


def test_a_strangers_signature_is_refused_with_his_key_and_ours() -> None:
    with pytest.raises(SignatureInvalid) as caught:
        TRUSTING.check(sign(ARTIFACT, STRANGER))
    for key in (KEY, OTHER, STRANGER):
        assert key_id(key.public_key()) in str(caught.value)


def test_a_stranger_who_names_a_trusted_key_is_refused() -> None:
    value = json.loads(header_of(sign(ARTIFACT, STRANGER))["__metadata__"]["signature"])["value"]
    forged = json.dumps({"key": key_id(KEY.public_key()), "value": value})
    with pytest.raises(SignatureInvalid, match="it was changed since"):
        TRUSTING.check(with_signature(ARTIFACT, forged))


def test_who_trusts_nobody_refuses_everything() -> None:
    with pytest.raises(SignatureInvalid):
        Verifier([]).check(SIGNED)


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
    assert TRUSTING.check(signature_moved_to(adapter)) == "pets"
    with pytest.raises(SignatureInvalid, match=r"pets: expected what key .* it was changed since"):
        TRUSTING.check(signature_moved_to(change(adapter)))


def test_tensors_of_the_same_bytes_in_another_shape_break_the_signature() -> None:
    deep = make_adapter(depth=2, width=4, prompts=2)
    assert deep.prompts is not None
    shallow = replace(deep, prompts=deep.prompts.reshape(1, 4, 4))
    text = header_of(sign(encode(deep), KEY))["__metadata__"]["signature"]
    with pytest.raises(SignatureInvalid, match="it was changed since"):
        TRUSTING.check(with_signature(encode(shallow), text))


def test_the_layout_of_the_file_is_not_signed() -> None:
    header = header_of(SIGNED)
    turned = dict(reversed(header.items()))
    assert TRUSTING.check(with_header(SIGNED, turned, indent=2)) == "pets"


def test_a_flipped_bit_in_a_tensor_breaks_the_signature_or_the_artifact() -> None:
    start = 8 + int.from_bytes(SIGNED[:8], "little")
    for position in range(start, len(SIGNED)):
        data = bytearray(SIGNED)
        data[position] ^= 1 << (position % 8)
        with pytest.raises((SignatureInvalid, ArtifactCorrupt)):
            TRUSTING.check(bytes(data))


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
    for ask in (TRUSTING.check, claimed_signer):
        with pytest.raises(SignatureInvalid, match="pets: expected a signature with 'key'"):
            ask(data)


def test_a_signature_that_is_no_text_is_a_corrupt_artifact() -> None:
    header = header_of(ARTIFACT)
    header["__metadata__"]["signature"] = {"key": GOLDEN_KEY}
    with pytest.raises(ArtifactCorrupt):
        TRUSTING.check(with_header(ARTIFACT, header))


def test_nothing_damaged_is_ever_signed() -> None:
    for data in (b"", ARTIFACT[:-1], ARTIFACT + b"\0", b"\x80\x04K\x01."):
        with pytest.raises(ArtifactCorrupt):
            sign(data, KEY)


def test_a_cut_artifact_is_corrupt_and_nothing_worse() -> None:
    for length in range(0, len(SIGNED), 7):
        with pytest.raises(ArtifactCorrupt):
            TRUSTING.check(SIGNED[:length])


@settings(max_examples=25, deadline=None)
@given(
    classes=st.integers(1, 5),
    prompts=st.integers(1, 5),
    seed=st.integers(0, 2**32),
    method=st.sampled_from(["spt-deep", "spt-shallow", "linear"]),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=9),
)
def test_signing_changes_nothing_but_the_signature(
    classes: int, prompts: int, seed: int, method: str, name: str
) -> None:
    adapter = make_adapter("pets", classes, 2, 4, prompts, seed, method=method)
    meta = adapter.meta.model_copy(update={"recipe": {"note": name}})
    data = encode(replace(adapter, meta=meta))
    signed = sign(data, KEY)
    assert TRUSTING.check(signed) == "pets"
    assert decode_meta(signed) == decode_meta(data)
    assert encode(decode(signed)) == data
    assert torch.equal(decode(signed).head_weight, adapter.head_weight)
