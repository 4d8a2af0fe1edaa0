import errno
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.artifact.codec import version_of
from adapters.errors import StoreUnavailable
from adapters.store.audit import Finding, audit
from adapters.store.directory import DirectoryStore
from tests.fakes.artifacts import make_artifact

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
A, B = (version_of(data) for data in (FIRST, SECOND))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path / "store")
    store.publish(FIRST)
    store.publish(SECOND)
    return store


def wrong(store: DirectoryStore) -> list[Finding]:
    return [finding for finding in audit(store) if finding.damage or finding.note]


def test_a_whole_store_is_all_versions_and_nothing_wrong(store: DirectoryStore) -> None:
    found = list(audit(store))
    assert [one.version for one in found] == sorted([A, B])
    assert all(one.meta is not None and one.num_bytes == len(FIRST) for one in found)
    assert wrong(store) == []


@pytest.mark.parametrize("damage", [b"", FIRST[:-1], FIRST + b"x", SECOND, b"PK\x03\x04pickle"])
def test_damage_is_found_in_versions_that_do_not_answer(
    store: DirectoryStore, damage: bytes
) -> None:
    store.files.artifact("pets", A).write_bytes(damage)
    (finding,) = wrong(store)
    assert (finding.task, finding.version) == ("pets", A)
    assert A in str(finding.damage)


def test_a_version_that_is_named_and_missing_is_found(store: DirectoryStore) -> None:
    store.files.artifact("pets", A).unlink()
    (finding,) = wrong(store)
    assert finding.version == A
    assert f"rm pets {A[:12]}" in str(finding.damage)
    store.remove("pets", A)
    assert wrong(store) == []


def test_files_that_the_store_did_not_make_are_found(store: DirectoryStore) -> None:
    strange = [store.root / "pets" / "notes", store.root / "pets" / "versions" / "a.safetensors"]
    for path in strange:
        path.write_text("notes")
    found = [str(finding.damage) for finding in wrong(store)]
    assert [text.partition(":")[0] for text in found] == [str(path) for path in strange]


def test_a_damaged_record_is_found_beside_the_whole_versions(store: DirectoryStore) -> None:
    (store.root / "pets" / "current.json").write_text("{")
    (finding,) = wrong(store)
    assert "current.json" in str(finding.damage)
    assert len(list(audit(store))) == 3


def test_a_record_that_is_a_pipe_is_damage_and_its_task_is_listed(store: DirectoryStore) -> None:
    (store.root / "pets" / "current.json").unlink()
    os.mkfifo(store.root / "pets" / "current.json")
    (finding,) = wrong(store)
    assert "expected a file, found a link, a pipe or a folder" in str(finding.damage)
    assert store.tasks() == ["pets"]


def test_what_the_death_of_a_first_publish_leaves_is_odd_and_no_damage(
    store: DirectoryStore,
) -> None:
    (store.root / "pets" / "current.json").unlink()
    (store.root / "pets" / ".current.json.0.writing").write_text("{")
    (store.root / "empty").mkdir()
    (finding,) = wrong(store)
    assert finding.damage is None
    assert "2 versions and no current.json" in str(finding.note)


def test_a_folder_that_is_no_store_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    with pytest.raises(StoreUnavailable, match=r"expected a store with a store\.json"):
        list(audit(DirectoryStore(tmp_path)))


def test_a_store_that_cannot_be_listed_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable):
        list(audit(DirectoryStore(tmp_path / "file")))


def test_a_version_that_is_published_while_everything_is_read_is_no_damage(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.files.versions

    def listed(task: str) -> list[str]:
        found = real(task)
        store.publish(THIRD)
        return found

    monkeypatch.setattr(store.files, "versions", listed)
    assert wrong(store) == []


def test_a_version_that_is_collected_while_everything_is_read_is_no_damage(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.files.versions

    def listed(task: str) -> list[str]:
        found = real(task)
        monkeypatch.undo()
        store.remove("pets", A)
        return found

    monkeypatch.setattr(store.files, "versions", listed)
    assert wrong(store) == []
    assert store.versions("pets") == [B]


def test_a_pipe_in_place_of_a_version_is_found_and_does_not_stop_the_rest(
    store: DirectoryStore,
) -> None:
    path = store.files.artifact("pets", A)
    path.unlink()
    os.mkfifo(path)
    damage = [str(finding.damage) for finding in wrong(store)]
    assert any("expected a file, found a link, a pipe" in text for text in damage)
    assert B in [finding.version for finding in audit(store) if not finding.damage]


def test_a_folder_that_cannot_be_seen_is_damage_and_hides_no_other_task(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(make_artifact("zebras"))
    wall_off(store.root / "pets", monkeypatch)
    assert store.tasks() == ["pets", "zebras"]
    with pytest.raises(StoreUnavailable, match="Permission denied"):
        store.rollback("pets")
    found = list(audit(store))
    assert [one.task for one in found] == ["pets", "zebras"]
    assert "Permission denied" in str(found[0].damage)
    assert found[1].damage is None


def wall_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse whatever is asked about what is in a folder, as for a user without its rights."""
    for name in ("stat", "lstat", "open", "scandir"):
        real = getattr(os, name)

        def call(path: Any, *args: Any, real: Any = real, name: str = name, **more: Any) -> Any:
            inside = folder in Path(path).parents if isinstance(path, str | Path) else False
            if inside or (name == "scandir" and Path(path) == folder):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real(path, *args, **more)

        monkeypatch.setattr(os, name, call)
