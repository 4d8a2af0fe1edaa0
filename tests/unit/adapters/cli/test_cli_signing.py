"""Keys and signatures at the command line: made, added, and asked for; what is said is checked."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from adapters.__main__ import main
from adapters.artifact.codec import version_of
from adapters.store.directory import DirectoryStore
from adapters.trust.envelope import key_id, sign
from adapters.trust.keys import generate_key, load_private_key, load_public_key
from adapters.trust.statement import statement
from tests.fakes.artifacts import make_artifact
from tests.fakes.embedded_signature import sign_inside

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))
A, B = (version_of(data) for data in (FIRST, SECOND))


class Key(NamedTuple):
    private: str
    public: str
    name: str


class Shell:
    """Types commands about one store, in a folder with keys."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.store = DirectoryStore(folder / "store")
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        code = main([*map(str, words), "--store", str(self.store.root)])
        return code, *self._capsys.readouterr()

    def json(self, *words: object) -> Any:
        return json.loads(self(*words, "--json")[1])

    def key(self, name: str) -> Key:
        private, public = generate_key(self.folder / "keys" / name)
        return Key(str(private), str(public), key_id(load_public_key(public)))

    def file(self, data: bytes, name: str = "pets.safetensors") -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.delenv("REDIS_URL", raising=False)
    return Shell(tmp_path, capsys)


@pytest.fixture
def old(shell: Shell) -> Key:
    return shell.key("old")


@pytest.fixture
def new(shell: Shell) -> Key:
    return shell.key("new")


def test_keygen_says_where_the_key_is_and_what_it_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen", str(tmp_path / "keys" / "release"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert key_id(load_public_key(Path(made["public"]))) == made["key"]


def test_publishing_with_a_key_signs_beside_the_version_and_changes_no_byte(
    shell: Shell, old: Key
) -> None:
    published = shell.json("publish", shell.file(FIRST), "--sign", old.private)
    assert published["version"] == A
    assert shell.store.read("pets", A) == FIRST
    assert shell.json("publish", shell.file(FIRST), "--trust", old.public)["signed_by"] == [
        old.name
    ]


def test_a_key_that_is_no_key_publishes_nothing(shell: Shell) -> None:
    file = shell.file(FIRST)
    code, _, err = shell("publish", file, "--sign", file)
    assert (code, str(file) in err) == (1, True)
    assert not shell.store.root.exists()


def test_a_key_is_rotated_by_one_command_and_no_version_changes(
    shell: Shell, old: Key, new: Key
) -> None:
    for data in (FIRST, SECOND):
        shell("publish", shell.file(data), "--sign", old.private)
    before = shell.store.record("pets")
    assert shell("verify", "--trust", new.public)[0] == 1
    rows = shell.json("sign", "pets", "--key", new.private, "--trust", old.public)
    assert [(row["version"], row["key"], row["signatures"]) for row in rows] == [
        (version, new.name, 2) for version in sorted([A, B])
    ]
    for trusted in ([old.public], [new.public], [old.public, new.public]):
        assert shell("verify", *(word for key in trusted for word in ("--trust", key)))[0] == 0
    assert shell("rollback", "pets", "--trust", new.public)[0] == 0
    assert shell.store.log("pets")[-1].version == A
    assert shell.store.history("pets") == before.history[:1]


def test_signatures_inside_artifacts_are_migrated_by_one_command(
    shell: Shell, old: Key, new: Key
) -> None:
    versions = []
    for task in ("cats", "dogs"):
        data = sign_inside(make_artifact(task), load_private_key(Path(old.private)))
        versions.append(shell.store.publish(data).version)
    shell.store.publish(make_artifact("cars"))
    assert shell.json("show", "cats", "--trust", old.public)["signatures"]["embedded"] is True
    code, out, _ = shell("sign", "--all", "--key", new.private, "--trust", old.public, "--json")
    rows = {row["task"]: row for row in json.loads(out)}
    assert code == 1
    assert [rows[task]["version"] for task in ("cats", "dogs")] == versions
    assert "not signed: cars" in rows["cars"]["damage"]
    assert shell.store.envelope("cars", rows["cars"]["version"]) is None
    for task in ("cats", "dogs"):
        row = shell.json("show", task, "--trust", new.public)["signatures"]
        assert row == {"found": 2, "checked": True, "signed_by": [new.name]}


def test_one_version_alone_is_signed_if_it_is_named(shell: Shell, old: Key) -> None:
    for data in (FIRST, SECOND):
        shell("publish", shell.file(data))
    (row,) = shell.json("sign", "pets", "--version", A[:8], "--key", old.private)
    assert row == {"task": "pets", "version": A, "key": old.name, "signatures": 1}
    assert shell.store.envelope("pets", B) is None


def test_nothing_damaged_is_ever_signed(shell: Shell, old: Key) -> None:
    shell("publish", shell.file(FIRST))
    shell.store.files.artifact("pets", A).write_bytes(b"broken")
    broken = shell.file(FIRST[:-1], "broken.safetensors")
    code, out, _ = shell("sign", "pets", broken, "nope", "none.file", "--key", old.private)
    assert code == 1
    assert out.count("not signed: ") == 4
    assert not broken.with_name("broken.safetensors.sig.json").exists()
    assert not shell.store.files.envelope("pets", A).exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["pets", "--all"],
        ["--all", "--version", A],
        ["pets", "cars", "--version", A],
        ["pets.safetensors", "--version", A],
    ],
)
def test_what_is_to_be_signed_is_named_clearly(shell: Shell, old: Key, words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        shell("sign", *words, "--key", old.private)
    assert caught.value.code == 2


def test_a_file_is_signed_where_it_is_and_published_with_that(
    shell: Shell, old: Key, new: Key
) -> None:
    file = shell.file(FIRST)
    for number, key in enumerate((old, new), 1):
        (row,) = shell.json("sign", file, "--key", key.private)
        assert (row["file"], row["signatures"]) == (f"{file}.sig.json", number)
    assert file.read_bytes() == FIRST
    assert not shell.store.root.exists()
    published = shell.json("publish", file, "--trust", new.public)
    assert published["signed_by"] == [new.name]
    assert shell.json("show", "pets", "--trust", old.public)["signatures"]["found"] == 2


@pytest.mark.parametrize("what", ["another version", "another task", "nothing"])
def test_a_file_beside_which_other_signatures_lie_is_not_published(
    shell: Shell, old: Key, what: str
) -> None:
    file = shell.file(FIRST)
    subject = {"another version": ("pets", B), "another task": ("cars", A)}.get(what)
    key = load_private_key(Path(old.private))
    beside = b"{}" if subject is None else sign(statement(*subject), key).to_json()
    file.with_name(f"{file.name}.sig.json").write_bytes(beside)
    code, _, err = shell("publish", file)
    assert (code, err.count("\n")) == (1, 1)
    assert "delete" in err
    assert not shell.store.root.exists()


def unsigned(shell: Shell, _: Key) -> Path:
    return shell.file(SECOND)


def a_strangers(shell: Shell, _: Key) -> Path:
    file = shell.file(SECOND)
    shell("sign", file, "--key", shell.key("stranger").private)
    return file


def forged(shell: Shell, key: Key) -> Path:
    file = shell.file(SECOND)
    fields = json.loads(sign(statement("pets", B), load_private_key(Path(key.private))).to_json())
    fields["signatures"][0]["sig"] = base64.b64encode(b"\0" * 64).decode()
    file.with_name(f"{file.name}.sig.json").write_text(json.dumps(fields))
    return file


NOT_TRUSTED = pytest.mark.parametrize("prepare", [unsigned, a_strangers, forged])


@NOT_TRUSTED
def test_what_nobody_trusted_has_signed_is_not_published(
    shell: Shell, old: Key, prepare: Callable[[Shell, Key], Path]
) -> None:
    shell("publish", shell.file(FIRST), "--sign", old.private)
    file = prepare(shell, old)
    for words in ([], ["--canary", "0.5"]):
        code, out, err = shell("publish", file, "--trust", old.public, *words)
        assert (code, out) == (1, "")
        assert f"expected a signature by a key that is trusted for it ({old.name})" in err
    assert shell.store.current("pets").version == A
    assert shell.store.versions("pets") == [A]


@NOT_TRUSTED
def test_no_command_says_of_a_signature_what_was_not_checked(
    shell: Shell, old: Key, prepare: Callable[[Shell, Key], Path]
) -> None:
    shell("publish", prepare(shell, old))
    for words in (("show", "pets"), ("verify",), ("promote", "pets", B), ("rollback", "pets")):
        assert "signed_by" not in shell(*words, "--json")[1]
    for words in (("show", "pets"), ("verify",), ("promote", "pets", B)):
        code, out, err = shell(*words, "--trust", old.public)
        assert code == 1
        assert "expected a signature by" in " ".join((out + err).split())
    assert "signed_by" not in shell("verify", "--trust", old.public)[1]
    assert "not checked" not in shell("show", "pets", "--trust", old.public)[1]


def test_show_says_whether_signatures_were_checked(shell: Shell, old: Key, new: Key) -> None:
    shell("publish", shell.file(FIRST))
    assert shell.json("show", "pets")["signatures"] == {
        "found": 0,
        "checked": False,
        "named_keys": [],
    }
    for key in (old, new):
        shell("sign", "pets", "--key", key.private)
    shown = " ".join(shell("show", "pets")[1].split())
    assert f"signatures 2, not checked; they name {old.name}, {new.name}" in shown
    shown = " ".join(shell("show", "pets", "--trust", old.public)[1].split())
    assert f"signatures 2, checked: by {old.name}" in shown


def test_a_rollback_to_what_is_not_trusted_is_refused(shell: Shell, old: Key) -> None:
    shell("publish", shell.file(FIRST))
    shell("publish", shell.file(SECOND), "--sign", old.private)
    code, _, err = shell("rollback", "pets", "--trust", old.public)
    assert (code, f"pets {A[:12]}: expected a signature" in err) == (1, True)
    assert shell.store.current("pets").version == B
    assert shell.json("promote", "pets", B, "--trust", old.public)["signed_by"] == [old.name]


def test_a_canary_does_not_end_where_what_is_current_is_not_trusted(shell: Shell, old: Key) -> None:
    shell("publish", shell.file(FIRST))
    shell("publish", shell.file(SECOND), "--canary", "0.5", "--sign", old.private)
    code, _, err = shell("canary", "pets", "--end", "--trust", old.public)
    assert (code, f"pets {A[:12]}: expected a signature" in err) == (1, True)
    assert shell.store.current("pets").canary is not None


def test_a_key_is_trusted_for_the_tasks_that_are_named(shell: Shell, old: Key) -> None:
    files = [
        shell.file(make_artifact(task), f"{task}.safetensors") for task in ("a-pets", "b-cars")
    ]
    code, out, _ = shell(
        "publish", *files, "--sign", old.private, "--trust", f"{old.public}=cub200,a-*", "--json"
    )
    rows = json.loads(out)
    assert code == 1
    assert rows[0]["signed_by"] == [old.name]
    assert "no key is trusted for this task" in rows[1]["damage"]
    assert shell.store.tasks() == ["a-pets"]


def test_a_path_with_an_equals_sign_is_a_path(shell: Shell) -> None:
    key = shell.key("a=b")
    published = shell.json(
        "publish", shell.file(FIRST), "--sign", key.private, "--trust", key.public
    )
    assert published["signed_by"] == [key.name]


def test_patterns_that_are_none_are_wrong_usage(shell: Shell, old: Key) -> None:
    for patterns in ("", "Team A", "a,,b"):
        with pytest.raises(SystemExit) as caught:
            shell("verify", "--trust", f"{old.public}={patterns}")
        assert caught.value.code == 2


def test_a_key_to_trust_that_is_none_is_one_line(shell: Shell, old: Key) -> None:
    shell("publish", shell.file(FIRST))
    for path in (old.private, "none.pem"):
        code, out, err = shell("verify", "--trust", path)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"key file {path}" in err
