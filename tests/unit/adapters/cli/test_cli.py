import json
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.__main__ import main
from adapters.artifact.codec import version_of
from adapters.artifact.samples import SampleImage
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from tests.fakes.artifacts import make_adapter, make_artifact
from tests.fakes.tiny import image_bytes

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))


@pytest.fixture(autouse=True)
def no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)


class Shell:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        code = main([*words, "--store", str(self.folder / "store")])
        out, err = self.capsys.readouterr()
        return code, out, err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json")[1])

    def file(self, data: bytes) -> str:
        path = self.folder / "a.safetensors"
        path.write_bytes(data)
        return str(path)

    def publish(self, data: bytes, *words: str) -> Any:
        return self.json("publish", self.file(data), *words)

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(self.folder / "store")


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def test_publish_says_what_is_current_now(shell: Shell) -> None:
    assert shell.publish(FIRST) == {
        "task": "pets",
        "version": version_of(FIRST),
        "sequence": 1,
        "canary": None,
        "shadow": None,
        "compared_with": None,
        "class_changes": None,
    }


def test_ls_shows_each_task_on_a_line_of_its_own(shell: Shell) -> None:
    shell.publish(FIRST)
    shell.publish(make_artifact("dogs"))
    code, out, _ = shell("ls")
    line = next(line for line in out.splitlines() if "pets" in line)
    assert code == 0
    for text in (version_of(FIRST)[:12], "3", "spt-deep", "tiny", "0.75", str(len(FIRST))):
        assert text in line
    assert [row["task"] for row in shell.json("ls")] == ["dogs", "pets"]


def test_a_store_that_is_not_there_is_an_error_that_names_it_and_nothing_is_made(
    shell: Shell,
) -> None:
    for words in (("ls",), ("verify",), ("gc",), ("gc", "--dry-run"), ("show", "pets")):
        code, out, err = shell(*words)
        assert (code, out) == (1, "")
        assert str(shell.folder / "store") in err
    assert not (shell.folder / "store").exists()


def test_verify_and_gc_refuse_a_folder_that_is_no_store(shell: Shell) -> None:
    code_of_somebody = shell.folder / "store" / "code"
    code_of_somebody.mkdir(parents=True)
    (code_of_somebody / "draft.writing").write_text("mine")
    for words in (("verify",), ("gc",), ("gc", "--dry-run")):
        code, out, err = shell(*words)
        assert (code, out) == (1, "")
        assert "expected a store with a store.json, found another folder" in err
    assert [path.name for path in code_of_somebody.iterdir()] == ["draft.writing"]


def test_ls_of_an_empty_store_says_so(shell: Shell) -> None:
    shell.store.root.mkdir()
    assert shell("ls")[:2] == (0, "nothing is published in this store\n")
    assert shell.json("ls") == []


def test_show_tells_the_meta_and_the_history(shell: Shell) -> None:
    shell.publish(FIRST)
    shell.publish(SECOND)
    shown = shell.json("show", "pets")
    assert [entry["version"] for entry in shown["history"]] == [version_of(FIRST), shown["version"]]
    assert shown["task"]["class_names"] == ["class-0", "class-1", "class-2"]
    assert "class-2" in shell("show", "pets")[1]


def test_show_counts_sample_images_and_names_their_classes(shell: Shell) -> None:
    adapter = make_adapter("pets")
    sample = SampleImage(label="cat", jpeg=b64encode(image_bytes(0, kind="JPEG")).decode())
    meta = adapter.meta.model_copy(update={"samples": (sample,) * 2})
    shell.publish(encode(replace(adapter, meta=meta)))
    assert "2 images, see --json: cat, cat" in shell("show", "pets")[1]
    assert shell.json("show", "pets")["samples"] == [sample.model_dump()] * 2


def test_rollback_and_rm_change_the_store(shell: Shell) -> None:
    shell.publish(FIRST)
    shell.publish(SECOND)
    assert shell.json("rollback", "pets")["version"] == version_of(FIRST)
    assert shell("rm", "pets", version_of(SECOND)[:8])[0] == 0
    assert shell.json("show", "pets")["held"] == [version_of(FIRST)]


def test_verify_of_a_whole_store_succeeds(shell: Shell) -> None:
    shell.publish(FIRST)
    shell.publish(SECOND)
    assert shell("verify")[0] == 0
    assert len(shell.json("verify")) == 2


def test_verify_names_every_damaged_artifact_and_fails(shell: Shell) -> None:
    shell.publish(FIRST)
    shell.publish(SECOND)
    versions = shell.folder / "store" / "pets" / "versions"
    (versions / f"{version_of(FIRST)}.safetensors").write_bytes(b"broken")
    assert shell("verify")[0] == 1
    damaged = [row["version"] for row in shell.json("verify") if "damage" in row]
    assert damaged == [version_of(FIRST)]
    (versions / f"{version_of(SECOND)}.safetensors").unlink()
    damaged = [row["version"] for row in shell.json("verify") if "damage" in row]
    assert sorted(damaged) == sorted([version_of(FIRST), version_of(SECOND)])


def test_a_damaged_record_does_not_hide_the_other_tasks(shell: Shell) -> None:
    shell.publish(FIRST)
    shell.publish(make_artifact("dogs"))
    (shell.folder / "store" / "dogs" / "current.json").write_text("{")
    code, out, _ = shell("ls")
    assert code == 1
    assert "current.json" in "".join(out.split())
    assert version_of(FIRST)[:12] in out


@pytest.mark.parametrize(
    "words",
    [
        ("show", "nope"),
        ("rollback", "../x"),
        ("rm", "pets", "abc"),
        ("publish", "no-such-file"),
        ("publish", "."),
    ],
)
def test_our_errors_are_one_line_and_exit_1(shell: Shell, words: tuple[str, ...]) -> None:
    code, out, err = shell(*words)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_file_that_is_not_an_artifact_is_refused(shell: Shell) -> None:
    path = shell.folder / "junk"
    path.write_bytes(b"junk")
    code, _, err = shell("publish", str(path))
    assert code == 1
    assert "not an artifact" in err


@pytest.mark.parametrize("words", [(), ("frobnicate",), ("show",), ("ls", "--redis", "http://x")])
def test_wrong_usage_exits_2(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert caught.value.code == 2


def test_markup_in_names_is_printed_as_it_is(shell: Shell) -> None:
    code, _, err = shell("show", "[red]pets[/red]")
    assert code == 1
    assert "[red]pets[/red]" in err


def test_a_redis_that_is_down_does_not_stop_a_publish(shell: Shell) -> None:
    path = shell.folder / "a.safetensors"
    path.write_bytes(FIRST)
    assert shell("publish", str(path), "--redis", "redis://127.0.0.1:1")[0] == 0


def test_an_unknown_task_is_answered_with_the_one_that_was_meant(shell: Shell) -> None:
    shell.publish(FIRST)
    for words in (("show", "pet"), ("diff", "pet"), ("rollback", "pet"), ("rm", "pet", "abcdef")):
        assert shell(*words)[2].endswith("did you mean 'pets'?\n")
    assert "did you mean" not in shell("show", "aeroplanes")[2]


def test_listing_a_store_does_not_load_redis(shell: Shell) -> None:
    code = "import sys; from adapters.cli import ls; print('redis' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_address_of_redis_is_never_printed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:66666666/0")
    path = shell.file(FIRST)
    for words in (["publish", "--help"], ["publish", path], ["ls", "--redis", "http://hunter2"]):
        with pytest.raises(SystemExit):
            main(words)
    out, err = capsys.readouterr()
    assert "REDIS_URL: not the address of a Redis" in err
    assert "hunter2" not in out + err
