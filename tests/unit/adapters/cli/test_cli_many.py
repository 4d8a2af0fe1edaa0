"""Many tasks: commands print while they read, read little, and take names."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.artifact.codec import version_of
from adapters.cli import verify
from adapters.cli.rows import in_words
from adapters.store import durable
from tests.fakes.artifacts import make_artifact
from tests.unit.adapters.cli.test_cli_life import Shell

TASKS = [f"task-{number}" for number in range(5)]


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.delenv("REDIS_URL", raising=False)
    shell = Shell(tmp_path, capsys)
    for task in TASKS:
        shell.store.publish(make_artifact(task))
    return shell


@pytest.mark.parametrize("words", [("ls",), ("verify",), ("ls", "--json")])
def test_rows_are_printed_while_the_next_ones_are_read(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("adapters.cli.rows._LOOK_AHEAD", 2)
    real, seen = durable.bytes_or_none, []

    def read(path: str | Path, most: int | None = None) -> bytes | None:
        if str(path).endswith(".safetensors"):
            seen.append(shell.capsys.readouterr().out)
        return real(path, most)

    monkeypatch.setattr(durable, "bytes_or_none", read)
    shell(*words)
    assert "task-0" in "".join(seen[:4])


def test_ls_reads_the_headers_alone(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_artifact(TASKS[0])
    header = 8 + int.from_bytes(data[:8], "little")
    monkeypatch.setattr("adapters.store.reader._HEADER_BYTES", header)
    assert len(data) > header
    shell.store.files.artifact(TASKS[0], version_of(data)).write_bytes(data[:-1] + b"x")
    monkeypatch.setattr(shell.store.__class__, "read", lambda *_: pytest.fail("read as a whole"))
    assert shell("ls")[0] == 0
    assert len(shell.json("ls")) == len(TASKS)


def test_a_header_that_is_longer_than_the_first_read_is_read_whole(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.store.reader._HEADER_BYTES", 100)
    assert [row["classes"] for row in shell.json("ls")] == [3] * len(TASKS)


def test_a_dry_run_of_gc_neither_locks_nor_writes(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse: Any = lambda *_: pytest.fail("a dry run changed something")  # noqa: E731
    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(os, "fsync", refuse)
    assert shell("gc", "--dry-run")[:2] == (0, "nothing to delete\n")


def test_ls_verify_and_gc_take_names_of_tasks(shell: Shell) -> None:
    for command in ("ls", "verify"):
        rows = shell.json(command, "task-3", "task-1")
        assert [row["task"] for row in rows] == ["task-3", "task-1"]
    assert shell.json("gc", "task-1") == []
    code, out, err = shell("verify", "task-33")
    assert (code, out) == (1, "")
    assert "did you mean 'task-3'" in err


def test_verify_tells_how_far_it_is(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_TOLD_EVERY_S", 0.0)
    code, out, err = shell("verify", "--json")
    assert (code, len(json.loads(out))) == (0, len(TASKS))
    assert "checked 3 of 5 tasks\n" in err


def test_many_files_are_published_at_once_and_a_wrong_one_stops_no_other(shell: Shell) -> None:
    junk = shell.folder / "junk"
    junk.write_bytes(b"junk")
    data = [make_artifact(task, seed=1) for task in TASKS[:2]]
    files = [shell.file(data[0]), str(junk), shell.file(data[1])]
    code, out, _ = shell("publish", *files, "--json")
    rows = json.loads(out)
    assert code == 1
    assert [row.get("version") for row in rows] == [version_of(data[0]), None, version_of(data[1])]
    assert "not an artifact" in rows[1]["damage"]
    assert shell("publish", files[0], files[2])[0] == 0
    with pytest.raises(SystemExit):
        shell("publish", *files, "--expect-sequence", "1")


def test_no_rows_are_json_all_the_same(shell: Shell) -> None:
    assert shell.json("gc", "--dry-run") == []


def test_what_comes_late_and_has_no_column_is_said_with_its_name(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.cli.rows._LOOK_AHEAD", 2)
    shell.store.publish(make_artifact(TASKS[4], seed=1), canary=0.5)
    last = shell("ls")[1].splitlines()[-1]
    assert last.startswith("task-4")
    assert "canary: version" in last


def test_control_characters_are_escaped_in_tables() -> None:
    assert in_words("a\x1b[31mb") == "a\\x1b[31mb"


def test_gc_waits_for_all_held_locks_together(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.cli.gc.LOCK_PATIENCE_S", 0.2)
    real, given = durable.exclusive, []

    def exclusive(lock: Path, patience: durable.Patience | None = None) -> Any:
        given.append(patience)
        return real(lock, patience)

    monkeypatch.setattr(durable, "exclusive", exclusive)
    with real(shell.store.root / TASKS[1] / ".lock"), real(shell.store.root / TASKS[3] / ".lock"):
        code, out, _ = shell("gc", "--json")
    assert code == 1
    assert [row["task"] for row in json.loads(out)] == [TASKS[1], TASKS[3]]
    assert len(given) == len(TASKS)
    assert set(map(id, given)) == {id(given[0])}
    assert given[0] is not None


def test_two_files_of_one_task_are_no_one_change_and_neither_is_published(shell: Shell) -> None:
    wanted = ((TASKS[0], 1), (TASKS[1], 1), (TASKS[0], 2))
    files = [shell.file(make_artifact(task, seed=seed)) for task, seed in wanted]
    before = shell.json("ls")
    with pytest.raises(SystemExit) as ended:
        shell("publish", *files, "--change-id", "tuesday")
    assert ended.value.code == 2
    assert "found two of task-0" in shell.capsys.readouterr().err
    assert shell.json("ls") == before
    assert shell("publish", *files[:2], "--change-id", "tuesday")[0] == 0


@pytest.mark.parametrize("name", ["store.json", "feed.json"])
def test_ls_tells_of_a_broken_file_next_to_the_tasks(shell: Shell, name: str) -> None:
    (shell.store.root / name).write_text("broken")
    code, out, _ = shell("ls", "--json")
    first, *others = json.loads(out)
    assert code == 1
    assert (first["task"], name in first["damage"]) == ("", True)
    assert [row["task"] for row in others] == TASKS
