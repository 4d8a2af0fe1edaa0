"""A version counts as signed if a key that is trusted for its task has signed its statement."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.codec import version_of
from adapters.errors import ArtifactCorrupt, SignatureInvalid
from adapters.trust.envelope import (
    MAX_BYTES,
    PAYLOAD_TYPE,
    key_id,
    pre_authentication_encoding,
    sign,
)
from adapters.trust.policy import Signers, Trust, TrustedKey
from adapters.trust.statement import statement
from tests.fakes.artifacts import make_artifact
from tests.fakes.embedded_signature import sign_inside, with_signature

OLD, NEW, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32) for i in range(3))
OLD_ID, NEW_ID, STRANGER_ID = (key_id(key.public_key()) for key in (OLD, NEW, STRANGER))
DATA = make_artifact("team-a-pets")
VERSION = version_of(DATA)


def trusting(
    *keys: Ed25519PrivateKey, tasks: tuple[str, ...] = ("*",), embedded: bool = True
) -> Trust:
    return Trust([TrustedKey(key.public_key(), tasks, embedded) for key in keys])


def envelope(*keys: Ed25519PrivateKey, task: str = "team-a-pets", version: str = VERSION) -> bytes:
    first, *others = (sign(statement(task, version), key) for key in keys)
    for one in others:
        first = first.joined_with(one)
    return first.to_json()


def unread() -> bytes:
    pytest.fail("the artifact was read")


def check(
    trust: Trust, beside: bytes | None, task: str = "team-a-pets", data: bytes = DATA
) -> Signers:
    return trust.check(task, version_of(data), beside, lambda: data)


def test_what_a_trusted_key_has_signed_is_trusted_and_never_read_for_that() -> None:
    trust = trusting(OLD)
    found = trust.check("team-a-pets", VERSION, envelope(OLD), unread)
    assert found == Signers((OLD_ID,), are_embedded=False)


def test_a_key_is_rotated_without_a_new_version() -> None:
    before, overlap, after = trusting(OLD), trusting(OLD, NEW), trusting(NEW)
    beside = envelope(OLD)
    assert check(before, beside).keys == check(overlap, beside).keys == (OLD_ID,)
    with pytest.raises(SignatureInvalid):
        check(after, beside)
    beside = envelope(OLD, NEW)
    assert check(before, beside).keys == (OLD_ID,)
    assert check(overlap, beside).keys == tuple(sorted((OLD_ID, NEW_ID)))
    assert check(after, beside).keys == (NEW_ID,)


@pytest.mark.parametrize("beside", [None, envelope(STRANGER)], ids=["unsigned", "a stranger's"])
def test_what_no_trusted_key_has_signed_is_refused_with_the_way_out(beside: bytes | None) -> None:
    with pytest.raises(SignatureInvalid) as caught:
        check(trusting(OLD, NEW), beside)
    text = str(caught.value)
    assert f"({OLD_ID}, {NEW_ID})" in text
    assert f"'spt sign team-a-pets --version {VERSION[:12]} --key KEY'" in text
    assert (f"one of {STRANGER_ID}, which is not trusted" in text) == (beside is not None)


def test_who_trusts_nobody_refuses_everything() -> None:
    with pytest.raises(SignatureInvalid, match="no key is trusted at all"):
        check(Trust([]), envelope(OLD))


def test_a_key_of_one_team_is_refused_for_the_task_of_another() -> None:
    trust = Trust(
        [TrustedKey(OLD.public_key(), ("team-a-*",)), TrustedKey(NEW.public_key(), ("team-b-*",))]
    )
    assert check(trust, envelope(OLD)).keys == (OLD_ID,)
    version = version_of(make_artifact("team-b-cars"))
    theirs = envelope(OLD, task="team-b-cars", version=version)
    with pytest.raises(SignatureInvalid, match=rf"one of {OLD_ID}, which is trusted for team-a-"):
        trust.check("team-b-cars", version, theirs, lambda: make_artifact("team-b-cars"))
    with pytest.raises(SignatureInvalid, match="no key is trusted for this task"):
        trust.check("cars", version, None, unread)


def test_a_key_may_be_trusted_for_tasks_of_several_kinds() -> None:
    keys = [TrustedKey(OLD.public_key(), (task,)) for task in ("cars", "team-a-*")]
    assert check(Trust(keys), envelope(OLD)).keys == (OLD_ID,)


@pytest.mark.parametrize(
    ("task", "version"), [("team-a-pets", "ab" * 32), ("team-a-cars", VERSION)], ids=str
)
def test_an_envelope_of_another_version_or_task_is_refused(task: str, version: str) -> None:
    with pytest.raises(SignatureInvalid, match=f"found those of {task} {version[:12]}; delete"):
        check(trusting(OLD), envelope(OLD, task=task, version=version))


@pytest.mark.parametrize(
    "statement_of_others",
    [
        statement("team-a-pets", VERSION) + b" ",
        statement("team-a-pets", VERSION).replace(b"adapter:1", b"adapter:2"),
        statement("team-a-pets", VERSION).replace(b"Statement/v1", b"Statement/v0.1"),
        b"{}",
    ],
)
def test_any_other_statement_is_refused_though_a_trusted_key_signed_it(
    statement_of_others: bytes,
) -> None:
    with pytest.raises(SignatureInvalid, match="expected signatures of this version"):
        check(trusting(OLD), sign(statement_of_others, OLD).to_json())


def forged(sig: bytes) -> bytes:
    fields = json.loads(envelope(OLD))
    fields["signatures"] = [{"keyid": OLD_ID, "sig": base64.b64encode(sig).decode()}]
    return json.dumps(fields).encode()


PAYLOAD = statement("team-a-pets", VERSION)


@pytest.mark.parametrize(
    "sig",
    [
        b"\0" * 64,
        b"",
        OLD.sign(PAYLOAD),
        OLD.sign(bytes.fromhex(VERSION)),
        OLD.sign(hashlib.sha256(pre_authentication_encoding(PAYLOAD_TYPE, PAYLOAD)).digest()),
        NEW.sign(pre_authentication_encoding(PAYLOAD_TYPE, PAYLOAD)),
    ],
    ids=["64 zero bytes", "nothing", "of the payload", "of the digest", "of a hash", "another's"],
)
def test_bytes_that_are_not_the_keys_signature_are_refused(sig: bytes) -> None:
    with pytest.raises(SignatureInvalid, match=f"one that names {OLD_ID} and is not its signature"):
        check(trusting(OLD), forged(sig))


def test_a_signature_of_a_bare_digest_can_be_no_signature_of_a_version() -> None:
    """Whoever gets the key to sign sha256(file) gets 32 bytes signed; ours are never so short."""
    assert len(pre_authentication_encoding(PAYLOAD_TYPE, PAYLOAD)) > 32


@pytest.mark.parametrize("beside", [b"", b"{", b"[" * 10_000, b" " * (MAX_BYTES + 1)], ids=len)
def test_what_is_no_envelope_is_refused(beside: bytes) -> None:
    with pytest.raises(SignatureInvalid, match="signatures of team-a-pets"):
        check(trusting(OLD), beside)


INSIDE = sign_inside(DATA, OLD)


@pytest.mark.parametrize("beside", [None, b"{", b" " * (MAX_BYTES + 1)], ids=str)
def test_a_signature_inside_counts_where_no_other_does(beside: bytes | None) -> None:
    assert check(trusting(OLD), beside, data=INSIDE) == Signers((OLD_ID,), are_embedded=True)


def test_a_signature_beside_goes_before_the_one_inside() -> None:
    beside = envelope(NEW, version=version_of(INSIDE))
    assert check(trusting(OLD, NEW), beside, data=INSIDE).keys == (NEW_ID,)
    assert check(trusting(OLD), beside, data=INSIDE) == Signers((OLD_ID,), are_embedded=True)


def test_a_signature_inside_is_for_the_tasks_of_its_key_alone() -> None:
    assert check(trusting(OLD, tasks=("team-a-*",)), None, data=INSIDE).keys == (OLD_ID,)
    with pytest.raises(SignatureInvalid, match="no key is trusted for this task"):
        check(trusting(OLD, tasks=("team-b-*",)), None, data=INSIDE)


def test_a_signature_inside_an_artifact_of_another_task_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="one that was signed as an adapter of team-a-pets"):
        check(trusting(OLD), None, "team-a-cars", INSIDE)


def test_a_strangers_signature_inside_is_refused_by_name() -> None:
    with pytest.raises(SignatureInvalid, match=f"found one by {STRANGER_ID}"):
        check(trusting(OLD), None, data=sign_inside(DATA, STRANGER))


def test_64_zero_bytes_inside_are_refused() -> None:
    text = json.dumps({"key": OLD_ID, "value": base64.b64encode(b"\0" * 64).decode()})
    with pytest.raises(SignatureInvalid, match="it was changed since"):
        check(trusting(OLD), None, data=with_signature(DATA, text))


def test_a_key_that_signs_inside_no_more_has_nothing_parsed() -> None:
    trust = trusting(OLD, embedded=False)
    with pytest.raises(SignatureInvalid, match="found none"):
        trust.check("team-a-pets", version_of(INSIDE), None, unread)


def test_a_damaged_artifact_is_said_to_be_that() -> None:
    with pytest.raises(ArtifactCorrupt):
        check(trusting(OLD), None, data=DATA[:-1])
