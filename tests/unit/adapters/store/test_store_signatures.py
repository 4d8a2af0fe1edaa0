"""Signatures beside versions: added without a new version, asked for, collected, and audited."""

import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.codec import version_of
from adapters.errors import SignatureInvalid, StoreUnavailable, TaskNotFound, VersionNotFound
from adapters.store.audit import Finding, audit
from adapters.store.directory import DirectoryStore
from adapters.store.garbage import collect_garbage
from adapters.trust.envelope import MAX_BYTES, Envelope, key_id, parse_envelope, sign
from adapters.trust.policy import Signers, Trust, TrustedKey
from adapters.trust.statement import statement
from tests.fakes.artifacts import make_artifact
from tests.fakes.crashes import End, crashes
from tests.fakes.embedded_signature import sign_inside

KEY, NEW = (Ed25519PrivateKey.from_private_bytes(bytes([i]) * 32) for i in range(2))
KEY_ID, NEW_ID = (key_id(key.public_key()) for key in (KEY, NEW))
FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
A, B, C = (version_of(data) for data in (FIRST, SECOND, THIRD))


def trusting(*keys: Ed25519PrivateKey, tasks: tuple[str, ...] = ("*",)) -> Trust:
    return Trust([TrustedKey(key.public_key(), tasks) for key in keys])


def signature(version: str, key: Ed25519PrivateKey = KEY, task: str = "pets") -> Envelope:
    return sign(statement(task, version), key)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path / "store")
    store.publish(FIRST, envelope=signature(A))
    store.publish(SECOND, envelope=signature(B))
    return store


def key_ids(store: DirectoryStore, version: str) -> tuple[str, ...]:
    data = store.envelope("pets", version)
    return () if data is None else parse_envelope(data, "it").key_ids


def test_what_is_published_with_signatures_has_them_beside_it(store: DirectoryStore) -> None:
    assert store.read("pets", B) == SECOND
    path = store.root / "pets" / "versions" / f"{B}.sig.json"
    assert json.loads(path.read_bytes())["signatures"][0]["keyid"] == KEY_ID
    assert store.versions("pets") == sorted([A, B])


def test_a_signature_is_added_and_nothing_else_changes(store: DirectoryStore) -> None:
    before = store.record("pets")
    found = store.add_signatures("pets", B, signature(B, NEW))
    assert found.key_ids == key_ids(store, B) == (KEY_ID, NEW_ID)
    assert store.add_signatures("pets", B, signature(B, NEW)) == found
    assert (store.record("pets"), store.read("pets", B)) == (before, SECOND)
    for trust in (trusting(KEY), trusting(NEW)):
        store.trust = trust
        assert store.check_trusted("pets", B) is not None


def test_publishing_again_adds_signatures_too(store: DirectoryStore) -> None:
    before = store.record("pets")
    store.publish(SECOND, envelope=signature(B, NEW))
    store.publish(SECOND)
    assert key_ids(store, B) == (KEY_ID, NEW_ID)
    assert store.record("pets") == before


def test_writers_of_signatures_wait_for_each_other(store: DirectoryStore) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(8)]
    threads = [
        threading.Thread(target=store.add_signatures, args=("pets", B, signature(B, key)))
        for key in keys
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(key_ids(store, B)) == 9


@pytest.mark.parametrize("other", [signature(A), signature(B, task="cars")], ids=["A", "cars"])
def test_signatures_of_something_else_are_not_kept(store: DirectoryStore, other: Envelope) -> None:
    before = store.envelope("pets", B)
    for change in (
        partial(store.add_signatures, "pets", B, other),
        partial(store.publish, SECOND, envelope=other),
        partial(store.publish, THIRD, envelope=other),
    ):
        with pytest.raises(SignatureInvalid, match="expected signatures of this version"):
            change()
    assert store.envelope("pets", B) == before
    assert store.versions("pets") == sorted([A, B])


def test_signatures_of_what_is_not_there_are_not_kept(store: DirectoryStore) -> None:
    with pytest.raises(VersionNotFound):
        store.add_signatures("pets", C, signature(C))
    with pytest.raises(TaskNotFound):
        store.add_signatures("cars", C, signature(C, task="cars"))
    assert not store.files.envelope("pets", C).exists()


def test_a_store_that_is_away_is_not_taken_for_an_unsigned_version(store: DirectoryStore) -> None:
    store.root.rename(store.root.with_name("elsewhere"))
    with pytest.raises(StoreUnavailable):
        store.envelope("pets", A)


NO_ENVELOPES = {"cut": b"{", "huge": b" " * (MAX_BYTES + 2), "another's": signature(A).to_json()}


@pytest.mark.parametrize("data", NO_ENVELOPES.values(), ids=NO_ENVELOPES.keys())
def test_what_is_no_envelope_of_the_version_is_never_added_to(
    store: DirectoryStore, data: bytes
) -> None:
    path = store.files.envelope("pets", B)
    path.write_bytes(data)
    for change in (
        partial(store.add_signatures, "pets", B, signature(B)),
        partial(store.publish, SECOND, envelope=signature(B)),
    ):
        with pytest.raises(SignatureInvalid, match="delete"):
            change()
    store.publish(SECOND)
    assert path.read_bytes() == data
    path.unlink()
    assert store.add_signatures("pets", B, signature(B)).key_ids == (KEY_ID,)


def test_no_more_than_the_bound_is_read_of_a_file(store: DirectoryStore) -> None:
    path = store.files.envelope("pets", B)
    with path.open("wb") as file:
        file.truncate(100 << 20)
    data = store.envelope("pets", B)
    assert data is not None
    assert len(data) == MAX_BYTES + 1


Change = Callable[[DirectoryStore], object]
MOVES: dict[str, Change] = {
    "publish": methodcaller("publish", THIRD),
    "canary": methodcaller("publish", THIRD, canary=0.5),
    "publish again": methodcaller("publish", SECOND),
    "promote": methodcaller("promote", "pets", A),
    "promote again": methodcaller("promote", "pets", B),
    "rollback": methodcaller("rollback", "pets"),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
def test_no_pointer_moves_to_what_nobody_trusted_has_signed(
    store: DirectoryStore, move: Change
) -> None:
    before = store.record("pets")
    for trust in (trusting(NEW), trusting(KEY, NEW, tasks=("cars",)), Trust([])):
        store.trust = trust
        with pytest.raises(SignatureInvalid):
            move(store)
    assert store.record("pets") == before
    store.trust = None
    move(store)


def test_pointers_move_to_what_somebody_trusted_has_signed(store: DirectoryStore) -> None:
    store.trust = trusting(KEY)
    assert store.rollback("pets").version == A
    assert store.promote("pets", B).version == B
    assert store.publish(THIRD, envelope=signature(C)).version == C
    inside = sign_inside(THIRD, KEY)
    assert store.publish(inside).version == version_of(inside)
    assert store.check_trusted("pets", version_of(inside)) == Signers((KEY_ID,), True)
    assert store.check_trusted("pets", C) == Signers((KEY_ID,), False)


def test_a_canary_is_promoted_only_if_somebody_trusted_has_signed_it(
    store: DirectoryStore,
) -> None:
    store.publish(THIRD, canary=0.5)
    store.trust = trusting(KEY)
    with pytest.raises(SignatureInvalid):
        store.promote("pets")
    store.add_signatures("pets", C, signature(C))
    assert store.promote("pets").version == C


def an_hour_ago(root: Path) -> DirectoryStore:
    then = datetime.now(UTC) - timedelta(hours=2)
    store = DirectoryStore(root, now=lambda: then)
    for data, version in ((FIRST, A), (SECOND, B), (THIRD, C)):
        store.publish(data, envelope=signature(version))
    for path in root.rglob("*.safetensors"):
        os.utime(path, (then.timestamp(), then.timestamp()))
    return DirectoryStore(root)


def test_signatures_are_collected_with_their_version(tmp_path: Path) -> None:
    store = an_hour_ago(tmp_path / "store")
    store.pin("pets", A)
    versions = store.root / "pets" / "versions"
    told = collect_garbage(store, "pets", keep=1, older_than_s=60.0, dry_run=True)
    assert {path.name for path in versions.glob(f"{B}*")} == {f"{B}.safetensors", f"{B}.sig.json"}
    found = collect_garbage(store, "pets", keep=1, older_than_s=60.0)
    assert [one.path for one in found] == [one.path for one in told]
    assert {one.path.name for one in found} == {f"{B}.safetensors", f"{B}.sig.json"}
    assert {one.version for one in found} == {B}
    assert list(versions.glob(f"{B}*")) == []
    assert key_ids(store, A) == key_ids(store, C) == (KEY_ID,)


def test_a_removed_versions_signatures_go_with_it(store: DirectoryStore) -> None:
    store.remove("pets", A)
    assert not store.files.envelope("pets", A).exists()
    assert wrong(store) == []


def test_signatures_whose_version_has_gone_are_collected_when_they_are_old(
    store: DirectoryStore,
) -> None:
    stray = store.files.envelope("pets", C)
    stray.write_bytes(signature(C).to_json())
    assert collect_garbage(store, "pets", keep=9, older_than_s=60.0) == []
    os.utime(stray, (0, 0))
    lost = store.files.envelope("pets", A)
    os.utime(lost, (0, 0))
    store.files.artifact("pets", A).unlink()  # named by the record: it may be restored
    assert [one.path for one in collect_garbage(store, "pets", keep=9, older_than_s=60.0)] == [
        stray
    ]
    assert (stray.exists(), lost.exists()) == (False, True)


def test_a_half_written_envelope_is_collected(store: DirectoryStore) -> None:
    left = store.root / "pets" / "versions" / f".{C}.sig.json.0a0a0a0a.writing"
    left.write_bytes(b"{")
    os.utime(left, (0, 0))
    assert [one.path for one in collect_garbage(store, "pets", keep=9, older_than_s=60.0)] == [left]


def wrong(store: DirectoryStore) -> list[Finding]:
    return [finding for finding in audit(store) if finding.damage or finding.note]


def test_the_audit_of_a_store_that_trusts_nobody_tells_what_is_claimed(
    store: DirectoryStore,
) -> None:
    assert wrong(store) == []
    assert [(one.claims, one.signers) for one in audit(store)] == [((KEY_ID,), None)] * 2


def test_the_audit_finds_what_nobody_trusted_has_signed(store: DirectoryStore) -> None:
    store.publish(THIRD)
    store.trust = trusting(KEY)
    (finding,) = wrong(store)
    assert (finding.version, finding.signers) == (C, None)
    assert "expected a signature by a key that is trusted for it" in str(finding.damage)
    assert finding.meta is not None
    signers = {one.version: one.signers for one in audit(store)}
    assert signers[A] == signers[B] == Signers((KEY_ID,), are_embedded=False)


@pytest.mark.parametrize("data", NO_ENVELOPES.values(), ids=NO_ENVELOPES.keys())
def test_the_audit_finds_envelopes_that_are_none_whomever_it_trusts(
    store: DirectoryStore, data: bytes
) -> None:
    store.files.envelope("pets", B).write_bytes(data)
    for trust in (None, trusting(KEY)):
        store.trust = trust
        (finding,) = wrong(store)
        assert finding.version == B
        assert "delete" in str(finding.damage)


def test_a_pipe_in_place_of_an_envelope_stops_nobody(store: DirectoryStore) -> None:
    path = store.files.envelope("pets", B)
    path.unlink()
    os.mkfifo(path)
    (finding,) = wrong(store)
    assert "expected a file, found a link, a pipe" in str(finding.damage)


def test_the_audit_notes_signatures_whose_version_has_gone(store: DirectoryStore) -> None:
    store.files.envelope("pets", C).write_bytes(b"{}")
    (finding,) = wrong(store)
    assert (finding.damage, finding.version) == (None, None)
    assert f"{C}.sig.json: signatures of what is not here; 'spt gc'" in str(finding.note)


def test_what_answers_is_signed_wherever_a_signed_publish_is_killed(tmp_path: Path) -> None:
    before = DirectoryStore(tmp_path / "before")
    before.publish(FIRST, envelope=signature(A))
    change = methodcaller("publish", SECOND, envelope=signature(B))
    seen = set()
    for crash in crashes(change, before.root, tmp_path / "crashes", End.KILLED):
        store = DirectoryStore(crash.root)
        store.trust = trusting(KEY)
        current = store.current("pets").version
        assert store.check_trusted("pets", current) is not None, crash
        assert [one for one in wrong(store) if one.version == current] == []
        seen.add(current)
    assert seen == {A, B}
