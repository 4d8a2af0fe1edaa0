"""Which store a folder is, and what is refused in a folder that is none."""

import json
import threading
from pathlib import Path

import pytest

from adapters.errors import StoreUnavailable
from adapters.store import durable
from adapters.store.audit import audit
from adapters.store.directory import DirectoryStore
from adapters.store.identity import give_identity, read_identity
from tests.fakes.artifacts import make_artifact

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def test_a_first_publish_gives_the_store_an_id_that_stays(store: DirectoryStore) -> None:
    store.publish(FIRST)
    written = json.loads((store.root / "store.json").read_text())
    assert written == {"format": 1, "id": store.identity()}
    before = (store.root / "store.json").stat()
    store.publish(SECOND)
    store.publish(make_artifact("dogs"))
    assert (store.root / "store.json").stat().st_ino == before.st_ino
    assert store.tasks() == ["dogs", "pets"]


def test_two_stores_have_two_ids(tmp_path: Path) -> None:
    stores = [DirectoryStore(tmp_path / name) for name in "ab"]
    for store in stores:
        store.publish(FIRST)
    assert stores[0].identity() != stores[1].identity()


def test_a_store_of_an_earlier_version_is_read_and_gets_its_id_with_the_next_change(
    store: DirectoryStore,
) -> None:
    pointer = store.publish(FIRST)
    (store.root / "store.json").unlink()
    assert store.identity() is None
    assert store.current("pets") == pointer
    store.pin("pets", pointer.version)
    assert store.identity() is not None


def test_of_many_first_writers_one_draws_the_id(tmp_path: Path) -> None:
    seen: list[str | None] = []

    def write() -> None:
        give_identity(tmp_path)
        seen.append(read_identity(tmp_path))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert None not in seen
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "store.json"]


def test_what_a_later_version_adds_is_ignored_and_its_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    path.write_text(json.dumps({"format": 1, "id": "ab" * 16, "owner": "team-a"}))
    assert read_identity(tmp_path) == "ab" * 16
    for wrong in ({"format": 2, "id": "ab" * 16}, {"format": 1}, {"format": 1, "id": "x"}):
        durable.write(path, json.dumps(wrong).encode())
        with pytest.raises(StoreUnavailable, match=r"store\.json: expected a format up to 1"):
            read_identity(tmp_path)


@pytest.mark.parametrize("text", ['{"format": 2, "id": "%s"}' % ("0" * 32), "{"])
def test_nobody_writes_to_a_store_of_a_later_format_and_an_audit_tells(
    store: DirectoryStore, text: str
) -> None:
    store.publish(FIRST)
    (store.root / "store.json").write_text(text)
    with pytest.raises(StoreUnavailable, match="expected a format up to 1"):
        store.publish(SECOND)
    assert len(store.versions("pets")) == 1
    damage = [found.damage for found in audit(store) if found.damage]
    assert len(damage) == 1
    assert "expected a format up to 1" in damage[0]
