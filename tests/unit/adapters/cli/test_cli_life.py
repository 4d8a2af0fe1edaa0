"""The commands that change what is published, and those that compare and delete."""

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.__main__ import main
from adapters.artifact.codec import version_of
from adapters.artifact.task import Task
from adapters.cache import publishing
from adapters.cache.cached_store import CachedStore
from adapters.store.directory import DirectoryStore
from adapters.store.record import Pointer
from adapters.vit.adapter import Adapter, encode
from tests.fakes.artifacts import make_adapter, make_artifact

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
A, B, C = (version_of(data) for data in (FIRST, SECOND, THIRD))
DAY_S = 86400


class Shell:
    """Runs commands on one store; publishes artifacts through files."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.store = DirectoryStore(folder / "store")

    def __call__(self, *words: str) -> tuple[int, str, str]:
        code = main([*words, "--store", str(self.store.root)])
        out, err = self.capsys.readouterr()
        return code, out, err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json")[1])

    def file(self, data: bytes) -> str:
        path = self.folder / f"{version_of(data)}.file"
        path.write_bytes(data)
        return str(path)


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.delenv("REDIS_URL", raising=False)
    shell = Shell(tmp_path, capsys)
    shell.store.publish(FIRST)
    return shell


def with_classes(names: Sequence[str]) -> bytes:
    adapter = make_adapter(classes=len(names))
    task = Task(id="pets", class_names=tuple(names))
    meta = adapter.meta.model_copy(update={"task": task})
    return encode(Adapter(adapter.prompts, adapter.head_weight, adapter.head_bias, meta))


def test_a_canary_is_published_shown_and_promoted(shell: Shell) -> None:
    canary = {"version": B, "share": 0.1}
    published = shell.json("publish", shell.file(SECOND), "--canary", "0.1")
    assert (published["version"], published["canary"]) == (A, canary)
    assert shell.json("ls")[0]["canary"] == canary
    assert shell.json("show", "pets")["canary"] == canary
    for table in (shell("ls")[1], shell("show", "pets")[1]):
        assert f"version {B[:12]}, share 0.1" in table
    assert shell.json("promote", "pets", "--expect", B[:6]) == {
        "task": "pets",
        "version": B,
        "sequence": 3,
        "canary": None,
        "shadow": None,
    }


def test_promote_and_rollback_take_versions_by_their_first_digits(shell: Shell) -> None:
    shell.store.publish(SECOND)
    assert shell.json("promote", "pets", A[:6])["version"] == A
    assert shell.json("rollback", "pets", "--expect", A[:8])["version"] == B


@pytest.mark.parametrize("command", ["publish", "promote", "rollback"])
def test_a_change_that_expects_another_version_fails_and_changes_nothing(
    shell: Shell, command: str
) -> None:
    shell.store.publish(SECOND)
    shell.store.publish(THIRD, canary=0.5)
    before = shell.store.current("pets")
    subject = {"publish": [shell.file(THIRD)], "promote": ["pets", A]}.get(command, ["pets"])
    for expected, said in ((A[:6], A), (C, C), ("none", "no version")):
        code, out, err = shell(command, *subject, "--expect", expected)
        assert (code, out) == (1, "")
        assert f"pets: expected {said} to be current, found {B}" in err
    assert shell.store.current("pets") == before


def test_a_first_publish_can_expect_that_nothing_is_published(shell: Shell) -> None:
    assert shell("publish", shell.file(make_artifact("dogs")), "--expect", "none")[0] == 0
    code, _, err = shell("publish", shell.file(make_artifact("cows")), "--canary", "0.1")
    assert code == 1
    assert "publish the first version of a task without a share" in err


def test_publish_warns_of_changed_classes_and_tells_programs_which(shell: Shell) -> None:
    shell.store.publish(with_classes(["cat", "dgo", "cow", "hen", "pig"]))
    data = with_classes(["cat", "dog", "pig", "cow"])
    path, former = shell.file(data), shell.store.current("pets").version
    code, out, err = shell("publish", path)
    assert code == 0
    assert "class" not in out
    assert err == (
        f"warning: pets: classes differ from those of {former[:12]}: 1 removed: hen; "
        "1 renamed: 1 dgo -> dog; 2 moved: pig 4 -> 2, cow 2 -> 3\n"
    )
    shell.store.rollback("pets")
    code, out, err = shell("publish", path, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["compared_with"] == former
    assert json.loads(out)["class_changes"] == {
        "removed": ["hen"],
        "added": [],
        "renamed": [{"index": 1, "before": "dgo", "after": "dog"}],
        "moved": [
            {"name": "pig", "before": 4, "after": 2},
            {"name": "cow", "before": 2, "after": 3},
        ],
    }


def test_a_canary_is_compared_with_the_version_beside_it(shell: Shell) -> None:
    shell.store.publish(with_classes(["cat", "dog"]))
    _, _, err = shell("publish", shell.file(with_classes(["dog", "cat"])), "--canary", "0.5")
    assert "2 moved" in err


def test_the_same_classes_give_no_warning(shell: Shell) -> None:
    assert shell("publish", shell.file(SECOND))[2] == ""
    changes = shell.json("publish", shell.file(THIRD))["class_changes"]
    assert changes == {"removed": [], "added": [], "renamed": [], "moved": []}


def test_a_publish_over_a_damaged_version_says_that_it_compared_nothing(shell: Shell) -> None:
    shell.store.files.artifact("pets", A).write_bytes(b"broken")
    code, _, err = shell("publish", shell.file(SECOND))
    assert code == 0
    assert f"warning: pets: its classes were not compared: {A[:12]} cannot be read" in err
    assert shell.json("publish", shell.file(SECOND))["class_changes"] is None


def test_diff_compares_the_current_version_with_the_one_before(shell: Shell) -> None:
    other = encode(make_adapter(classes=2, prompts=2, metrics={"test_accuracy": 0.5}))
    shell.store.publish(other)
    found = shell.json("diff", "pets")
    assert (found["before"], found["after"]) == (A, version_of(other))
    assert found["class_changes"]["removed"] == ["class-2"]
    assert {"field": "metrics.test_accuracy", "before": 0.75, "after": 0.5} in found["differences"]
    _, out, _ = shell("diff", "pets")
    for text in ("class removed", "class-2", "backbone.width", "[2, 1, 4]"[1:-1], A[:12]):
        assert text in out


def test_diff_compares_a_canary_or_any_two_versions(shell: Shell) -> None:
    shell.store.publish(SECOND, canary=0.1)
    for words, versions in (((), (A, B)), ((B[:6],), (B, A)), ((A[:6], B[:6]), (A, B))):
        found = shell.json("diff", "pets", *words)
        assert (found["before"], found["after"]) == versions
    assert shell("diff", "pets", A, A)[:2] == (0, "it is the same version\n")


def test_a_pinned_version_is_shown_and_not_deleted(shell: Shell) -> None:
    shell.store.publish(SECOND)
    assert shell.json("pin", "pets", A[:6]) == {"task": "pets", "version": A, "pinned": True}
    assert shell.json("ls")[0]["pinned"] == [A]
    assert A[:12] in shell("ls")[1]
    code, _, err = shell("rm", "pets", A[:6])
    assert code == 1
    assert f"'spt pin pets {A[:12]} --off' first" in err
    assert shell.json("pin", "pets", A[:6], "--off")["pinned"] is False
    assert shell.json("rm", "pets", A[:6]) == {"task": "pets", "removed": A}


def age(shell: Shell, version: str, seconds: float) -> None:
    """Have a version that the record does not know be written some time ago."""
    record = shell.store.record("pets")
    forgotten = {"retired": (), "history": record.history[-1:]}
    shell.store.files.write_record("pets", record.model_copy(update=forgotten))
    then = time.time() - seconds
    os.utime(shell.store.files.artifact("pets", version), (then, then))


def test_gc_deletes_what_is_old_and_says_so(shell: Shell) -> None:
    shell.store.publish(SECOND)
    age(shell, A, 2 * DAY_S)
    left = shell.store.root / "pets" / ".current.json.0a0a0a0a.writing"
    left.touch()
    os.utime(left, (0, 0))
    planned = shell.json("gc", "--dry-run")
    assert [(row["version"], row["deleted"]) for row in planned] == [(A, False), (None, False)]
    assert planned[0]["file"] == f"pets/versions/{A}.safetensors"
    assert shell.store.versions("pets") == sorted([A, B])
    code, out, _ = shell("gc")
    assert code == 0
    assert A[:12] in out
    assert shell.store.versions("pets") == [B]
    assert shell("gc")[:2] == (0, "nothing to delete\n")


def test_gc_keeps_what_is_young_and_the_last_versions_of_the_history(shell: Shell) -> None:
    shell.store.publish(SECOND)
    assert shell.json("gc", "--keep", "1", "--older-than", "60s") == []
    age(shell, A, 2 * 3600)
    assert shell.json("gc", "--older-than", "3h") == []
    assert [row["version"] for row in shell.json("gc", "--older-than", "90m")] == [A]


def test_gc_goes_on_past_a_damaged_record_and_fails(shell: Shell) -> None:
    shell.store.publish(SECOND)
    age(shell, A, 2 * DAY_S)
    shell.store.publish(make_artifact("dogs"))
    (shell.store.root / "dogs" / "current.json").write_text("{")
    code, out, _ = shell("gc")
    assert code == 1
    assert "current.json" in "".join(out.split())
    assert shell.store.versions("pets") == [B]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("publish", "f", "--canary", "1"), "between 0 and 1"),
        (("publish", "f", "--canary", "half"), "between 0 and 1"),
        (("publish", "f", "--canary", "nan"), "between 0 and 1"),
        (("gc", "--keep", "0"), "a number from 1"),
        (("gc", "--keep", "-1"), "a number from 1"),
        (("gc", "--older-than", "59s"), "60s or more"),
        (("gc", "--older-than", "soon"), "such as 90s"),
    ],
)
def test_options_out_of_range_are_wrong_usage(
    words: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert caught.value.code == 2
    assert reason in capsys.readouterr().err


def test_show_of_a_damaged_version_tells_the_history_and_fails(shell: Shell) -> None:
    shell.store.publish(SECOND)
    shell.store.files.artifact("pets", B).write_bytes(b"broken")
    code, out, _ = shell("show", "pets")
    assert code == 1
    assert "damage" in out
    assert A[:12] in out


def test_verify_notes_what_a_dead_first_publish_left_and_succeeds(shell: Shell) -> None:
    (shell.store.root / "pets" / "current.json").unlink()
    code, out, _ = shell("verify")
    assert code == 0
    assert "no current.json" in " ".join(out.split())


def test_every_move_of_a_pointer_is_announced(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[Pointer] = []

    class Announcing(CachedStore):
        def _announce(self, task: str, pointer: Pointer) -> Pointer:
            announced.append(pointer)
            return super()._announce(task, pointer)

    monkeypatch.setattr(publishing, "CachedStore", Announcing)
    for words in (
        ("publish", shell.file(SECOND), "--canary", "0.1"),
        ("promote", "pets"),
        ("rollback", "pets"),
        ("publish", shell.file(THIRD), "--canary", "0.1"),
        ("canary", "pets", "--end"),
    ):
        assert shell(*words)[0] == 0
        assert announced[-1] == shell.store.current("pets")
    assert [pointer.sequence for pointer in announced] == [2, 3, 4, 5, 6]


def test_every_command_has_a_help_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    (\w+)  +\w", capsys.readouterr().out, re.MULTILINE)
    reading = ["ls", "show", "verify", "diff", "log"]
    changing = ["publish", "promote", "rollback", "canary", "shadow"]
    assert listed == [*reading, *changing, "pin", "rm", "gc", "store", "keygen", "sign"]


def test_tasks_are_copied_to_another_store_and_what_cannot_be_is_named(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "other")
    assert main(["store", "copy", str(shell.store.root), target, "--json"]) == 0
    assert [row["task"] for row in json.loads(capsys.readouterr().out)] == shell.store.tasks()
    assert main(["store", "copy", str(shell.store.root), target, "cats"]) == 1
    assert "cats" in capsys.readouterr().out
