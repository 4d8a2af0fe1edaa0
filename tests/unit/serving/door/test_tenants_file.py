"""The file of tenants changes while the service runs."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.door.tenants import digest_of
from serving.door.tenants_file import TenantsFile
from serving.errors import ConfigError
from tests.fakes.waiting import wait_until

NEVER_S = 3600.0


def write(path: Path, *names: str) -> None:
    """Replace the file as a careful person would: by renaming."""
    entries = [
        {
            "name": name,
            "keys": [digest_of(name)],
            "tasks": ["*"],
            "requests_per_s": 1,
            "burst": 1,
        }
        for name in names
    ]
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"tenants": entries}))
    new.rename(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tenants.json"
    write(path, "a")
    return path


@pytest.fixture
def file(path: Path) -> Iterator[TenantsFile]:
    file = TenantsFile(path, period_s=NEVER_S)
    yield file
    file.close()


def names(file: TenantsFile) -> list[str]:
    return [tenant.name for tenant in file.tenants.tenants]


def test_a_new_file_is_taken_and_said(
    file: TenantsFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert names(file) == ["a"]
    write(path, "a", "b")
    file.look()
    assert names(file) == ["a", "b"]
    assert "read again" in caplog.text


def test_a_key_that_is_taken_out_opens_nothing_any_more(file: TenantsFile, path: Path) -> None:
    assert file.tenants.holder_of("a") is not None
    write(path, "b")
    file.look()
    assert file.tenants.holder_of("a") is None


def test_a_file_of_the_same_size_is_noticed(file: TenantsFile, path: Path) -> None:
    size = path.stat().st_size
    write(path, "b")
    assert path.stat().st_size == size
    file.look()
    assert names(file) == ["b"]


def test_an_unchanged_file_is_not_read_again(
    file: TenantsFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("it was opened"))
    file.look()
    assert names(file) == ["a"]


@pytest.mark.parametrize("text", ["", "{", '{"tenants": [{"name": "a"}]}', "rubbish"])
def test_a_broken_file_is_logged_once_and_the_tenants_stay(
    file: TenantsFile, path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path.write_text(text)
    for _ in range(3):
        file.look()
    assert names(file) == ["a"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert str(path) in caplog.text
    write(path, "b")
    file.look()
    assert names(file) == ["b"]


def test_a_file_that_is_gone_is_logged_once_and_the_tenants_stay(
    file: TenantsFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    for _ in range(3):
        file.look()
    assert names(file) == ["a"]
    assert len(caplog.records) == 1
    write(path, "b")
    file.look()
    assert names(file) == ["b"]


def test_a_thread_looks_and_ends(path: Path) -> None:
    before = {*threading.enumerate()}
    file = TenantsFile(path, period_s=0.01)
    (thread,) = (t for t in threading.enumerate() if t not in before and t.name == "tenants")
    write(path, "b", "c")
    wait_until("the new tenants are there", lambda: names(file) == ["b", "c"])
    file.close()
    thread.join(60)
    assert not thread.is_alive()


def test_a_missing_or_broken_file_keeps_the_service_from_starting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json cannot be read .*check the path"):
        TenantsFile(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"bad\.json: tenants: Field required"):
        TenantsFile(tmp_path / "bad.json")
