"""Tokens are handed out in files of their owner's, replaced in one step, and gone afterwards."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.errors import LaunchError
from serving.launch.running import Running
from serving.launch.token_file import token_file
from serving.torchserve import tokens
from serving.torchserve.management import PULSE, ask_for_pulse, flush, is_ready
from serving.torchserve.tokens import await_tokens, forget_tokens, rotate
from tests.unit.serving.torchserve.fake_management import FakeManagement, served


@pytest.fixture
def fake(tmp_path: Path) -> FakeManagement:
    return FakeManagement(tmp_path)


@pytest.fixture
def url(fake: FakeManagement) -> Iterator[str]:
    with served(fake) as url:
        yield url


@pytest.fixture
def running(url: str, tmp_path: Path) -> Running:
    await_tokens(tmp_path)
    return Running(
        url="http://127.0.0.1:1",
        management_url=url,
        processes={},
        scratch=tmp_path,
        token_file=token_file(tmp_path),
        management_token_file=token_file(tmp_path, "management"),
    )


def test_the_tokens_are_handed_out_to_their_owner_alone(fake: FakeManagement) -> None:
    await_tokens(fake.folder)
    for kind in ("inference", "management"):
        path = token_file(fake.folder, kind)
        assert path.read_text() == fake.keys[kind]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_token_is_in_its_file_and_the_others_stay(
    fake: FakeManagement, running: Running
) -> None:
    before = dict(fake.keys)
    path = rotate(fake.folder, running, "inference")
    assert path == running.token_file
    assert path.read_text() == fake.keys["inference"] != before["inference"]
    assert token_file(fake.folder, "management").read_text() == before["management"]


def test_the_management_token_is_replaced_as_well_when_asked(
    fake: FakeManagement, running: Running
) -> None:
    before = fake.keys["management"]
    rotate(fake.folder, running, "management")
    assert fake.keys["management"] != before
    assert is_ready(running.management_url, token_file=running.management_token_file)


def test_keys_that_are_gone_are_named(fake: FakeManagement, running: Running) -> None:
    (fake.folder / "key_file.json").unlink()
    with pytest.raises(LaunchError, match=r"key_file\.json is gone"):
        rotate(fake.folder, running, "inference")


def test_a_service_that_does_not_answer_keeps_its_token(running: Running, tmp_path: Path) -> None:
    gone = running.model_copy(update={"management_url": "http://127.0.0.1:9"})
    before = token_file(tmp_path).read_text()
    with pytest.raises(LaunchError, match="is the service running"):
        rotate(tmp_path, gone, "inference")
    assert token_file(tmp_path).read_text() == before


def test_no_token_is_replaced_where_the_new_one_could_not_be_written_down(
    fake: FakeManagement, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = dict(fake.keys)
    monkeypatch.setattr(tokens, "write_private", full)
    with pytest.raises(LaunchError, match="No space left"):
        rotate(fake.folder, running, "inference")
    assert fake.keys == before


def test_keys_that_are_half_written_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_KEYS_S", 0.1)
    (tmp_path / "key_file.json").write_text('{"inference": {"key"')
    with pytest.raises(LaunchError, match=r"key_file\.json"):
        await_tokens(tmp_path)


def test_nothing_is_left_of_a_service_that_has_ended(fake: FakeManagement) -> None:
    await_tokens(fake.folder)
    forget_tokens(fake.folder)
    assert list(fake.folder.iterdir()) == []
    forget_tokens(fake.folder)


def test_readiness_is_what_the_workers_say_and_needs_the_management_token(
    fake: FakeManagement, running: Running
) -> None:
    with_token = running.management_token_file
    assert is_ready(running.management_url, token_file=with_token)
    assert not is_ready(running.management_url)
    fake.statuses = ["UNLOADING"]
    assert not is_ready(running.management_url, token_file=with_token)
    assert not is_ready("http://127.0.0.1:9", token_file=with_token)


def test_a_flush_waits_for_the_queue_whatever_comes_out_of_it(
    fake: FakeManagement, running: Running
) -> None:
    for fake.flush_status in (200, 500):
        flush(running.management_url, token_file=running.management_token_file, timeout_s=60.0)
    assert fake.paths[-1] == "/models/spt?customized=true"
    fake.flush_s = 1.0
    with pytest.raises(TimeoutError):
        flush(running.management_url, token_file=running.management_token_file, timeout_s=0.2)


def test_no_proxy_of_the_environment_is_asked_for_our_own_machine(
    fake: FakeManagement, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proxy").mkdir()
    proxy = FakeManagement(tmp_path / "proxy")
    proxy.statuses = []
    with served(proxy) as address:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert is_ready(running.management_url, token_file=running.management_token_file)
        flush(running.management_url, token_file=running.management_token_file, timeout_s=60.0)
        rotate(tmp_path, running, "inference")
    assert proxy.paths == []


def test_a_pulse_waits_its_turn_in_the_queue_and_is_told_from_other_descriptions(
    fake: FakeManagement, running: Running
) -> None:
    ask_for_pulse(running.management_url, token_file=running.management_token_file, timeout_s=60.0)
    assert fake.paths[-1] == "/models/spt?customized=true"
    assert fake.tasks[-1] == PULSE
    fake.flush_s = 1.0
    with pytest.raises(TimeoutError):
        ask_for_pulse(
            running.management_url, token_file=running.management_token_file, timeout_s=0.2
        )
