"""A store's history and changes, by real commands."""

import json

import pytest

from adapters.artifact.codec import version_of
from adapters.store.directory import DirectoryStore
from clients.playground.commands import StoreCommands
from clients.playground.messages import Refused
from tests.fakes.artifacts import make_artifact

OLD, NEW = make_artifact(seed=0), make_artifact(seed=1)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv("REDIS_URL", raising=False)
    store = DirectoryStore(tmp_path)
    store.publish(OLD)
    store.publish(NEW, canary=0.25)
    return store


@pytest.fixture
def commands(store, tmp_path):
    return StoreCommands(tmp_path)


def move(what, sequence, **more):
    return json.dumps({"what": what, "task": "pets", "sequence": sequence, **more}).encode()


def test_a_canary_is_shown_promoted_and_rolled_back(store, commands):
    found = commands.about("pets")
    assert [entry["what"] for entry in found["log"]] == ["publish", "canary"]
    assert found["shown"]["canary"] == {"version": version_of(NEW), "share": 0.25}
    made = commands.make(move("promote", found["shown"]["sequence"]))
    assert made["pointer"]["version"] == version_of(NEW)
    assert store.record("pets").version == version_of(NEW)
    made = commands.make(move("rollback", made["pointer"]["sequence"]))
    assert made["pointer"]["version"] == version_of(OLD)
    assert [entry.why for entry in store.log("pets")][-2:] == ["from the playground"] * 2


def test_who_has_seen_an_older_state_changes_nothing_and_is_told_why(store, commands):
    before = store.record("pets")
    with pytest.raises(Refused, match="sequence") as refused:
        commands.make(move("end canary", before.sequence + 5))
    assert refused.value.body["error"]["code"] == "command_refused"
    assert "error:" not in str(refused.value)
    assert store.record("pets") == before


def test_any_version_may_be_made_current_and_a_canary_ended(store, commands):
    sequence = store.record("pets").sequence
    sequence = commands.make(move("end canary", sequence))["pointer"]["sequence"]
    commands.make(move("promote", sequence, version=version_of(NEW)))
    assert store.record("pets").version == version_of(NEW)
    assert store.record("pets").canary is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        move("rm", 1),
        move("promote", 1, version="--force"),
        move("promote", 0),
        move("promote", 1, force=True),
        b'{"what": "rollback", "task": "--store", "sequence": 1}',
        b'{"what": "rollback", "task": "pets\\n", "sequence": 1}',
    ],
)
def test_what_is_no_change_starts_no_process(tmp_path, monkeypatch, body):
    monkeypatch.setattr("subprocess.Popen", None)
    with pytest.raises(Refused) as refused:
        StoreCommands(tmp_path).make(body)
    assert refused.value.status == 400


def test_an_unknown_task_is_said_so(commands):
    with pytest.raises(Refused, match="rocks"):
        commands.about("rocks")
    with pytest.raises(Refused, match="expected a task"):
        commands.about("--help")
