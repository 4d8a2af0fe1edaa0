import errno
import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import StoreUnavailable
from adapters.store import durable


def raising(number: int, times: int, real: Any) -> Any:
    """Return `real`, which first fails some times with this error."""
    left = [times]

    def call(*args: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number))
        return real(*args)

    return call


def test_writers_of_one_folder_never_mix_their_files(tmp_path: Path) -> None:
    def write(name: str) -> None:
        for size in range(1, 40):
            durable.write(tmp_path / name, name.encode() * size * 1000)

    names = ["a", "b", "c", "c"]
    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert durable.names(tmp_path) == ["a", "b", "c"]
    for name in names:
        assert (tmp_path / name).read_bytes() == name.encode() * 39_000


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    durable.write(tmp_path / "file", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, step, raising(errno.ENOSPC, 1, getattr(os, step)))
        with pytest.raises(OSError, match="No space left"):
            durable.write(tmp_path / "file", b"new")
    assert durable.names(tmp_path) == ["file"]
    assert durable.bytes_or_none(tmp_path / "file") == b"old"


def test_a_file_that_is_replaced_under_its_reader_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"new")
    monkeypatch.setattr(os, "open", raising(errno.ESTALE, 2, os.open))
    assert durable.bytes_or_none(tmp_path / "file") == b"new"


def test_a_file_that_stays_stale_is_an_error_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", raising(errno.ESTALE, 1000, None))
    with pytest.raises(StoreUnavailable, match="Stale"), durable.reaching(tmp_path):
        durable.bytes_or_none(tmp_path / "file")


def test_a_file_system_that_cannot_sync_folders_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", raising(errno.EINVAL, 1, os.fsync))
    durable.sync(tmp_path)
    monkeypatch.setattr(os, "fsync", raising(errno.EIO, 1, os.fsync))
    with pytest.raises(OSError, match="Input/output"):
        durable.sync(tmp_path)


def test_a_file_system_without_locks_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", raising(errno.ENOLCK, 1, fcntl.flock))
    with (
        pytest.raises(StoreUnavailable, match=r"\.lock: .*No locks available.*mount"),
        durable.exclusive(tmp_path / ".lock"),
    ):
        pytest.fail("the block was entered without a lock")


def test_a_lock_keeps_other_threads_out(tmp_path: Path) -> None:
    inside = []

    def enter() -> None:
        with durable.exclusive(tmp_path / ".lock"):
            inside.append(len(inside))
            assert inside[-1] == len(inside) - 1

    with durable.exclusive(tmp_path / ".lock"):
        threads = [threading.Thread(target=enter) for _ in range(4)]
        for thread in threads:
            thread.start()
        threads[0].join(0.1)
        assert inside == []
    for thread in threads:
        thread.join()
    assert inside == [0, 1, 2, 3]


def test_folders_are_made_and_synced_from_the_first_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(durable, "sync", synced.append)
    durable.make_folder(tmp_path / "a" / "b")
    durable.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [tmp_path, tmp_path / "a"]


def test_what_is_no_plain_file_is_one_clear_line_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder"):
        with pytest.raises(
            StoreUnavailable, match=f"{name}: expected a file, found a link, a pipe"
        ):
            durable.bytes_or_none(tmp_path / name)
    with pytest.raises(StoreUnavailable, match="link"), durable.exclusive(tmp_path / "link"):
        pytest.fail("the lock of a link was taken")
    assert not (tmp_path / "elsewhere").exists()


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(8 << 30)
    with pytest.raises(StoreUnavailable, match=r"found 8,589,934,592; the store made no such file"):
        durable.bytes_or_none(tmp_path / "huge")


def test_a_lock_that_is_held_for_long_is_given_up_and_the_holder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert durable.LOCK_PATIENCE_S < 30
    monkeypatch.setattr(durable, "LOCK_PATIENCE_S", 0.1)
    with (
        durable.exclusive(tmp_path / ".lock"),
        pytest.raises(StoreUnavailable, match=rf"process {os.getpid()} on .* has been writing"),
        durable.exclusive(tmp_path / ".lock"),
    ):
        pytest.fail("two are inside")


def test_locks_that_share_a_patience_are_not_each_waited_for(tmp_path: Path) -> None:
    held, free, patience = tmp_path / "held", tmp_path / "free", durable.Patience(0.2)
    with durable.exclusive(held):
        with pytest.raises(StoreUnavailable), durable.exclusive(held, patience):
            pytest.fail("two are inside")
        assert patience.left_s == 0
        with pytest.raises(StoreUnavailable, match="for 0 s"), durable.exclusive(held, patience):
            pytest.fail("two are inside")
        with durable.exclusive(free, patience):
            assert patience.left_s == 0


def test_a_lock_that_is_free_costs_no_patience(tmp_path: Path) -> None:
    patience = durable.Patience(1e6)
    with durable.exclusive(tmp_path / "free", patience):
        assert patience.left_s > 1e6 - 100


def test_deleting_what_is_gone_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    durable.delete([tmp_path / "a", tmp_path / "b"])
    assert durable.names(tmp_path) == []
