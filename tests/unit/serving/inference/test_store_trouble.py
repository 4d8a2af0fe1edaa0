"""A store that cannot be read costs only what is not on the device, and says what is wrong."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.cache.cached_store import CachedStore
from adapters.errors import StoreUnavailable, TaskNotFound, VersionNotFound
from adapters.store import durable
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.errors import to_wire
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine, Query
from serving.protocol import Answer
from serving.trunk.cpu import CpuBackend
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes, tiny_backbone


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture
def source(backbone, tmp_path):
    source = CachedStore(DirectoryStore(tmp_path / "store"), pointer_ttl_s=0.0)
    for task in ("known", "cold"):
        source.publish(encode(make_adapter(task, backbone=backbone.spec)))
    return source


@pytest.fixture
def engine(backbone, source):
    reader = CachedStore(source.store, pointer_ttl_s=0.0)
    engine = Engine(Core(CpuBackend(backbone), reader, AdapterBank(backbone, reader, 1 << 20)))
    yield engine
    engine.close()


def ask(engine, task, version=None):
    (outcome,) = engine.predict([Query(image_bytes(0), task, version=version)])
    return outcome


@contextmanager
def no_folder(root: Path) -> Iterator[None]:
    """Have a file where the store's folder should be."""
    away = root.with_name("away")
    root.rename(away)
    root.write_text("")
    yield
    root.unlink()
    away.rename(root)


@contextmanager
def refusing(number: int) -> Iterator[None]:
    """Have the file system refuse to open anything in the store."""

    def refuse(path: Path, *_: object) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "bytes_or_none", refuse)
        yield


TROUBLES = {
    "no folder": no_folder,
    "no permission": lambda _: refusing(errno.EACCES),
    "broken disk": lambda _: refusing(errno.EIO),
    "stale handle": lambda _: refusing(errno.ESTALE),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_tasks_on_the_device_go_on_and_the_others_come_back_with_the_store(engine, source, trouble):
    assert isinstance(ask(engine, "known"), Answer)
    with TROUBLES[trouble](source.store.root):
        for _ in range(3):
            assert isinstance(ask(engine, "known"), Answer)
        assert isinstance(ask(engine, "cold"), StoreUnavailable)
    assert isinstance(ask(engine, "cold"), Answer)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_wrong_is_said_in_full_to_us_and_not_to_strangers(engine, source, trouble):
    with TROUBLES[trouble](source.store.root):
        error = ask(engine, "cold")
        description = engine.describe(["cold"]).tasks["cold"]
    assert str(source.store.root) in str(error)
    assert "check that the folder is there" in str(error)
    assert str(source.store.root) in (description.trouble or "")
    body = to_wire(error, "cold")
    assert (body.code, body.message) == (
        "store_unavailable",
        "the adapter store cannot be read; try again later",
    )


def test_a_new_version_that_cannot_be_read_leaves_the_task_to_the_one_before(
    engine, source, backbone, monkeypatch
):
    before = ask(engine, "known").version
    assert ask(engine, "known").version == before
    new = source.publish(encode(make_adapter("known", seed=2, backbone=backbone.spec))).version
    real = durable.bytes_or_none

    def refuse(path: str | Path, *others: object) -> bytes | None:
        if Path(path).name.startswith(new):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *others)

    monkeypatch.setattr(durable, "bytes_or_none", refuse)
    assert ask(engine, "known").version == before
    assert isinstance(ask(engine, "known", new), StoreUnavailable)
    monkeypatch.undo()
    assert ask(engine, "known").version == new


def test_a_full_disk_under_the_store_is_nothing_to_a_service_that_only_reads(
    engine, source, backbone, monkeypatch
):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable, "write", full)
    adapter = encode(make_adapter("known", seed=3, backbone=backbone.spec))
    with pytest.raises(StoreUnavailable, match="has room"):
        source.publish(adapter)
    assert isinstance(ask(engine, "known"), Answer)
    assert isinstance(ask(engine, "cold"), Answer)


@contextmanager
def empty_folder(root: Path) -> Iterator[None]:
    """Have the folder that another one is not mounted on."""
    away = root.with_name("away")
    root.rename(away)
    root.mkdir()
    yield
    root.rmdir()
    away.rename(root)


@pytest.mark.parametrize("trouble", [no_folder, empty_folder])
@pytest.mark.parametrize("digits", [64, 12, 6])
def test_a_version_on_the_device_that_is_named_answers_while_the_store_is_away(
    engine, source, backbone, trouble, digits
):
    first = ask(engine, "known").version
    second = source.publish(encode(make_adapter("known", seed=2, backbone=backbone.spec))).version
    assert ask(engine, "known").version == second
    with trouble(source.store.root):
        for version in (first, second):
            assert ask(engine, "known", version[:digits]).version == version


@pytest.mark.parametrize("digits", [64, 12, 6])
def test_a_version_that_was_removed_answers_no_longer_though_it_is_on_the_device(
    engine, source, backbone, digits
):
    old = ask(engine, "known").version
    source.publish(encode(make_adapter("known", seed=2, backbone=backbone.spec)))
    assert ask(engine, "known", old[:digits]).version == old
    source.store.remove("known", old)
    assert isinstance(ask(engine, "known", old[:digits]), VersionNotFound)


def test_a_task_that_was_removed_answers_no_longer_by_a_version(engine, source):
    version = ask(engine, "known").version
    shutil.rmtree(source.store.root / "known")
    for named in (version, version[:12], version[:6], None):
        assert isinstance(ask(engine, "known", named), TaskNotFound)


def test_a_named_version_that_is_not_on_the_device_is_out_of_reach_and_not_unknown(engine, source):
    ask(engine, "known")
    with empty_folder(source.store.root):
        assert isinstance(ask(engine, "known", "0" * 64), StoreUnavailable)


def test_a_named_version_on_the_device_needs_no_look_at_the_store(engine, source, monkeypatch):
    version = ask(engine, "known").version
    monkeypatch.setattr(source.store.files, "versions", None)
    monkeypatch.setattr(DirectoryStore, "resolve_version", None)
    assert ask(engine, "known", version[:12]).version == version
