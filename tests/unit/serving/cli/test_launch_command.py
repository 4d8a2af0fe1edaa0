"""The commands: guarded by default, and they say how to call what they started."""

import errno
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore
from adapters.streams import OutputRefused
from serving import __main__ as command
from serving.cli import launching
from serving.door.tenants import digest_of
from serving.health import heartbeat
from serving.launch.launch import Launch, config_of
from serving.launch.running import Running, write
from serving.launch.token_file import token_file
from serving.torchserve.tokens import await_tokens
from tests.unit.serving.torchserve.fake_management import FakeManagement, served

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command line on a folder for this test, and returns its status."""

    def run(*words: str) -> int:
        line = ["python -m serving", "--folder", str(tmp_path), *words]
        monkeypatch.setattr(sys, "argv", line)
        return command.main()

    return run


@pytest.fixture
def launches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Launch]:
    """Return what would have been started."""
    asked: list[Launch] = []

    def start(launch: Launch) -> Running:
        asked.append(launch)
        return Running(
            url="http://127.0.0.1:8080",
            management_url="http://127.0.0.1:8081",
            processes={},
            scratch=tmp_path,
            token_file=token_file(tmp_path) if launch.token else None,
        )

    monkeypatch.setattr(launching, "start", start)
    (tmp_path / "runs/store").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "rediss://user:hunter2@redis.internal:6380/2")
    return asked


def test_callers_need_a_token_unless_the_launch_is_for_development(
    run: Run, launches: list[Launch]
) -> None:
    assert run("start") == 0
    assert run("start", "--no-token") == 0
    assert [launch.token for launch in launches] == [True, False]


def test_start_says_how_to_call_with_the_token_and_without(
    run: Run, launches: list[Launch], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("start")
    bearer = f'-H "Authorization: Bearer $(cat {tmp_path / "inference.token"})"'
    assert f"ready: curl {bearer} -T photo.jpg" in capsys.readouterr().out
    run("start", "--no-token")
    assert "ready: curl -T photo.jpg" in capsys.readouterr().out


def test_what_start_says_can_be_pasted_though_a_folder_has_a_space(
    launches: list[Launch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "My Projects"
    monkeypatch.setattr(sys, "argv", ["python -m serving", "--folder", str(folder), "start"])
    monkeypatch.setattr(
        launching,
        "start",
        lambda launch: Running(
            url="http://127.0.0.1:8080",
            management_url="http://127.0.0.1:8081",
            processes={},
            scratch=tmp_path,
            token_file=token_file(launch.folder),
        ),
    )
    assert command.main() == 0
    said = capsys.readouterr().out
    assert f"$(cat '{folder}/inference.token')" in said
    assert f"$(cat '{folder}/redis.url')" in said
    assert f"--folder '{folder}' stop" in said


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_a_folder_that_cannot_be_written_is_told_before_redis_or_java_is_started(
    place: str,
    launches: list[Launch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("REDIS_URL")
    taken = tmp_path / "taken"
    taken.write_text("")
    folder = taken if place == "a file" else taken / "serve"
    monkeypatch.setattr(sys, "argv", ["python -m serving", "--folder", str(folder), "start"])
    assert command.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert str(taken) in said
    assert "must be writable" in said
    assert len(said.splitlines()) == 1
    assert launches == []


def test_no_password_of_redis_is_printed(
    run: Run, launches: list[Launch], capsys: pytest.CaptureFixture[str]
) -> None:
    run("start")
    printed = capsys.readouterr().out
    assert "redis: rediss://redis.internal:6380/2" in printed
    assert "hunter2" not in printed
    assert launches[0].redis_url == "rediss://user:hunter2@redis.internal:6380/2"


def test_what_is_told_at_the_start_reaches_the_launch(run: Run, launches: list[Launch]) -> None:
    told = ("--drain-s", "5", "--port", "9000", "--set", "precision=bfloat16", "--image-size", "96")
    assert run("start", *told) == 0
    (launch,) = launches
    assert config_of(launch).image_size == 96
    assert (launch.drain_s, launch.ports) == (5.0, (9000, 9001, 9002))
    assert launch.settings == {"precision": "bfloat16"}


@pytest.mark.parametrize("pair", ["precision", "precision=["])
def test_a_setting_that_is_none_is_told(
    run: Run, launches: list[Launch], capsys: pytest.CaptureFixture[str], pair: str
) -> None:
    assert run("start", "--set", pair) == 1
    assert "--set" in capsys.readouterr().err
    assert launches == []


def test_ready_is_an_exit_status_with_its_reason(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ready") == 1
    assert "nothing was started" in capsys.readouterr().out
    with served(FakeManagement(tmp_path)) as url:
        await_tokens(tmp_path)
        write(tmp_path, guarded(tmp_path, url))
        (tmp_path / heartbeat.FILE).touch()
        assert run("ready") == 0
    assert capsys.readouterr().out == "ready\n"


def test_ready_is_json_for_programs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ready", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ready"] is False
    assert "nothing was started" in found["reason"]


def test_the_front_is_torchserve_unless_another_one_is_named(
    run: Run, launches: list[Launch]
) -> None:
    assert run("start") == run("start", "--front", "asgi") == 0
    assert [launch.front for launch in launches] == ["torchserve", "asgi"]
    with pytest.raises(SystemExit):
        run("start", "--front", "apache")


def test_serve_is_another_name_of_start(run: Run, launches: list[Launch]) -> None:
    assert run("serve") == run("start") == 0
    assert launches[0] == launches[1]


def test_the_folder_may_be_named_before_or_after_the_command(
    launches: list[Launch], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    for words in (["--folder", here, "start"], ["start", "--folder", here]):
        assert command.main([*words]) == 0
    assert command.main(["--folder", there, "start", "--folder", here]) == 0
    assert command.main(["start"]) == 0
    folders = [launch.folder for launch in launches]
    assert folders == [*[tmp_path / "here"] * 3, Path("runs/serve")]
    assert f"--folder {here} stop" in capsys.readouterr().out


def test_rotate_replaces_the_token_and_names_its_file(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("rotate") == 1
    assert "--folder" in capsys.readouterr().err
    fake = FakeManagement(tmp_path)
    with served(fake) as url:
        await_tokens(tmp_path)
        write(tmp_path, guarded(tmp_path, url))
        assert run("rotate") == run("rotate", "management") == 0
    assert str(token_file(tmp_path)) in capsys.readouterr().out
    assert fake.keys["inference"] != "inference-0"
    assert fake.keys["management"] != "management-0"


def test_key_prints_a_key_and_the_digest_that_lets_it_in(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("key", "team-a") == 0
    told, kept = capsys.readouterr().out.splitlines()
    key, digest = told.rpartition(" ")[2], kept.rpartition(" ")[2].strip('"')
    assert digest_of(key) == digest
    assert "team-a" in told
    assert "team-a" in kept


def guarded(folder: Path, url: str) -> Running:
    return Running(
        url="http://127.0.0.1:8080",
        management_url=url,
        processes={},
        scratch=folder,
        token_file=token_file(folder),
        management_token_file=token_file(folder, "management"),
    )


@pytest.mark.parametrize(
    "words",
    [
        *(("--port", port) for port in ("0", "-1", "65533", "70000", "8e3", "")),
        *(("--drain-s", seconds) for seconds in ("-1", "nan", "inf", "soon")),
    ],
    ids=" ".join,
)
def test_a_number_that_makes_no_sense_is_wrong_usage(
    run: Run, launches: list[Launch], words: tuple[str, str]
) -> None:
    option, value = words
    with pytest.raises(SystemExit) as caught:
        run("start", f"{option}={value}")
    assert caught.value.code == 2
    assert launches == []


@pytest.mark.parametrize(
    "words", [("--weights", "w.pth"), ("--set", "onnx=w.pth"), ("--set", "tenants=w.pth")]
)
def test_a_file_that_is_not_there_is_said_before_anything_is_loaded(
    run: Run,
    launches: list[Launch],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, str],
) -> None:
    assert run("start", *words) == 1
    out, err = capsys.readouterr()
    assert f"{tmp_path / 'w.pth'} is not there; check the path" in err
    assert (out, launches) == ("", [])
    (tmp_path / "w.pth").write_text('{"tenants": []}')
    assert run("start", *words) == 0


@pytest.mark.parametrize("option", ["--folder", "--store", "--weights"])
def test_a_path_of_bytes_that_are_no_utf8_is_said_before_anything_is_loaded(
    run: Run,
    launches: list[Launch],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
) -> None:
    place = tmp_path / os.fsdecode(b"caf\xe9")
    place.mkdir()
    assert run("start", option, str(place)) == 1
    out, err = capsys.readouterr()
    assert f"{option[2:]}: {tmp_path}/caf\\udce9 has bytes that are no UTF-8" in err
    assert (out, launches) == ("", [])


@pytest.mark.parametrize("setting", ["trusted_keys=[k.pem]", "trusted_keys=[{key: k.pem}]"])
@pytest.mark.parametrize("data", [None, b"no key"], ids=["missing", "of another kind"])
def test_a_key_that_is_none_is_said_before_anything_is_loaded(
    run: Run,
    launches: list[Launch],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    setting: str,
    data: bytes | None,
) -> None:
    if data is not None:
        (tmp_path / "k.pem").write_bytes(data)
    assert run("start", "--set", setting) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"error: key file {tmp_path / 'k.pem'}")
    assert len(err.splitlines()) == 1
    assert (out, launches) == ("", [])


def test_tenants_that_are_none_are_said_before_anything_is_loaded(
    run: Run, launches: list[Launch], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tenants.json").write_text("[]")
    assert run("start", "--set", "tenants=tenants.json") == 1
    assert f"tenants {tmp_path / 'tenants.json'}" in capsys.readouterr().err
    assert launches == []


def test_a_store_that_hangs_is_said_before_anything_is_loaded(
    run: Run,
    launches: list[Launch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    never = threading.Event()
    monkeypatch.setattr(launching, "_STORE_S", 0.1)
    monkeypatch.setattr(DirectoryStore, "require_folder", lambda _: never.wait(60))
    assert run("start") == 1
    never.set()
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {tmp_path / 'runs/store'}: the store has not answered for")
    assert len(err.splitlines()) == 1
    assert (out, launches) == ("", [])


def test_before_the_first_publish_the_usual_store_is_made(
    run: Run, launches: list[Launch], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "runs/store"
    store.rmdir()
    assert run("start") == 0
    assert list(store.iterdir()) == []
    assert f"nothing is published yet: {store} is an empty store now" in capsys.readouterr().out
    assert run("start") == 0
    assert "nothing is published" not in capsys.readouterr().out


def test_a_service_that_cannot_be_announced_is_stopped(
    run: Run, launches: list[Launch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Path] = []

    def refuse(*_: object) -> None:
        raise OutputRefused(BrokenPipeError(errno.EPIPE, "Broken pipe"))

    monkeypatch.setattr(launching, "_announce", refuse)
    monkeypatch.setattr(launching, "stop", lambda folder, draining: stopped.append(folder))
    assert run("start") == 1
    assert stopped == [tmp_path]


def test_a_store_that_is_not_there_is_said_at_the_start(
    run: Run, launches: list[Launch], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("start", "--store", str(tmp_path / "typo")) == 1
    assert f"store {tmp_path / 'typo'}: expected a folder, found none" in capsys.readouterr().err
    assert launches == []


def test_our_own_redis_is_bounded_and_lets_go_of_what_was_used_least_recently(
    run: Run, launches: list[Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, str] = {}

    class Watched(RedisServer):
        def start(self) -> None:
            super().start()
            with Redis.from_url(self.url, decode_responses=True) as client:
                found.update(client.config_get("maxmemory*"))
            self.stop()

    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setattr(launching, "RedisServer", Watched)
    assert run("start") == 0
    assert found["maxmemory"] == str(256 << 20)
    assert found["maxmemory-policy"] == "allkeys-lru"
