"""An envelope is DSSE's: what is signed, what it looks like, and what is refused unread."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.errors import SignatureInvalid
from adapters.trust.envelope import (
    MAX_BYTES,
    MAX_SIGNATURES,
    PAYLOAD_TYPE,
    Envelope,
    key_id,
    parse_envelope,
    pre_authentication_encoding,
    sign,
)
from adapters.trust.statement import statement, subject_of

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32) for i in range(2))
NAME, OTHER_NAME = (key_id(key.public_key()) for key in (KEY, OTHER))
KEYS = {NAME: KEY.public_key(), OTHER_NAME: OTHER.public_key()}
PAYLOAD = statement("pets", "ab" * 32)


def fields_of(envelope: Envelope) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(envelope.to_json())
    return fields


def parsed(fields: object) -> Envelope:
    return parse_envelope(json.dumps(fields).encode(), "a.sig.json")


def test_what_is_signed_is_the_example_of_the_specification() -> None:
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_are_those_of_bytes() -> None:
    assert pre_authentication_encoding("ä", "€".encode()) == "DSSEv1 2 ä 3 €".encode()


def test_a_statement_is_in_totos_and_the_same_for_ever() -> None:
    assert PAYLOAD.decode() == (
        '{"_type":"https://in-toto.io/Statement/v1",'
        '"subject":[{"name":"pets","digest":{"sha256":"' + "ab" * 32 + '"}}],'
        '"predicateType":"urn:x-spt-serving:adapter:1"}'
    )


def test_an_envelope_is_signed_as_the_specification_says() -> None:
    fields = fields_of(sign(PAYLOAD, KEY))
    assert list(fields) == ["payload", "payloadType", "signatures"]
    assert fields["payloadType"] == "application/vnd.in-toto+json"
    assert base64.b64decode(fields["payload"]) == PAYLOAD
    ((keyid, sig),) = (one.values() for one in fields["signatures"])
    assert keyid == NAME
    message = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(PAYLOAD) + PAYLOAD
    KEY.public_key().verify(base64.b64decode(sig), message)


def test_signing_again_gives_the_same_bytes() -> None:
    assert sign(PAYLOAD, KEY).to_json() == sign(PAYLOAD, KEY).to_json()


def test_any_number_of_keys_sign_and_each_counts_once() -> None:
    both = sign(PAYLOAD, KEY).joined_with(sign(PAYLOAD, OTHER))
    assert both.key_ids == (NAME, OTHER_NAME)
    assert both.signers(KEYS) == {NAME, OTHER_NAME}
    assert both.signers({NAME: KEYS[NAME]}) == {NAME}
    assert both.joined_with(sign(PAYLOAD, KEY)) == both


def test_what_was_written_is_read_again() -> None:
    envelope = sign(PAYLOAD, KEY).joined_with(sign(PAYLOAD, OTHER))
    assert parse_envelope(envelope.to_json(), "a.sig.json") == envelope


def test_a_signature_that_names_no_key_of_ours_is_tried_with_every_key() -> None:
    fields = fields_of(sign(PAYLOAD, KEY))
    sig = fields["signatures"][0]["sig"]
    for one in ({"sig": sig}, {"keyid": "", "sig": sig}, {"keyid": "release 7", "sig": sig}):
        assert parsed(fields | {"signatures": [one]}).signers(KEYS) == {NAME}


def test_base64_for_urls_is_read_as_well() -> None:
    text = sign(PAYLOAD, KEY).to_json().decode()
    fields = json.loads(text)
    for one in fields["signatures"]:
        one["sig"] = base64.urlsafe_b64encode(base64.b64decode(one["sig"])).decode()
    assert parsed(fields).signers(KEYS) == {NAME}


def test_fields_that_others_added_are_ignored_and_kept() -> None:
    fields = fields_of(sign(PAYLOAD, KEY)) | {"note": {"by": "them"}}
    fields["signatures"][0]["cert"] = "…"
    joined = parsed(fields).joined_with(sign(PAYLOAD, OTHER))
    assert joined.signers(KEYS) == {NAME, OTHER_NAME}
    kept = fields_of(joined)
    assert kept["note"] == {"by": "them"}
    assert kept["signatures"][0]["cert"] == "…"


def with_signature(sig: bytes, keyid: str = NAME) -> Envelope:
    signature = {"keyid": keyid, "sig": base64.b64encode(sig).decode()}
    return parsed(fields_of(sign(PAYLOAD, KEY)) | {"signatures": [signature]})


@pytest.mark.parametrize("sig", [b"", b"\0" * 64, b"\0" * 63, b"\xff" * 64, b"\0" * 3309])
def test_bytes_that_are_no_signature_are_nobodys(sig: bytes) -> None:
    assert with_signature(sig).signers(KEYS) == frozenset()
    assert with_signature(sig, "").signers(KEYS) == frozenset()


def test_a_signature_under_anothers_name_is_nobodys() -> None:
    (theirs,) = sign(PAYLOAD, OTHER).signatures
    assert with_signature(theirs.sig).signers(KEYS) == frozenset()


@pytest.mark.parametrize(
    "message",
    [
        PAYLOAD,
        PAYLOAD_TYPE.encode() + PAYLOAD,
        pre_authentication_encoding("application/json", PAYLOAD),
        pre_authentication_encoding(PAYLOAD_TYPE, PAYLOAD + b" "),
    ],
    ids=["the payload alone", "both joined", "of another type", "a longer one"],
)
def test_what_the_key_signed_for_another_protocol_does_not_count(message: bytes) -> None:
    assert with_signature(KEY.sign(message)).signers(KEYS) == frozenset()


GOOD = fields_of(sign(PAYLOAD, KEY))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 10_000,
        json.dumps({key: GOOD[key] for key in ("payload", "signatures")}).encode(),
        json.dumps(GOOD | {"payload": "a"}).encode(),
        json.dumps(GOOD | {"payload": 1}).encode(),
        json.dumps(GOOD | {"payload": "ab!="}).encode(),
        json.dumps(GOOD | {"signatures": {}}).encode(),
        json.dumps(GOOD | {"signatures": [{"keyid": NAME}]}).encode(),
        json.dumps(GOOD | {"signatures": [{"keyid": NAME, "sig": "é"}]}).encode(),
        json.dumps(GOOD | {"signatures": GOOD["signatures"] * (MAX_SIGNATURES + 1)}).encode(),
    ],
)
def test_what_is_no_envelope_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(SignatureInvalid, match=r"^a\.sig\.json: expected a DSSE envelope with"):
        parse_envelope(data, "a.sig.json")


def test_a_huge_file_is_refused_unread() -> None:
    data = json.dumps(GOOD | {"note": "x" * MAX_BYTES}).encode()
    with pytest.raises(SignatureInvalid, match="65,536 bytes at most, found more"):
        parse_envelope(data[: MAX_BYTES + 1], "a.sig.json")


def test_no_more_signatures_are_added_than_are_read() -> None:
    full = parsed(GOOD | {"signatures": GOOD["signatures"] * MAX_SIGNATURES})
    assert full.joined_with(sign(PAYLOAD, KEY)) == full
    with pytest.raises(SignatureInvalid, match="64 signatures of one version at most, found 65"):
        full.joined_with(sign(PAYLOAD, OTHER))


def test_what_a_statement_is_about_is_said_whatever_it_is() -> None:
    assert subject_of(PAYLOAD) == "pets abababababab"
    for payload in (b"", b"{}", b"[]", b"\xff", b'{"subject": [{}]}', b"[" * 10_000):
        assert subject_of(payload) == "something else"
    hidden = statement("pets", "\x1b" * 64)
    assert "\x1b" not in subject_of(hidden)
